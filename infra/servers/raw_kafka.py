"""Records as no client of ours would write them, in batches built byte by byte, in Kafka's format of magic 2."""

import gzip
import socket
import struct
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import cycle

from aiokafka.record.util import calc_crc32c

PRODUCE, PRODUCE_VERSION = 0, 3
MAGIC = 2
GZIP = 1
WITHIN_S = 300.0
WAIT_S = 0.1
# A topic that was only just made has no leader yet, or it is another broker; followers or the leader are away. What was
# written all the same is written twice then.
NOT_YET = {3, 5, 6, 7, 8, 9, 13, 15, 19, 20, 56}


@dataclass(frozen=True)
class RawRecord:
    """A record, its headers' names as bytes; None is written as null."""

    value: bytes | None
    key: bytes | None = None
    headers: Sequence[tuple[bytes, bytes | None]] = ()
    timestamp_ms: int = -1


def write(
    bootstrap: str,
    topic: str,
    records: Sequence[RawRecord],
    *,
    partition: int = 0,
    magic: int = MAGIC,
    crc: int = 0,
    packed: bool = False,
) -> int:
    """Writes records as one batch, by gzip if `packed`; `crc` is added to the right one.

    Returns the broker's error code, 0 for none. Asks one broker of `bootstrap` after another until one is the leader
    and takes or refuses it. Raises TimeoutError.
    """
    batch = _batch(records, magic, crc, packed)
    body = b"".join(
        (
            struct.pack(">hhih", PRODUCE, PRODUCE_VERSION, 1, -1),
            struct.pack(">hhi", -1, -1, 30_000),  # no transaction; acks of all; ms
            struct.pack(">i", 1) + _string(topic),
            struct.pack(">iii", 1, partition, len(batch)) + batch,
        )
    )
    give_up_at = time.monotonic() + WITHIN_S
    for server in cycle(bootstrap.split(",")):
        with suppress(OSError):  # a broker that is away
            if (code := _ask(server, topic, body)) not in NOT_YET:
                return code
        if time.monotonic() > give_up_at:
            raise TimeoutError(f"no broker takes a record for {topic}/{partition}")
        time.sleep(WAIT_S)
    raise AssertionError("servers do not end")


def _ask(server: str, topic: str, body: bytes) -> int:
    host, _, port = server.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(struct.pack(">i", len(body)) + body)
        answer = _exactly(connection, struct.unpack(">i", _exactly(connection, 4))[0])
    behind_name = 4 + 4 + 2 + len(topic.encode())
    return int(struct.unpack_from(">iih", answer, behind_name)[2])


def _batch(records: Sequence[RawRecord], magic: int, crc: int, packed: bool) -> bytes:
    first_ms = records[0].timestamp_ms
    body = b"".join(_record(number, each, first_ms) for number, each in enumerate(records))
    body = gzip.compress(body) if packed else body
    last_ms = max(each.timestamp_ms for each in records)
    counted = (
        struct.pack(">hiqqqhii", GZIP if packed else 0, len(records) - 1, first_ms, last_ms, -1, -1, -1, len(records))
        + body
    )
    checked = struct.pack(">ibI", -1, magic, (calc_crc32c(counted) + crc) & 0xFFFFFFFF) + counted
    return struct.pack(">qi", 0, len(checked)) + checked


def _record(number: int, record: RawRecord, first_ms: int) -> bytes:
    headers = b"".join(_varint(len(name)) + name + _nullable(value) for name, value in record.headers)
    fields = (
        b"\0",  # attributes
        _varint(record.timestamp_ms - first_ms),
        _varint(number),
        _nullable(record.key),
        _nullable(record.value),
        _varint(len(record.headers)),
        headers,
    )
    body = b"".join(fields)
    return _varint(len(body)) + body


def _nullable(value: bytes | None) -> bytes:
    return _varint(-1) if value is None else _varint(len(value)) + value


def _varint(number: int) -> bytes:
    """Zigzag, seven bits a byte, the least first."""
    rest = (number << 1) ^ (number >> 63)
    parts = bytearray()
    while rest > 0x7F:
        parts.append(rest & 0x7F | 0x80)
        rest >>= 7
    return bytes([*parts, rest])


def _string(text: str) -> bytes:
    return struct.pack(">h", len(text.encode())) + text.encode()


def _exactly(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = connection.recv(size - len(data))
        if not part:
            raise ConnectionError("the broker hung up")
        data += part
    return data
