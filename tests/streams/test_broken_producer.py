"""A client that can never send again is replaced, and those who wait are told; one without a broker is patient."""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from streams.consumer import clients
from streams.consumer.clients import AcknowledgedProducer, NotAcknowledged, open_consumer
from streams.consumer.letters import Outgoing
from streams.runtime.settings import Settings

RECORD = Outgoing("imagery.reviews", b"k", b"v", [])
Reported = Callable[[KafkaError | None, object], None]


class Client:
    """As confluent_kafka.Producer where idempotence is refused: a fatal error is raised, once, by what serves it."""

    broken = 1  # so many of the next clients

    def __init__(self, config: dict[str, Any]) -> None:
        assert "error_cb" not in config  # it would never hear of it
        self._is_broken = Client.broken > 0
        Client.broken -= 1
        self._has_reported = False
        self._waiting: list[Reported] = []

    def produce(self, *_: object, on_delivery: Reported, **_more: object) -> None:
        self._waiting.append(on_delivery)

    def poll(self, _timeout: float) -> None:
        if not self._is_broken:
            self._report(None)
        elif self._waiting and not self._has_reported:
            self._has_reported = True
            raise KafkaException(KafkaError(KafkaError.CLUSTER_AUTHORIZATION_FAILED, "no", fatal=True))

    def purge(self) -> None:
        pass

    def flush(self, within_s: float) -> None:
        if self._is_broken and self._has_reported:
            self._report(KafkaError(KafkaError._FAIL))
        self.poll(within_s)

    def _report(self, error: KafkaError | None) -> None:
        while self._waiting:
            self._waiting.pop(0)(error, None)


@pytest.mark.parametrize("broken", [1, 2])
def test_who_waits_for_a_broken_producer_is_reported_and_another_takes_its_place(
    monkeypatch: pytest.MonkeyPatch, broken: int
) -> None:
    monkeypatch.setattr(clients, "Producer", Client)
    monkeypatch.setattr(Client, "broken", broken)
    producer = AcknowledgedProducer(Settings(kafka_bootstrap_servers="127.0.0.1:1"))
    for _ in range(broken):
        with pytest.raises(NotAcknowledged):
            producer.send([RECORD])
    producer.send([RECORD])
    producer.close()


TRIED_S = 5.0
TRIES_MAX = 40  # half the wait is 250 ms, less at random; at the client's own 100 ms it would be 100


def test_a_client_without_a_broker_does_not_try_without_a_pause() -> None:
    tries = 0
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        where = f"127.0.0.1:{server.getsockname()[1]}"
        consumer = open_consumer(Settings(kafka_bootstrap_servers=where), "test", log_level=0)
        threading.Timer(TRIED_S, stop.set).start()
        while not stop.is_set():
            with suppress(TimeoutError):
                server.accept()[0].close()
                tries += 1
    consumer.close()
    assert 0 < tries <= TRIES_MAX
