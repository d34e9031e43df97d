"""What the retrier looks at now and then beside its work, which is to wait; one process is enough for all tenants."""

import threading
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from streams.facts import Database
from streams.runtime.clock import now_ms
from streams.runtime.errors import Unavailable

log = structlog.get_logger()


@dataclass(frozen=True)
class Look:
    """Something to look at: `at` takes the facts and the Unix time in ms, and may raise Unavailable."""

    name: str
    every_s: float
    at: Callable[[Database, int], None]

    def until(self, stop: threading.Event, database: Database) -> None:
        """Looks at once and at intervals; what goes wrong is logged, and the next look may do better."""
        while not stop.is_set():
            try:
                self.at(database, now_ms())
            except Unavailable as error:
                log.warning("a look failed", at=self.name, reason=str(error))
            except Exception:
                log.exception("a look failed", at=self.name)
            stop.wait(self.every_s)

    def start(self, stop: threading.Event, database: Database) -> None:
        """Does so in a thread of its own."""
        threading.Thread(target=self.until, args=(stop, database), name=self.name, daemon=True).start()
