"""A store that stops its process just before it writes or removes an object: the worst moment to stand still."""

import signal
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from streams.blobs import ObjectStore

CHANGING = frozenset({"put", "delete", "delete_prefix"})


class Stopping:
    """An ObjectStore that does as `inner` does. Once armed, its process stops before the next change but `spared`.

    Changes are made one at a time: a thread that stood still in the middle of another one would keep that one's lock.
    """

    def __init__(self, inner: ObjectStore) -> None:
        self._inner = inner
        self._alone = threading.Lock()
        self._spared = -1

    def arm(self, spared: int = 0) -> None:
        """The process stops, once, until it is sent SIGCONT."""
        self._spared = spared

    def disarm(self) -> None:
        """The process does not stop."""
        self._spared = -1

    @property
    def is_armed(self) -> bool:
        """Whether the process has yet to stop."""
        return self._spared >= 0

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        return partial(self._change, found) if name in CHANGING else found

    def _change(self, change: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        with self._alone:
            self._stop_if_armed()
            return change(*arguments, **named)

    def _stop_if_armed(self) -> None:
        if self._spared < 0:
            return
        self._spared -= 1
        if self._spared < 0:
            # Sent to this thread, so that it goes no step further; another would take the process's time to stop.
            signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)
