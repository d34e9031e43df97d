"""The role's working side: a connector that has something to do gets a thread, and no other process works for it."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from uuid import uuid4

import structlog

from schemas.text import MESSAGE_MAX, printable
from streams.blobs import StoreError
from streams.connectors.base import kind
from streams.connectors.http import Client
from streams.connectors.showing import Showing
from streams.connectors.taking import Taking
from streams.connectors.working import LeaseLost, Work
from streams.facts.connector_records import Connector
from streams.facts.connectors import Connectors
from streams.runtime.clock import now_ms as now
from streams.runtime.errors import Refused, Unavailable
from streams.runtime.health import Turned
from streams.runtime.waiting import AWAY_WAIT_S

POLL_S = 0.5
AT_ONCE = 16  # connectors; they wait for shops most of the time
OF_TENANT = 4  # of these: shops that are slow, or endless, hold up their own tenant's others alone
HOOKS_KEPT_MS = 3 * 24 * 3600 * 1000  # longer than any shop tries a hook again
FORGET_EVERY_S = 3600.0

log = structlog.get_logger()


@dataclass(frozen=True)
class Runner:
    """Works for every connector; `networks` are private ones that shops may lie on."""

    connectors: Connectors
    taking: Taking
    showing: Showing
    networks: tuple[str, ...]
    s3_endpoint: str | None = None
    now_ms: Callable[[], int] = now

    def run(self, stop: threading.Event, turned: Turned = lambda: None) -> None:
        """Works until `stop` is set, then lets what is under way come to its next step; calls `turned` each turn."""
        forget_at_s, room = 0.0, _Room()
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="connector") as threads:
            while not stop.wait(POLL_S):
                turned()
                try:
                    self._begin(threads, room, stop)
                    if time.monotonic() >= forget_at_s:
                        forget_at_s = time.monotonic() + FORGET_EVERY_S
                        self.connectors.forget_hooks(self.now_ms() - HOOKS_KEPT_MS)
                except Unavailable as away:
                    log.warning("waiting", reason=str(away))
                    stop.wait(AWAY_WAIT_S)

    def turn(self, connector: Connector, holder: str, stop: threading.Event) -> None:
        """One connector's turn; whatever comes of it is noted. Raises Unavailable only of the database."""
        client = Client(self.networks)
        held = self._holding(connector, holder, stop)
        work = Work(self.connectors, self.taking, self.showing, self.now_ms, held)
        try:
            work.turn(kind(connector.kind)(connector, client, self.s3_endpoint))
        except LeaseLost:
            log.info("left to others", connector=connector.connector)
        except (Refused, Unavailable, StoreError) as error:
            work.failed(connector, str(error))
        except Exception as error:  # of nothing that is away: it is said, and the others go on
            log.exception("unexpected error", connector=connector.connector)
            work.failed(connector, printable(f"unexpected: {type(error).__name__}: {error}", MESSAGE_MAX))
        finally:
            client.close()
            self.connectors.release(connector.connector, holder)

    def _begin(self, threads: ThreadPoolExecutor, room: "_Room", stop: threading.Event) -> None:
        """Begins with those that have something to do, as far as there is room."""
        while room.left():
            holder = uuid4().hex  # of this turn alone: nobody renews another's lease
            found = self.connectors.take(holder, self.now_ms(), 1, room.full_tenants())
            if not found:
                return
            room.fill(found[0].tenant)
            threads.submit(self._one, found[0], holder, room, stop)

    def _one(self, connector: Connector, holder: str, room: "_Room", stop: threading.Event) -> None:
        try:
            self.turn(connector, holder, stop)
        except Unavailable as away:
            log.warning("left as it was", connector=connector.connector, reason=str(away))
        except Exception:
            log.exception("unexpected error", connector=connector.connector)
        finally:
            room.free(connector.tenant)

    def _holding(self, connector: Connector, holder: str, stop: threading.Event) -> Callable[[], bool]:
        def held() -> bool:
            return not stop.is_set() and self.connectors.hold(connector.connector, holder, self.now_ms())

        return held


class _Room:
    """Who is at work, by tenant. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tenants: Counter[str] = Counter()

    def left(self) -> bool:
        """Whether another connector may be worked for."""
        with self._lock:
            return self._tenants.total() < AT_ONCE

    def full_tenants(self) -> list[str]:
        """Tenants that may have no more."""
        with self._lock:
            return [tenant for tenant, count in self._tenants.items() if count >= OF_TENANT]

    def fill(self, tenant: str) -> None:
        """One more is at work."""
        with self._lock:
            self._tenants[tenant] += 1

    def free(self, tenant: str) -> None:
        """One less is."""
        with self._lock:
            self._tenants[tenant] -= 1
