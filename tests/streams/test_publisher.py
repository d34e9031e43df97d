"""The publisher on real brokers: what a reader of committed records sees, whatever happens in between."""

import threading
from collections.abc import Sequence
from typing import Any, cast

import pytest
from confluent_kafka import KafkaError, KafkaException, Producer
from msgspec.structs import replace

from schemas import codec, topics
from schemas.envelope import as_mapping
from schemas.records import PublicationFailed, PublishRequested
from streams.blobs import StoreError, StoreRefused
from streams.consumer.letters import Outgoing, outgoing
from streams.consumer.poison import ERROR_TRACE
from streams.publishing.publication import Announcement, Publication, Request
from streams.publishing.renditions import Encoded
from streams.publishing.transactions import Transactions
from streams.runtime.errors import Unavailable
from tests.streams.publisher_desk import SKUS, WITHIN_S, Crash, Desk, counted, once

pytestmark = pytest.mark.usefixtures("own_topics")


def test_requests_become_announcements_and_bad_ones_dead_letters(each_desk: Desk) -> None:
    request = each_desk.request("lost")
    lost = outgoing(replace(request, file=replace(request.file, digest="0" * 64)), "test")
    garbage = Outgoing(topics.PUBLISH.name, b"acme|junk", b"\x07 no record", [("mine", b"kept")])
    traced = outgoing(each_desk.request("mug-0"), "test")
    parent = ("traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    each_desk.send(garbage, lost, Outgoing(traced.topic, traced.key, traced.value, [*traced.headers, parent]))
    with each_desk.publisher() as running:
        published = each_desk.read(topics.PUBLISHED, 2)
        letters = each_desk.read(topics.DEAD, 2)
        [failed] = [codec.decode(record.value) for record in each_desk.read(topics.COMPLETED, 1)]
    assert isinstance(failed, PublicationFailed)
    assert (failed.sku, failed.asset, failed.code) == ("lost", request.asset, "blob_missing")
    assert running.error is None
    assert counted([codec.decode(record.value) for record in published]) == once("mug-0")
    for record in published:
        headers = as_mapping(record.headers)
        assert record.key == b"acme|mug-0"
        assert headers["traceparent"].startswith("00-0af7651916cd43dd8448eb211c80319c-")
        assert headers["ce_source"] == "packshot/publisher"
    dead = {as_mapping(letter.headers)["packshot-error-code"]: letter for letter in letters}
    assert set(dead) == {"not_framed", "blob_missing"}
    letter = dead["not_framed"]
    assert (letter.key, letter.value) == (garbage.key, garbage.value)
    letter_headers = as_mapping(letter.headers)
    assert (letter_headers["mine"], letter_headers["packshot-origin-topic"]) == ("kept", topics.PUBLISH.name)
    assert {"packshot-origin-partition", "packshot-origin-offset", "packshot-error-message"} <= set(letter_headers)


class Broken:
    """A publication that breaks on some products, as often as it is told to."""

    def __init__(self, desk: Desk, error: Exception, *, times: int, when_preparing: bool = False) -> None:
        self.left = times
        self._error = error
        self._real = desk.publication
        self._when_preparing = when_preparing

    def prepare(self, event: PublishRequested, position: str, requested_at_ms: int = 0) -> list[Encoded] | None:
        if self._when_preparing:
            self._break(event)
        return self._real.prepare(event, position, requested_at_ms)

    def apply(self, event: Request, *arguments: Any) -> list[Announcement]:
        self._break(event)
        return self._real.apply(event, *arguments)

    def _break(self, event: Request) -> None:
        if event.sku.startswith("bad") and self.left:
            self.left -= 1
            raise self._error


@pytest.mark.parametrize("error", [ZeroDivisionError("a bug"), MemoryError("of the picture"), StoreError("odd answer")])
def test_an_error_that_nobody_foresaw_is_a_dead_letter_and_the_publisher_goes_on(desk: Desk, error: Exception) -> None:
    desk.publication = cast(Publication, Broken(desk, error, times=1000, when_preparing=True))
    desk.ask_for("mug-0", "bad-1", "mug-2")
    with desk.publisher() as running:
        assert counted(desk.announced(4)) == once("mug-0", "mug-2")
        [letter] = desk.read(topics.DEAD, 1)
        [failed] = [codec.decode(record.value) for record in desk.read(topics.COMPLETED, 1)]
    assert running.error is None
    headers = as_mapping(letter.headers)
    assert (headers["packshot-error-kind"], headers["packshot-error-code"]) == ("poison", "unexpected")
    assert f"{type(error).__name__}: {error}" in headers["packshot-error-message"]
    assert "in _break" in headers[ERROR_TRACE]
    assert isinstance(failed, PublicationFailed)
    assert (failed.sku, failed.asset, failed.code) == ("bad-1", "web-1", "unexpected")


def test_an_error_that_does_not_come_again_costs_nothing(desk: Desk) -> None:
    desk.publication = cast(Publication, Broken(desk, ZeroDivisionError("once"), times=2, when_preparing=True))
    desk.ask_for("bad-1")
    with desk.publisher() as running:
        assert counted(desk.announced(2)) == once("bad-1")
    assert running.error is None


def test_a_store_that_refuses_everybody_is_waited_for(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys that have expired are no fault of the requests: none of them is to die of it."""
    monkeypatch.setattr("streams.runtime.waiting.AWAY_WAIT_S", 0.05)
    desk.publication = cast(Publication, Broken(desk, StoreRefused("the keys have expired"), times=5))
    desk.ask_for("bad-1", "mug-2")
    with desk.publisher() as running:
        assert counted(desk.announced(4)) == once("bad-1", "mug-2")
    assert running.error is None


def test_what_was_committed_is_not_done_again(desk: Desk) -> None:
    desk.ask_for("mug-0")
    with desk.publisher():
        desk.announced(2)
    desk.ask_for("mug-1")
    with desk.publisher():
        assert counted(desk.announced(4)) == once("mug-0", "mug-1")


def test_killed_before_the_transaction_everything_is_announced_once(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.ask_for(*SKUS)

    def killed(*_: object) -> None:
        raise Crash

    with monkeypatch.context() as patch, desk.publisher() as running:
        patch.setattr(Transactions, "write", killed)
        running.wait_for_crash()
    assert any(key.endswith("manifest.json") for key in desk.origin.keys("acme/"))
    with desk.publisher():
        assert counted(desk.announced(2 * len(SKUS))) == once(*SKUS)


def test_killed_inside_the_transaction_everything_is_announced_once(
    kafka_desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    kafka_desk.ask_for(*SKUS)

    def killed(self: Transactions, records: Sequence[Outgoing], *_: object) -> None:
        self._producer.begin_transaction()
        for record in records:
            self._producer.produce(record.topic, record.value, record.key)
        self._producer.flush(30)
        raise Crash

    with monkeypatch.context() as patch, kafka_desk.publisher() as running:
        patch.setattr(Transactions, "write", killed)
        running.wait_for_crash()
    with kafka_desk.publisher():
        assert counted(kafka_desk.announced(2 * len(SKUS))) == once(*SKUS)


def test_an_aborted_transaction_is_done_again(kafka_desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    kafka_desk.ask_for(*SKUS)
    aborted = threading.Event()

    class Aborting(Producer):
        """Its first transaction cannot be committed."""

        def send_offsets_to_transaction(self, *arguments: Any) -> None:
            if aborted.is_set():
                super().send_offsets_to_transaction(*arguments)
            else:
                aborted.set()
                raise KafkaException(KafkaError(KafkaError.ILLEGAL_GENERATION, "planted", txn_requires_abort=True))

    monkeypatch.setattr("streams.publishing.transactions.Producer", Aborting)
    with kafka_desk.publisher() as running:
        assert counted(kafka_desk.announced(2 * len(SKUS))) == once(*SKUS)
    assert aborted.is_set()
    assert running.error is None


def test_a_store_that_is_away_is_waited_for(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.ask_for(*SKUS)
    monkeypatch.setattr("streams.runtime.waiting.AWAY_WAIT_S", 0.05)
    tries = 0
    real = desk.publication.apply

    def away_at_first(
        event: Request, position: str, prepared: list[Encoded] | None, requested_at_ms: int
    ) -> list[Announcement]:
        nonlocal tries
        tries += 1
        if 1 < tries < 6:
            raise Unavailable("the origin is away")
        return real(event, position, prepared, requested_at_ms)

    monkeypatch.setattr(desk.publication, "apply", away_at_first)
    with desk.publisher() as running:
        assert counted(desk.announced(2 * len(SKUS))) == once(*SKUS)
    assert running.error is None
    assert tries >= len(SKUS) + 4


def test_stopped_while_a_store_is_away_it_stops_and_nothing_is_lost(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.ask_for(*SKUS)
    waiting = threading.Event()

    def away(*_: object) -> list[Announcement]:
        waiting.set()
        raise Unavailable("the origin is away")

    with monkeypatch.context() as patch, desk.publisher() as running:
        patch.setattr(desk.publication, "apply", away)
        assert waiting.wait(WITHIN_S)
    assert running.error is None
    with desk.publisher():
        assert counted(desk.announced(2 * len(SKUS))) == once(*SKUS)
