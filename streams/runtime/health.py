"""What a role says of itself to whoever watches it, as /livez, /readyz and /startupz of a cluster's probes.

It is live while its loops turn: what is away it waits for, and starting it again would mend nothing. It has started
when all that it works with is there: topics, tables, networks, plans, kernels. It is ready when it is a member of its
groups, and has not been told to stop.
"""

import os
import socket
import threading
import time
from collections.abc import Callable, Mapping

from streams.runtime.clock import Clock

STALLED_AFTER_S = 600.0
STARTING = "it has not started yet"
NOT_JOINED = "its groups have not said which partitions are its own"
STOPPING = "it was told to stop"

Turned = Callable[[], None]
"""To be called at each turn of a loop."""


class Health:
    """How one process is. Safe to use from several threads."""

    def __init__(self, stalled_after_s: float = STALLED_AFTER_S, clock: Clock = time) -> None:
        self._stalled_after_s = stalled_after_s
        self._clock = clock
        self._turns: dict[str, float] = {}
        self._needs: dict[str, Callable[[], bool]] = {}
        self._has_started = threading.Event()
        self.pages: dict[str, Callable[[], bytes]] = {}
        """What it says besides, as JSON, by path."""

    def loop(self, name: str) -> Turned:
        """What the loop of that name is to call at each turn; from now on it has to."""

        def turned() -> None:
            self._turns[name] = self._clock.monotonic()

        turned()
        return turned

    def need(self, what: str, holds: Callable[[], bool]) -> None:
        """It is ready only where `holds`; `what` is said where it does not."""
        self._needs = {**self._needs, what: holds}

    def say(self, path: str, page: Callable[[], bytes]) -> None:
        """Answers JSON at a path of its own from now on."""
        self.pages[path] = page

    def start(self) -> None:
        """All that it works with is there; tells whoever started this process, too."""
        self._has_started.set()
        tell_ready()

    def livez(self) -> list[str]:
        """The loops that turn no more; none of them in a role that has none, and answers."""
        now_s = self._clock.monotonic()
        ages = {name: now_s - turned_s for name, turned_s in dict(self._turns).items()}
        return [
            f"{name} did not turn for {age_s:.0f} s" for name, age_s in ages.items() if age_s > self._stalled_after_s
        ]

    def startupz(self) -> list[str]:
        """What is said until it has started."""
        return [] if self._has_started.is_set() else [STARTING]

    def readyz(self) -> list[str]:
        """What keeps it from work that is its own."""
        return self.startupz() or [said for what, holds in self._needs.items() if (said := _missing(what, holds))]

    @property
    def probes(self) -> Mapping[str, Callable[[], list[str]]]:
        """Each path with what is wrong there."""
        return {"/livez": self.livez, "/readyz": self.readyz, "/startupz": self.startupz}


def _missing(what: str, holds: Callable[[], bool]) -> str:
    """What is said of a need: nothing where it holds."""
    try:
        return "" if holds() else what
    except Exception as error:  # a probe is answered, whatever is broken
        return f"{what}: it cannot be told, {type(error).__name__}"


def tell_ready() -> None:
    """Tells whoever started this process that it is ready, by systemd's protocol (sd_notify); nobody may have asked."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if address:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.sendto(f"READY=1\nMAINPID={os.getpid()}".encode(), address.replace("@", "\0", 1))
