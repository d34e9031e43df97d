"""Records that once broke a consumer, one a file; the tests feed them to it again."""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from streams.consumer.letters import Delivery

FOLDER = Path(__file__).parent / "kept"


class _Kept(msgspec.Struct, frozen=True):
    topic: str
    key: bytes | None
    value: bytes
    headers: Sequence[tuple[str, bytes]]
    timestamp_ms: int


def write(target: str, delivery: Delivery) -> str:
    """Keeps a record for a target; returns the file's name."""
    record = _Kept(delivery.topic, delivery.key, delivery.value, delivery.headers, delivery.timestamp_ms)
    data = msgspec.json.encode(record)
    name = f"{target}-{hashlib.sha256(data).hexdigest()[:12]}.json"
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / name).write_bytes(data)
    return name


def read() -> Iterator[tuple[str, Delivery]]:
    """Each kept record with the target that it broke."""
    for file in sorted(FOLDER.glob("*.json")):
        record = msgspec.json.decode(file.read_bytes(), type=_Kept)
        headers = [(name, value) for name, value in record.headers]
        yield (
            file.name.rpartition("-")[0],
            Delivery(record.topic, 0, 1, record.key, record.value, headers, record.timestamp_ms),
        )
