"""A store that stops its process just before it writes or removes an object: the worst moment to stand still."""

import os
import signal
from typing import Any

from streams.blobs import ObjectStore

CHANGING = frozenset({"put", "delete", "delete_prefix"})


class Stopping:
    """An ObjectStore that does as `inner` does. Once armed, its process stops before the next change but `spared`."""

    def __init__(self, inner: ObjectStore) -> None:
        self._inner = inner
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
        if name in CHANGING:
            self._stop_if_armed()
        return found

    def _stop_if_armed(self) -> None:
        if self._spared < 0:
            return
        self._spared -= 1
        if self._spared < 0:
            os.kill(os.getpid(), signal.SIGSTOP)
