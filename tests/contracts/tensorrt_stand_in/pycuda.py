# ruff: noqa: ARG001, ARG002  (parameters and names are the published ones)
"""The rules that all three keep, and `pycuda.driver`."""

import itertools
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
Work = Callable[[], None]
Captured = tuple[Work, tuple[int, ...]]  # and the addresses that it uses

_addresses = itertools.count(0x1000, 0x1000)
_thread = threading.local()
_allocations: dict[int, "DeviceAllocation"] = {}
_streams: weakref.WeakValueDictionary[int, "Stream"] = weakref.WeakValueDictionary()
_pinned: weakref.WeakValueDictionary[int, Array] = weakref.WeakValueDictionary()


class RuleBroken(AssertionError):
    """The engine did what the real libraries punish."""


def need(condition: object, rule: str) -> None:
    if not condition:
        raise RuleBroken(rule)


def need_context() -> None:
    need(getattr(_thread, "contexts", []), "a CUDA call needs a current context on its thread")


def need_no_capture(call: str) -> None:
    need(not getattr(_thread, "captures", 0), f"{call} while this thread captures")


@contextmanager
def current_context() -> Iterator["Context"]:
    """For tests that use the stand-in without the engine: the primary context, current on this thread."""
    context = Device(0).retain_primary_context()
    context.push()
    try:
        yield context
    finally:
        Context.pop()
        context.detach()


class Error(Exception):
    pass


class MemoryError(Error):
    pass


class Context:
    def __init__(self) -> None:
        self._detached = False

    def push(self) -> None:
        need(not self._detached, "the context was detached")
        _thread.contexts = [*getattr(_thread, "contexts", []), self]

    @staticmethod
    def pop() -> None:
        need_context()
        _thread.contexts = _thread.contexts[:-1]

    def detach(self) -> None:
        need(self not in getattr(_thread, "contexts", []), "detached while current")
        need(not self._detached, "detached twice")
        self._detached = True


class Device:
    _memory_bytes = 1 << 26

    def __init__(self, ordinal: int) -> None:
        need(ordinal < Device.count(), "no such device")

    @staticmethod
    def count() -> int:
        return 1

    def retain_primary_context(self) -> Context:
        return Context()

    def make_context(self, flags: int = 0) -> None:
        raise RuleBroken("a context beside the primary one destroys torch's")

    def compute_capability(self) -> tuple[int, int]:
        return (9, 0)

    def name(self) -> str:
        return "stand-in"


class Stream:
    def __init__(self, flags: int = 0) -> None:
        need_context()
        need_no_capture("a new stream")
        self.handle = next(_addresses)
        self._work: list[Work] = []
        self._using: list[int] = []
        self._sources: list[Array] = []
        self._captured: list[Captured] | None = None
        _streams[self.handle] = self

    def synchronize(self) -> None:
        need_context()
        need_no_capture("synchronising")
        work, self._work, self._using = self._work, [], []
        for step in work:
            step()
        for source in self._sources:
            source.flags.writeable = True
        self._sources = []

    def _put(self, work: Work, *addresses: int) -> None:
        if self._captured is not None:
            self._captured.append((work, addresses))
            return
        self._work.append(work)
        self._using += addresses


class DeviceAllocation:
    def __init__(self, nbytes: int) -> None:
        need_context()
        need_no_capture("allocating")
        need(nbytes > 0, "an allocation of no bytes")
        if nbytes > mem_get_info()[0]:
            raise MemoryError("cuMemAlloc failed: out of memory")
        self._address = next(_addresses)
        self._memory = np.full(nbytes, 0xFF, np.uint8)  # NaN, as float16 and as float32
        _allocations[self._address] = self

    def __int__(self) -> int:
        return self._address

    def free(self) -> None:
        need_context()
        need_no_capture("freeing")
        need(self._address in _allocations, "freed twice")
        need(all(self._address not in stream._using for stream in list(_streams.values())), "freed while in use")
        del _allocations[self._address]


def init(flags: int = 0) -> None:
    pass


def get_driver_version() -> int:
    return 13000


def get_version() -> tuple[int, int, int]:
    return (13, 0, 0)


def mem_get_info() -> tuple[int, int]:
    need_context()
    used = sum(allocation._memory.nbytes for allocation in list(_allocations.values()))
    return max(Device._memory_bytes - used, 0), Device._memory_bytes


def mem_alloc(bytes: int) -> DeviceAllocation:
    return DeviceAllocation(bytes)


def pagelocked_empty(shape: tuple[int, ...], dtype: Any, order: str = "C", mem_flags: int = 0) -> Array:
    need_context()
    need_no_capture("pinning memory")
    array = np.full(shape, np.nan, dtype)
    _pinned[id(array)] = array
    return array


def memcpy_htod_async(dest: DeviceAllocation, src: Array, stream: Stream | None = None) -> None:
    stream, whole = _checked_copy(src, stream)
    memory = _memory_at(int(dest))

    def copy() -> None:
        memory[: src.nbytes] = src.reshape(-1).view(np.uint8)

    # Writing to it before the stream has synchronised fails.
    whole.flags.writeable = False
    stream._sources.append(whole)
    stream._put(copy, int(dest))


def memcpy_dtoh_async(dest: Array, src: DeviceAllocation, stream: Stream | None = None) -> None:
    stream, _ = _checked_copy(dest, stream)
    memory = _memory_at(int(src))

    def copy() -> None:
        dest.reshape(-1).view(np.uint8)[:] = memory[: dest.nbytes]

    dest[:] = np.nan
    stream._put(copy, int(src))


def _checked_copy(array: Array, stream: Stream | None) -> tuple[Stream, Array]:
    need_context()
    need(array.flags.c_contiguous, "copies need contiguous memory")
    whole = next((known for known in list(_pinned.values()) if np.may_share_memory(array, known)), None)
    if stream is None:
        raise RuleBroken("the default stream serialises everything")
    if whole is None:
        raise RuleBroken("asynchronous copies need pinned memory")
    return stream, whole


def _memory_at(address: int) -> Array:
    need(address in _allocations, "no device memory at this address: never allocated, or freed")
    return _allocations[address]._memory
