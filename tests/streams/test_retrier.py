"""The retrier outlives every letter, and none holds up those behind it for longer than its topic's delay."""

import itertools
import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from loadtest.benchmarks.message import Message
from schemas import topics
from schemas.envelope import Headers, as_mapping
from streams.consumer import letters
from streams.consumer import retrier as module
from streams.consumer.clients import NotAcknowledged, delivery
from streams.consumer.isolation import TRIES_MAX, Isolation, MemoryTrials
from streams.consumer.letters import ERROR_CODE, NOT_BEFORE, ORIGIN_TOPIC, Delivery, Originals, Outgoing
from streams.consumer.retrier import CLOCKS_DIFFER_MS, Retrier, _due_ms
from streams.runtime.errors import Unavailable

DELAY_MS = 1000
TOPIC = topics.retry(DELAY_MS).name
NOW_MS = 1_700_000_000_000
CREATE_TIME = 1
GOOD: Headers = [(ORIGIN_TOPIC, topics.REVIEWS.name.encode())]


class Broker:
    """Consumer and producer in one: gives out messages in order, and sets `stop` when they are at their end."""

    def __init__(self, *headers: Headers) -> None:
        self.messages = [_message(offset, each) for offset, each in enumerate(headers)]
        self.position = 0
        self.committed: list[int] = []
        self.sent: list[Outgoing] = []
        self.refused: set[str] = set()
        self.commit_error: KafkaError | None = None
        self.stop = threading.Event()

    def subscribe(self, _names: Sequence[str], **_callbacks: Any) -> None: ...

    def assignment(self) -> list[TopicPartition]:
        return [TopicPartition(TOPIC, 0)]

    def pause(self, _places: list[TopicPartition]) -> None: ...

    def resume(self, _places: list[TopicPartition]) -> None: ...

    def seek(self, place: TopicPartition) -> None:
        self.position = place.offset

    def poll(self, _timeout: float) -> Message | None:
        if self.position >= len(self.messages):
            self.stop.set()
            return None
        self.position += 1
        return self.messages[self.position - 1]

    def commit(self, message: Message, asynchronous: bool) -> None:
        assert not asynchronous
        if self.commit_error is not None:
            raise KafkaException(self.commit_error)
        self.committed.append(message.offset() or 0)

    def close(self) -> None: ...

    def send(self, records: Sequence[Outgoing]) -> None:
        for record in records:
            if record.topic in self.refused:
                raise NotAcknowledged("the broker is away")
            self.sent.append(record)


def _message(offset: int, headers: Headers) -> Message:
    about = {"topic": TOPIC, "partition": 0, "offset": offset, "key": b"demo|A", "value": b"value %d" % offset}
    return Message(**about, headers=list(headers), timestamp=(CREATE_TIME, NOW_MS))


def run(broker: Broker, trials: MemoryTrials | None = None) -> list[tuple[str, str]]:
    """Runs a retrier over all messages; topics and error codes of what it wrote."""
    isolation = Isolation("retrier", trials or MemoryTrials())
    Retrier(broker, broker, [DELAY_MS], isolation).run(broker.stop)  # type: ignore[arg-type]
    return [
        (each.topic.removeprefix(topics.PREFIX), as_mapping(each.headers).get(ERROR_CODE, "")) for each in broker.sent
    ]


@pytest.mark.parametrize(
    "odd",
    [
        [],
        [(ORIGIN_TOPIC, b"imagery.dead\xff")],
        [(ORIGIN_TOPIC, b"another's")],
        [(ORIGIN_TOPIC, b"")],
        [*GOOD, (ORIGIN_TOPIC, b"x" * 100_000)],
    ],
)
def test_a_letter_that_cannot_be_given_back_is_dead_and_the_next_one_is_given_back(odd: Headers) -> None:
    broker = Broker(odd, GOOD)
    assert run(broker) == [("dead", "no_origin"), ("reviews", "")]
    assert broker.committed == [0, 1]


def test_a_letter_that_the_retrier_breaks_on_is_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    returned = letters.returned

    def broken(letter: Delivery, originals: Originals | None) -> Outgoing:
        if letter.offset == 0:
            raise ZeroDivisionError("a bug")
        return returned(letter, originals)

    monkeypatch.setattr(module, "returned", broken)
    assert run(Broker(GOOD, GOOD)) == [("dead", "unexpected"), ("reviews", "")]


def test_a_letter_that_ended_the_process_too_often_is_not_tried() -> None:
    trials = MemoryTrials()
    for _ in range(TRIES_MAX):
        trials.attempt("retrier", (TOPIC, 0), 0)
    assert run(Broker(GOOD, GOOD), trials) == [("dead", "ended_the_process"), ("reviews", "")]


def test_while_the_database_is_away_letters_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AWAY_WAIT_MS", 0)

    class Away(MemoryTrials):
        requests = 0

        def start(self, role: str, place: tuple[str, int], offset: int) -> tuple[int, int]:
            self.requests += 1
            if self.requests < 3:
                raise Unavailable("the database does not answer")
            return super().start(role, place, offset)

    assert run(Broker(GOOD), Away()) == [("reviews", "")]


def test_without_an_acknowledgement_the_role_ends_and_commits_nothing() -> None:
    broker = Broker(GOOD)
    broker.refused = {topics.REVIEWS.name}
    with pytest.raises(NotAcknowledged):
        run(broker)
    assert broker.committed == []


def test_a_commit_that_is_refused_does_not_end_the_role() -> None:
    broker = Broker(GOOD, GOOD)
    broker.commit_error = KafkaError(KafkaError.ILLEGAL_GENERATION)
    assert run(broker) == [("reviews", ""), ("reviews", "")]


def test_a_letter_without_a_time_of_its_own_is_held_once(monkeypatch: pytest.MonkeyPatch) -> None:
    times_ms = itertools.count(NOW_MS, DELAY_MS + CLOCKS_DIFFER_MS)
    monkeypatch.setattr(module, "_now_ms", lambda: next(times_ms))
    monkeypatch.setattr(module, "delivery", lambda message: replace(delivery(message), timestamp_ms=next(times_ms)))
    assert run(Broker([*GOOD, (NOT_BEFORE, str(10**17).encode())], GOOD)) == [("reviews", ""), ("reviews", "")]


@pytest.mark.parametrize(
    ("not_before_ms", "written_ms", "due_in_ms"),
    [
        (NOW_MS + 500, NOW_MS - 10, 500),
        (NOW_MS - 500, NOW_MS - 10, -500),
        (10**17, NOW_MS, DELAY_MS * 1.2 + CLOCKS_DIFFER_MS),
        (10**17, NOW_MS - 60_000, DELAY_MS * 1.2 + CLOCKS_DIFFER_MS - 60_000),
        (10**17, NOW_MS + 1, DELAY_MS * 1.2 + CLOCKS_DIFFER_MS),
    ],
)
def test_no_letter_waits_for_longer_than_its_topic_says(not_before_ms: int, written_ms: int, due_in_ms: float) -> None:
    letter = Delivery(TOPIC, 0, 0, b"k", b"v", [(NOT_BEFORE, str(not_before_ms).encode())], written_ms)
    assert _due_ms(letter, NOW_MS) - NOW_MS == due_in_ms
