"""Admission: a process works on no more pictures at a time than its memory holds.

A task reserves what its picture will take, by its header, before the picture is decoded, and waits until there is room.
Who came first goes first, and a large picture is not passed by small ones for ever; but urgent work goes before the
rest, and the rest leaves it room for an ordinary picture unless it would never fit itself. What has waited for
`AGEING_S` counts as urgent.
"""

import ctypes
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from streams.runtime import control_groups

MB = 2**20
AGEING_S = 60.0
# What a worker holds before its first picture: 1,000 MB of libraries, networks and their buffers (some 400 of them of
# those that read text), and 100 MB for each of the threads' rest that the allocator keeps. From single runs; `make
# bench-pictures` tells it as `process_mb`, and has not been run whole since.
PROCESS_MB = 1300
# One cutout of 12 MP: 351 to 423 MB in single runs.
URGENT_ROOM_MB = 500
_UNLIMITED = 1 << 60
_TRIMMED_MB = 128
_RAISERS = frozenset({"cv2", "pyvips", "onnxruntime", "gpu_workers"})
_WORDS = re.compile(
    r"insufficient memory|out of memory|bad[_ ]alloc|failed to allocate|cannot allocate|unable to allocate|"
    r"memory allocation failed|OutOfMemory",
    re.IGNORECASE,
)
_MESSAGE_MAX = 500


class OutOfMemory(Exception):
    """Memory ran out although there should have been enough; worth another try when there is less to do."""


class TooMuchMemory(Exception):
    """A picture that all of the budget cannot hold."""


@dataclass(eq=False)
class _Ticket:
    wanted: int
    is_urgent: bool
    since_s: float = field(default_factory=time.monotonic)

    def goes_first(self, now_s: float) -> bool:
        return self.is_urgent or now_s - self.since_s > AGEING_S


class Budget:
    """`bytes_max` of memory to share out. Safe to use from several threads."""

    def __init__(self, bytes_max: int) -> None:
        self.bytes_max = bytes_max
        self._free = bytes_max
        self._line: list[_Ticket] = []
        self._changed = threading.Condition()

    @property
    def free(self) -> int:
        """Bytes that nobody has."""
        return self._free

    @contextmanager
    def reserve(
        self,
        wanted: int,
        *,
        is_urgent: bool = True,
        while_waiting: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> Iterator[float]:
        """Waits for `wanted` bytes, gives the seconds that it took, and hands them back after the block.

        A wait is within the context of `while_waiting`. Raises TooMuchMemory at once when there are not so many in all.
        """
        if wanted > self.bytes_max:
            raise TooMuchMemory(
                f"it takes {wanted // MB:,} MB, and {self.bytes_max // MB:,} MB are all there is for it"
            )
        ticket = _Ticket(wanted, is_urgent)
        if not self._taken(ticket):
            with while_waiting():
                self._wait_for(ticket)
        try:
            yield time.monotonic() - ticket.since_s
        finally:
            if wanted > _TRIMMED_MB * MB:
                _give_back_what_was_freed()
            with self._changed:
                self._free += wanted
                self._changed.notify_all()

    def _taken(self, ticket: _Ticket) -> bool:
        """Puts a ticket into the line, and takes what it wants if there is nobody before it and enough."""
        with self._changed:
            self._line.append(ticket)
            return self._take(ticket)

    def _wait_for(self, ticket: _Ticket) -> None:
        with self._changed:
            while not self._take(ticket):
                self._changed.wait(AGEING_S / 4)  # ageing changes who is next, and nobody tells

    def _take(self, ticket: _Ticket) -> bool:
        if not self._is_next(ticket):
            return False
        self._line.remove(ticket)
        self._free -= ticket.wanted
        self._changed.notify_all()
        return True

    def _is_next(self, ticket: _Ticket) -> bool:
        now_s = time.monotonic()
        first = min(self._line, key=lambda each: not each.goes_first(now_s))  # of equals the one that came first
        kept = 0 if ticket.goes_first(now_s) else min(URGENT_ROOM_MB * MB, self.bytes_max - ticket.wanted)
        return first is ticket and self._free - kept >= ticket.wanted


def budget(memory_mb: int | None, threads: int, source_bytes_max: int) -> Budget:
    """What is left for pictures of `memory_mb`, or of what this process may have, with files in hand for each thread.

    Raises ValueError when that is nothing.
    """
    limit = allowed_bytes() if memory_mb is None else memory_mb * MB
    left = limit - PROCESS_MB * MB - threads * source_bytes_max
    if left <= 0:
        raise ValueError(
            f"{limit // MB:,} MB of memory hold no picture: {PROCESS_MB} MB are the process', and {threads} threads "
            f"have files of {source_bytes_max // MB} MB in hand"
        )
    return Budget(left)


def allowed_bytes(root: Path = Path("/")) -> int:
    """How much memory this process may have: the least that its control groups and the machine allow."""
    limits = [_number(path) for path in _limit_files(root)]
    return min([*limits, _machine_bytes(root)])


def _limit_files(root: Path) -> Iterator[Path]:
    """Where control groups of version 2 and 1 say how much memory may be had, those above ours too."""
    yield from (folder / "memory.max" for folder in control_groups.folders(root, None))
    yield from (folder / "memory.limit_in_bytes" for folder in control_groups.folders(root, "memory"))


def _machine_bytes(root: Path) -> int:
    for line in control_groups.text(root / "proc/meminfo").splitlines():
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) * 1024
    return _UNLIMITED


def _number(path: Path) -> int:
    found = control_groups.text(path)
    return int(found) if found.isdigit() else _UNLIMITED  # "max", or no such file


@contextmanager
def running_out() -> Iterator[None]:
    """Raises OutOfMemory in place of what libraries raise when they get no memory, however that is wrapped."""
    try:
        yield
    except Exception as error:
        if any(_says_out_of_memory(each) for each in _causes(error)):
            raise OutOfMemory(f"memory ran out: {type(error).__name__}: {error}"[:_MESSAGE_MAX]) from error
        raise


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _says_out_of_memory(error: BaseException) -> bool:
    """NumPy, numba and Pillow raise MemoryError; OpenCV, libvips and the engines say it in words."""
    if isinstance(error, MemoryError):
        return True
    may_be_memory = isinstance(error, RuntimeError | OSError) or type(error).__module__.partition(".")[0] in _RAISERS
    return may_be_memory and _WORDS.search(str(error)) is not None


def _give_back_what_was_freed() -> None:
    """glibc keeps what was freed in the arenas of threads; another library may not know the call."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
