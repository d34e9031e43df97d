"""A report of what was made in a folder, a line of JSON a picture: what is done is not done again."""

import threading
from pathlib import Path
from typing import Literal

import msgspec

from schemas.decoding import prepare
from schemas.records import Verdict
from schemas.wording import Told

# `waits`: it is there, and the gates would not let it pass by itself.
Outcome = Literal["done", "waits", "refused"]


class Line(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of a picture: the file `made` in the folder with its digest, what was measured of it and what the
    gates say; or why there is none. `result_id` names all that it was made by, `words` what the words among its
    parameters say."""

    source: str
    outcome: Outcome
    made: str = ""
    sha256: str = ""
    result_id: str = ""
    code: str = ""
    field: str = ""
    message: str = ""
    seconds: float = 0.0
    verdict: Verdict | None = None
    measures: dict[str, float] = {}
    words: Told | None = None


class Report:
    """The report in a file, which need not be there. Safe to use from several threads."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._made = {line.made: line for line in _lines(file) if line.made}

    def last(self, made: str) -> Line | None:
        """The last line about a file of this name."""
        with self._lock:
            return self._made.get(made)

    def add(self, line: Line) -> None:
        """Writes a line. Raises OSError."""
        with self._lock:
            with self._file.open("ab") as file:
                file.write(msgspec.json.encode(line) + b"\n")
            if line.made:
                self._made[line.made] = line


def _lines(file: Path) -> list[Line]:
    """The lines that can be read. One that a kill cut off cannot be: its picture is made again."""
    if not file.exists():
        return []
    data = file.read_bytes()
    if data and not data.endswith(b"\n"):
        with file.open("ab") as stream:
            stream.write(b"\n")
    return [line for each in data.splitlines() if (line := _line(each)) is not None]


def _line(text: bytes) -> Line | None:
    try:
        return msgspec.json.decode(text, type=Line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


prepare(Line)
