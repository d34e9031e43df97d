"""The conservation ledger as metrics: polled = ended + in flight, by role; committed follows ended."""

from prometheus_client import Counter, Gauge

polled = Counter("packshot_polled_total", "Deliveries read", ["role", "lane"])
ended = Counter("packshot_ended_total", "Deliveries that ended: done, retried or dead", ["role", "how"])
committed = Counter("packshot_committed_total", "Deliveries whose offset is committed", ["role"])
in_flight = Gauge("packshot_in_flight", "Deliveries read and not ended", ["role", "lane"])
