"""A limit for calls that have none of their own, or forget it."""

import queue
import threading
from collections.abc import Callable
from typing import TypeVar, cast

T = TypeVar("T")


class Hangs(Exception):
    """A call did not come back in time; whether it did what it should is not known."""


def bounded(call: Callable[[], T], within_s: float) -> T:
    """What `call` returns. Raises Hangs, and leaves its thread to itself, where that takes too long."""
    answer: queue.SimpleQueue[tuple[T | None, BaseException | None]] = queue.SimpleQueue()

    def run() -> None:
        try:
            answer.put((call(), None))
        except BaseException as error:
            answer.put((None, error))

    threading.Thread(target=run, name="bounded", daemon=True).start()
    try:
        value, error = answer.get(timeout=within_s)
    except queue.Empty:
        raise Hangs(f"no answer within {within_s:.0f} s") from None
    if error is not None:
        raise error
    return cast(T, value)
