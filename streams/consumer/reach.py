"""Clients that have lost the brokers for good, seen by new ones that reach them.

librdkafka drops the brokers that an answer does not name. One broker by itself that stood for longer than its session
is fenced, and names none for an instant: a client may then ask nobody ever again, without a word
(confluentinc/librdkafka#5301, #5511). It is no member of its group any more, so nobody misses what it does not read.
"""

import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import structlog
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from streams.consumer.bounded import Hangs, bounded
from streams.consumer.clients import client_config
from streams.consumer.watchdog import Stalled, Watchdog
from streams.runtime.clock import Clock
from streams.runtime.exits import Exit
from streams.runtime.settings import Settings

CALL_S = 2.0
LOOK_EVERY_S = 5.0
# A client tries to connect every 2 s at least (`reconnect.backoff.max.ms`). A look takes 13 s at most, which has to
# stay below a half of this: the watchdog counts no longer gaps.
LOST_AFTER_S = 60.0

log = structlog.get_logger()


class Client(Protocol):
    """What is used of any client of confluent_kafka."""

    def list_topics(self, *, timeout: float) -> object: ...


class Reach:
    """Looks on from time to time whether some clients reach a broker where a new one does."""

    def __init__(self, clients: Sequence[Client], new_client: Callable[[], Client], clock: Clock = time) -> None:
        self._clients = clients
        self._new_client = new_client
        self._watchdog = Watchdog(LOST_AFTER_S, clock)

    def look(self) -> None:
        """Raises Stalled for a client that has reached none for too long, though there is one."""
        with ThreadPoolExecutor(len(self._clients) or 1) as each_at_once:
            reached = list(each_at_once.map(_reaches, self._clients))
        lost = [number for number, reaches in enumerate(reached) if not reaches]
        if lost and not _reaches(self._new_client()):
            lost = []
        self._watchdog.look({f"client {number}": "no broker" for number in lost})


def watch(settings: Settings, clients: Sequence[Client]) -> None:
    """Ends this process where one of its clients is lost, by a thread; to be started again with others."""
    reach = Reach(clients, lambda: AdminClient(client_config(settings)))
    threading.Thread(target=_watch, args=(reach,), name="reach", daemon=True).start()


def _watch(reach: Reach) -> None:
    while True:
        time.sleep(LOOK_EVERY_S)
        try:
            reach.look()
        except Stalled as stalled:
            log.error("a client has lost the brokers for good; leaving without a commit", reason=str(stalled))
            os._exit(Exit.STUCK)
        except Exception:
            log.exception("reach not known")


def _reaches(client: Client) -> bool:
    try:
        bounded(lambda: client.list_topics(timeout=CALL_S), 2 * CALL_S)
        return True
    except (Hangs, KafkaException):
        return False
    except RuntimeError:  # it is closed: its role is about to end
        return True
