"""Answers to fetches, cut to a size that clients take: noida-db answers with all that a partition has.

librdkafka closes the connection on an answer beyond 100 MB, asks again, and so stands before such a backlog for ever.
"""

import struct
from collections.abc import Iterator

FRAME_BYTES_MAX = 32 * 1024 * 1024
PARTITION_BYTES_MIN = 256 * 1024  # however many partitions share an answer; the first batch of each comes whole
VERSIONS = (11, 12)  # those in which our two clients and noida-db speak; from 12 on lengths are varints

_INT = struct.Struct(">i")
_BATCH = struct.Struct(">qi")  # the first offset, and the length of what is behind these two
_BEHIND_CORRELATION = 4
_FIXED = 4 + 2 + 4  # throttle time, error, session
_OF_PARTITION = 4 + 2 + 3 * 8  # number, error, high watermark, last stable offset, first offset
_ABORTED = 2 * 8
_REPLICA = 4


def cut(frame: bytes, version: int) -> bytes:
    """An answer to a fetch of `version`, its records cut behind a batch of each partition where it is too large.

    What is cut off is fetched next. Answers of other versions than VERSIONS stay as they are.
    """
    if len(frame) <= FRAME_BYTES_MAX or version not in VERSIONS:
        return frame
    answer = _Answer(frame, is_flexible=version >= VERSIONS[1])
    places = list(answer.records())
    room = max(FRAME_BYTES_MAX // max(len(places), 1), PARTITION_BYTES_MIN)
    parts, done = [], 0
    for length_at, first, behind in places:
        kept = _whole_batches(frame, first, behind, room)
        parts += [frame[done:length_at], answer.length(kept), frame[first : first + kept]]
        done = behind
    return b"".join([*parts, frame[done:]])


def _whole_batches(frame: bytes, first: int, behind: int, room: int) -> int:
    """How many bytes the batches have that fit in `room`; the first one always does."""
    at = first
    while at + _BATCH.size <= behind:
        _, length = _BATCH.unpack_from(frame, at)
        following = at + _BATCH.size + length
        if following > behind or (at > first and following - first > room):
            break
        at = following
    return at - first


class _Answer:
    """Walks through an answer."""

    def __init__(self, frame: bytes, *, is_flexible: bool) -> None:
        self._frame = frame
        self._is_flexible = is_flexible
        self._at = 0

    def records(self) -> Iterator[tuple[int, int, int]]:
        """Of each partition where the length of its records stands, where they begin, and what is behind them."""
        self._at = _BEHIND_CORRELATION
        self._skip_tags()
        self._at += _FIXED
        for _ in range(self._length()):
            self._skip_name()
            for _ in range(self._length()):
                yield self._partition()
                self._skip_tags()
            self._skip_tags()

    def length(self, count: int) -> bytes:
        """A number of bytes as the answer has it."""
        return _varint(count + 1) if self._is_flexible else _INT.pack(count)

    def _partition(self) -> tuple[int, int, int]:
        self._at += _OF_PARTITION
        for _ in range(self._length()):
            self._at += _ABORTED
            self._skip_tags()
        self._at += _REPLICA
        length_at = self._at
        length = self._length()
        first = self._at
        self._at += length
        return length_at, first, self._at

    def _length(self) -> int:
        """A count, or a number of bytes; 0 for null."""
        if self._is_flexible:
            return max(self._read_varint() - 1, 0)
        (count,) = _INT.unpack_from(self._frame, self._at)
        self._at += _INT.size
        return max(int(count), 0)

    def _skip_name(self) -> None:
        if self._is_flexible:
            count = self._length()
        else:
            (count,) = struct.unpack_from(">h", self._frame, self._at)
            self._at += 2
        self._at += count

    def _skip_tags(self) -> None:
        if not self._is_flexible:
            return
        for _ in range(self._read_varint()):
            self._read_varint()
            count = self._read_varint()
            self._at += count

    def _read_varint(self) -> int:
        number = shift = 0
        while True:
            byte = self._frame[self._at]
            self._at += 1
            number |= (byte & 0x7F) << shift
            if byte < 0x80:
                return number
            shift += 7


def _varint(number: int) -> bytes:
    parts = bytearray()
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*parts, number])
