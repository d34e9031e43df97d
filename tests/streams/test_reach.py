"""A client that has lost the brokers for good is told from brokers that are away, on virtual time."""

import threading

import pytest
from confluent_kafka import KafkaError, KafkaException

from streams.consumer import reach
from streams.consumer.reach import LOOK_EVERY_S, LOST_AFTER_S, Reach
from streams.consumer.watchdog import Stalled
from tests.simulation.clock import VirtualClock


class Client:
    """Reaches a broker or not; `hangs` is waited for where it does neither."""

    def __init__(self, *, reaches: bool, hangs: threading.Event | None = None) -> None:
        self.reaches = reaches
        self._hangs = hangs

    def list_topics(self, *, timeout: float) -> object:
        assert timeout
        if self._hangs is not None:
            self._hangs.wait()
        if not self.reaches:
            raise KafkaException(KafkaError(KafkaError._TRANSPORT))
        return {}


class Closed:
    """As a consumer of confluent_kafka that was closed."""

    def list_topics(self, *, timeout: float) -> object:
        raise RuntimeError(f"Handle has been closed, asked for {timeout} s")


def look(clients: list[Client | Closed], fresh: Client | Closed, seconds: float = 2 * LOST_AFTER_S) -> None:
    clock = VirtualClock()
    seen = Reach(clients, lambda: fresh, clock)
    for _ in range(int(seconds / LOOK_EVERY_S)):
        seen.look()
        clock.sleep(LOOK_EVERY_S)


def test_a_client_that_reaches_no_broker_where_another_does_is_lost() -> None:
    with pytest.raises(Stalled, match="client 1 stood"):
        look([Client(reaches=True), Client(reaches=False)], Client(reaches=True))


def test_a_client_that_hangs_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reach, "CALL_S", 0.01)
    released = threading.Event()
    with pytest.raises(Stalled, match="client 0 stood"):
        look([Client(reaches=True, hangs=released)], Closed())
    released.set()


def test_brokers_that_are_away_are_waited_for() -> None:
    look([Client(reaches=False)], Client(reaches=False))


def test_a_client_that_is_only_late_has_the_whole_time() -> None:
    look([Client(reaches=False)], Client(reaches=True), LOST_AFTER_S - LOOK_EVERY_S)


def test_a_client_that_was_closed_is_not_missed() -> None:
    look([Closed()], Client(reaches=True))
