"""What was seen of files before, a line of JSON each: looking is what takes time, and a file stays what it is."""

import threading
from pathlib import Path

import msgspec

from gpu_workers import code
from gpu_workers.local.looking import Seen
from schemas.decoding import prepare

LOOKS = "gpu_workers.local.looking"  # what it imports is in the fingerprint, too


class _Line(msgspec.Struct, frozen=True):
    """What was seen, by which code."""

    code: str
    seen: Seen


class Remembered:
    """The lines of a file, which need not be there. Safe to use from several threads."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._code = code.installed().fingerprint(LOOKS)[:16]
        lines = file.read_bytes().splitlines() if file.exists() else []
        read = (line for each in lines if (line := _read(each)) is not None)
        self._seen = {line.seen.sha256: line.seen for line in read if line.code == self._code}

    def of(self, sha256: str) -> Seen | None:
        """What was seen of the file with this digest."""
        with self._lock:
            return self._seen.get(sha256)

    def add(self, seen: Seen) -> None:
        """Writes a line. Raises OSError."""
        with self._lock:
            self._seen[seen.sha256] = seen
            with self._file.open("ab") as file:
                file.write(msgspec.json.encode(_Line(self._code, seen)) + b"\n")


def _read(text: bytes) -> _Line | None:
    """A line that a kill cut off cannot be read: its file is looked at again."""
    try:
        return msgspec.json.decode(text, type=_Line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


prepare(_Line)
