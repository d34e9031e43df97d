"""A PIM that writes Avro to Kafka itself, by asyncapi.json alone.

BROKERS=… API=… python kafka_producer.py < products.jsonl

Needs confluent-kafka and fastavro, and nothing of Packshot.
"""

import io
import json
import os
import struct
import sys
import urllib.request
import uuid
from datetime import UTC, datetime

from confluent_kafka import Producer
from fastavro import parse_schema, schemaless_writer

message = json.load(urllib.request.urlopen(f"{os.environ['API']}/asyncapi.json"))["components"]["messages"][
    "CatalogChanged"
]
schema, schema_id = parse_schema(message["payload"]["schema"]), message["x-schema-id"]
# Products stay in order only if all producers choose partitions alike: by murmur2, as Kafka's own client does.
producer = Producer({"bootstrap.servers": os.environ["BROKERS"], "acks": "all", "partitioner": "murmur2_random"})
refused: list[str] = []


def delivered(error: object, _message: object) -> None:
    if error is not None:
        refused.append(str(error))


for each in map(json.loads, sys.stdin):
    value = io.BytesIO()
    value.write(struct.pack(">bI", 0, schema_id))
    schemaless_writer(value, schema, each)
    headers = {
        "ce_specversion": "1.0",
        "ce_type": "packshot.CatalogChanged",
        "ce_source": "pim",
        "ce_id": str(uuid.uuid4()),
    }
    headers["ce_time"] = datetime.now(UTC).isoformat()
    key = f"{each['tenant']}|{each['sku']}"  # with another key it is a dead letter, wrong_key
    producer.produce("imagery.catalog", value.getvalue(), key, headers=headers, on_delivery=delivered)
    producer.poll(0)
left = producer.flush(60)
sys.exit(f"not sent: {left}, refused: {refused}" if left or refused else 0)
