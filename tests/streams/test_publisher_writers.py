"""The publisher: two of them, writers that hang or may not write, announcements that no topic takes."""

import os
import threading
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, Producer

from schemas import codec, topics
from schemas.codec import Codec
from schemas.envelope import as_mapping
from schemas.records import AssetPublished, PublicationFailed
from streams.consumer import reading
from streams.consumer.clients import producer_config
from streams.consumer.isolation import TRIES_MAX
from streams.consumer.letters import Outgoing, outgoing
from tests.streams.publisher_desk import SKUS, WITHIN_S, Desk, counted, once

pytestmark = pytest.mark.usefixtures("own_topics")


def test_two_publishers_share_the_work_and_double_nothing(each_desk: Desk) -> None:
    with each_desk.publisher() as first:
        each_desk.ask_for(*SKUS[:3])
        each_desk.announced(6)
        with each_desk.publisher() as second:
            each_desk.ask_for(*SKUS[3:])
            assert counted(each_desk.announced(2 * len(SKUS))) == once(*SKUS)
    assert (first.error, second.error) == (None, None)


@pytest.mark.parametrize("committed_first", [False, True])
def test_a_writer_that_hangs_is_replaced_and_everything_is_announced_once(
    kafka_desk: Desk, monkeypatch: pytest.MonkeyPatch, committed_first: bool
) -> None:
    hung, released = threading.Event(), threading.Event()

    class Hanging(Producer):
        """Its first transaction does not come back, with or without having been committed."""

        def commit_transaction(self, *arguments: Any) -> None:
            if hung.is_set():
                super().commit_transaction(*arguments)
                return
            hung.set()
            if committed_first:
                super().commit_transaction(*arguments)
            released.wait(WITHIN_S)

    monkeypatch.setattr("streams.publishing.transactions.Producer", Hanging)
    monkeypatch.setattr("streams.publishing.transactions.HANGS_AFTER_S", 3.0)
    kafka_desk.ask_for(*SKUS)
    with kafka_desk.publisher() as running:
        assert counted(kafka_desk.announced(2 * len(SKUS))) == once(*SKUS)
    released.set()
    assert hung.is_set()
    assert running.error is None


def test_a_writer_that_was_locked_out_is_replaced(kafka_desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    names: list[str] = []

    class Named(Producer):
        def __init__(self, config: dict[str, Any]) -> None:
            names.append(config["transactional.id"])
            super().__init__(config)

    monkeypatch.setattr("streams.publishing.transactions.Producer", Named)
    kafka_desk.ask_for(*SKUS[:3])
    with kafka_desk.publisher() as running:
        kafka_desk.announced(6)
        rival = Producer(producer_config(kafka_desk.settings) | {"transactional.id": names[0]})
        rival.init_transactions(30)
        kafka_desk.ask_for(*SKUS[3:])
        assert counted(kafka_desk.announced(2 * len(SKUS))) == once(*SKUS)
    assert running.error is None
    assert len(names) > 1


def test_a_writer_that_may_not_write_at_all_ends(kafka_desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    class Fatal(Producer):
        def begin_transaction(self) -> None:
            raise KafkaException(KafkaError(KafkaError._FATAL, "planted", fatal=True))

    monkeypatch.setattr("streams.publishing.transactions.Producer", Fatal)
    kafka_desk.ask_for("mug-0")
    with kafka_desk.publisher() as running:
        running.wait_for_end()
    assert isinstance(running.error, KafkaException)


def test_an_announcement_that_no_topic_takes_is_a_letter_and_the_others_are_made(
    kafka_desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unchecked(event: Any, source: str, codec: Codec) -> Outgoing:
        if event.sku == "B" and isinstance(event, AssetPublished):
            return Outgoing(topics.PUBLISHED.name, b"acme|B", os.urandom(3_000_000), [])
        return outgoing(event, source, codec=codec)

    monkeypatch.setattr("streams.publishing.publisher.outgoing", unchecked)
    kafka_desk.ask_for("A", "B", "C")
    with kafka_desk.publisher() as running:
        [dead] = kafka_desk.read(topics.DEAD, 1)
        assert counted(kafka_desk.announced(4)) == once("A", "C")
        [failed] = [codec.decode(record.value) for record in kafka_desk.read(topics.COMPLETED, 1)]
    assert running.error is None
    assert (dead.key, as_mapping(dead.headers)["packshot-error-code"]) == (b"acme|B", "record_too_large")
    assert isinstance(failed, PublicationFailed)
    assert (failed.sku, failed.code) == ("B", "record_too_large")


def test_a_request_that_ended_the_process_too_often_is_dead_and_the_others_are_published(desk: Desk) -> None:
    desk.ask_for("A", "B", "C")
    [where] = [each for each in reading.read(desk.settings, [topics.PUBLISH.name]) if each.key == b"acme|B"]
    for _ in range(TRIES_MAX):
        desk.trials.attempt("publisher", (where.topic, where.partition), where.offset)
    with desk.publisher():
        [dead] = desk.read(topics.DEAD, 1)
        published = {event.sku for event in desk.announced(4) if isinstance(event, AssetPublished)}
    assert (dead.key, as_mapping(dead.headers)["packshot-error-code"]) == (b"acme|B", "ended_the_process")
    [failed] = [codec.decode(record.value) for record in desk.read(topics.COMPLETED, 1)]
    assert isinstance(failed, PublicationFailed)
    assert (failed.sku, failed.code) == ("B", "ended_the_process")
    assert published == {"A", "C"}
