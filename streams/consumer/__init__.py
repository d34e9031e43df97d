"""Reading from Kafka without losing anything: deliveries, offsets, lanes, the loop, retries and dead letters."""
