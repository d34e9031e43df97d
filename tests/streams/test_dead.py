"""The dead letters on real brokers: found, replayed once, discarded."""

import threading
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from random import Random
from uuid import uuid4

import pytest
from confluent_kafka import Producer

from schemas import topics
from schemas.envelope import as_mapping
from streams.commands.tables.dead import show_letters
from streams.consumer import letters
from streams.consumer.clients import AcknowledgedProducer, make_topics
from streams.consumer.letters import Delivery, Outgoing, RetryPolicy
from streams.consumer.reading import read
from streams.runtime.errors import Refused
from streams.runtime.settings import Settings
from streams.services.recovery import dead
from streams.services.recovery.dead import DeadLetter, Replayed, Wanted


def noise(size: int) -> bytes:
    return Random(size).randbytes(size)


NAMES = ("CATALOG", "COMPLETED", "DEAD", "LETTERS")


@pytest.fixture(params=["memory", "kafka"])
def settings(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings for a broker with topics that no other test writes to."""
    for name in NAMES:
        topic = topics.Topic(f"{topics.PREFIX}{name.lower()}-{uuid4().hex[:8]}", getattr(topics, name).records)
        monkeypatch.setattr(topics, name, topic)
        monkeypatch.setattr(topics, "_TOPIC_OF", topics._TOPIC_OF | dict.fromkeys(topic.records, topic))
        monkeypatch.setattr(topics, "_RECORDS_ON", topics._RECORDS_ON | {topic.name: topic.records})
    made = Settings(kafka_bootstrap_servers=request.getfixturevalue(f"{request.param}_bootstrap"))
    make_topics(made)
    return made


def die(
    settings: Settings, topic: str, sku: str, code: str = "bad", at_ms: int = 1000, seen_ms: int = 1, offset: int = 7
) -> None:
    """Lets a record of a product die."""
    write(settings, letter_of(topic, sku, code, at_ms, seen_ms, offset))


def letter_of(
    topic: str, sku: str, code: str = "bad", at_ms: int = 1000, seen_ms: int = 1, offset: int = 7
) -> Outgoing:
    headers = [("ce_id", f"id-{sku}".encode()), ("traceparent", b"00-aa-bb-01"), (letters.ATTEMPT, b"2")]
    record = Delivery(topic, 0, offset, f"demo|{sku}".encode(), f"bytes of {sku}".encode(), headers, seen_ms)
    return RetryPolicy(()).letter(record, Refused(code, f"no {sku}"), at_ms)


def write(settings: Settings, *records: Outgoing) -> None:
    producer = AcknowledgedProducer(settings)
    producer.send(records)
    producer.close()


def found(settings: Settings, **wanted: object) -> list[tuple[str, str]]:
    letters = dead.find(settings, Wanted(**wanted))  # type: ignore[arg-type]
    return [(letter.product[1], letter.state) for letter in letters]


def test_letters_are_found_by_what_they_tell(settings: Settings) -> None:
    catalog, completed = topics.CATALOG.name, topics.COMPLETED.name
    die(settings, catalog, "A", "unknown_channel", at_ms=1000, seen_ms=30)
    die(settings, completed, "B", "bad", at_ms=2000, seen_ms=20)
    die(settings, catalog, "C", "bad", at_ms=3000, seen_ms=10)
    assert found(settings) == [("C", "open"), ("B", "open"), ("A", "open")]
    assert found(settings, code="bad", topic=catalog.removeprefix("imagery.")) == [("C", "open")]
    assert found(settings, sku="B", tenant="demo") == [("B", "open")]
    assert found(settings, tenant="other") == []
    assert found(settings, event_id="id-A") == [("A", "open")]
    assert found(settings, since_ms=2000, until_ms=3000) == [("B", "open")]
    (letter,) = dead.find(settings, Wanted(sku="A"))
    assert found(settings, names=frozenset([letter.name])) == [("A", "open")]
    assert letter.origin_position == f"{catalog}/0/7"
    assert letter.record.value == b""  # of all that ever died there may be more than fits into memory
    assert [each.record.value for each in dead.find(settings, Wanted(sku="A"), whole=True)] == [b"bytes of A"]


def test_a_replay_sends_the_original_back_once_and_in_order(settings: Settings) -> None:
    catalog = topics.CATALOG.name
    die(settings, catalog, "A", at_ms=1000, seen_ms=50)
    die(settings, catalog, "A", at_ms=2000, seen_ms=40, offset=8)
    die(settings, catalog, "B", code="other")
    chosen = dead.replay(settings, Wanted(code="bad"), "ada").sent
    assert [letter.failed_at_ms for letter in chosen] == [2000, 1000]
    assert dead.replay(settings, Wanted(code="bad"), "ada") == Replayed([], [])
    back = list(read(settings, [catalog]))
    assert [(each.key, each.value, each.attempt) for each in back] == [(b"demo|A", b"bytes of A", 0)] * 2
    assert [as_mapping(each.headers)[letters.REPLAYED] for each in back] == [each.record.position for each in chosen]
    assert {as_mapping(each.headers)["traceparent"] for each in back} == {"00-aa-bb-01"}
    assert [each.event_id for each in back] == ["id-A", "id-A"]
    assert found(settings) == [("B", "open"), ("A", "replayed"), ("A", "replayed")]


@pytest.mark.parametrize("settings", ["memory", pytest.param("kafka", marks=pytest.mark.long)], indirect=True)
def test_a_letter_that_was_written_again_after_a_crash_is_one(settings: Settings) -> None:
    for at_ms in (1000, 2000):
        die(settings, topics.CATALOG.name, "A", at_ms=at_ms)
    assert found(settings) == [("A", "open")]
    assert len(dead.replay(settings, Wanted(), "ada").sent) == 1
    assert len(list(read(settings, [topics.CATALOG.name]))) == 1
    assert found(settings) == [("A", "replayed")]


def test_two_replays_at_once_send_everything_back_once(settings: Settings) -> None:
    write(settings, *(letter_of(topics.CATALOG.name, f"S-{number}") for number in range(20)))
    errors: list[Exception] = []

    def ask() -> None:
        try:
            dead.replay(settings, Wanted(), "ada")
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    dead.replay(settings, Wanted(), "ada")  # what a command that was locked out left undone
    assert all("not everything was resolved" in str(error) for error in errors)
    assert sorted(each.value for each in read(settings, [topics.CATALOG.name])) == sorted(
        f"bytes of S-{number}".encode() for number in range(20)
    )


@pytest.mark.parametrize("settings", ["memory", pytest.param("kafka", marks=pytest.mark.long)], indirect=True)
def test_a_discarded_letter_is_closed_with_its_reason_and_goes_nowhere(settings: Settings) -> None:
    die(settings, topics.CATALOG.name, "A")
    dead.discard(settings, Wanted(sku="A"), "ada", "sold out")
    (letter,) = dead.find(settings, Wanted())
    assert letter.resolved is not None
    assert (letter.state, letter.resolved.reason, letter.resolved.resolved_by) == ("discarded", "sold out", "ada")
    assert dead.replay(settings, Wanted(), "ada") == Replayed([], [])
    assert list(read(settings, [topics.CATALOG.name])) == []


@pytest.mark.parametrize("settings", ["memory", pytest.param("kafka", marks=pytest.mark.long)], indirect=True)
def test_what_cannot_go_back_is_said_and_keeps_nothing_else_from_going(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dead, "TRANSACTION_MAX", 3)
    catalog, digest = topics.CATALOG.name, b"0" * 64
    write(
        settings,
        letter_of(catalog, "A", seen_ms=1),
        Outgoing(topics.DEAD.name, b"demo|X", b"?", []),
        Outgoing(topics.DEAD.name, b"demo|Y", b"?", [(letters.ORIGIN_TOPIC, b"imagery.gone" * 999)]),
        replace(letter_of(catalog, "Z", seen_ms=2), headers=[(letters.ORIGIN_TOPIC, catalog.encode()),
                                                             (letters.ORIGINAL, digest)]),
        *(letter_of(catalog, f"B-{number}", seen_ms=3 + number) for number in range(9)),
    )  # fmt: skip
    replayed = dead.replay(settings, Wanted(), "ada")
    assert {(each.product[1], why.code) for each, why in replayed.left} == {
        ("X", "no_origin"), ("Y", "no_origin"), ("Z", "original_lost"),
    }  # fmt: skip
    assert [each.product[1] for each in replayed.sent] == ["A", *(f"B-{number}" for number in range(9))]
    assert sorted(each.value for each in read(settings, [catalog])) == sorted(
        f"bytes of {each.product[1]}".encode() for each in replayed.sent
    )
    assert {sku for sku, state in found(settings) if state == "open"} == {"X", "Y", "Z"}
    assert dead.replay(settings, Wanted(), "ada").sent == []


class Killed(BaseException):
    """As kill -9 between what is written and its commit: nobody aborts anything."""


@pytest.mark.parametrize("settings", ["memory", pytest.param("kafka", marks=pytest.mark.long)], indirect=True)
def test_what_a_killed_replay_had_not_committed_goes_back_once(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    die(settings, topics.CATALOG.name, "A", seen_ms=1)
    die(settings, topics.CATALOG.name, "B", seen_ms=2)
    held: list[Producer] = []

    def killed(producer: Producer, records: Sequence[Outgoing]) -> None:
        producer.begin_transaction()
        for record in records:
            producer.produce(record.topic, record.value, record.key, headers=list(record.headers))
        producer.flush(10)
        held.append(producer)
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(dead, "_write", killed)
        with pytest.raises(Killed):
            dead.replay(settings, Wanted(), "ada")
    assert [each.product[1] for each in dead.replay(settings, Wanted(), "ada").sent] == ["A", "B"]
    assert sorted(each.value for each in read(settings, [topics.CATALOG.name])) == [b"bytes of A", b"bytes of B"]
    assert found(settings) == [("A", "replayed"), ("B", "replayed")]


def test_no_more_of_letters_is_held_than_tells_of_them(settings: Settings) -> None:
    """However large they are, and whether it is their values, their keys or their headers that are."""
    headers = [("h", noise(200_000)), (letters.REPLAYED, b"x" * 50_000), ("ce_id", b"y" * 50_000)]
    record = Delivery(topics.CATALOG.name, 0, 0, noise(50_000), noise(400_000), headers, 1)
    for offset in range(20):
        write(settings, RetryPolicy(()).letter(replace(record, offset=offset), Refused("bad", "no"), 1000))
    held = dead.find(settings, Wanted())
    assert [(each.record.value, each.whole_bytes > 700_000) for each in held] == [(b"", True)] * 20
    assert max(_held_bytes(each) for each in held) < 8000
    assert [letter.record.event_id for letter in held] == [each.record.event_id for each in dead.every(settings)]
    assert len(dead.discard(settings, Wanted(), "ada", "too many")) == 20


def _held_bytes(letter: DeadLetter) -> int:
    return topics.size_bytes(letter.record.key, letter.record.value, letter.record.headers)


def test_a_letter_that_others_wrote_has_no_story() -> None:
    letter = DeadLetter(Delivery(topics.DEAD.name, 1, 2, None, b"?", [(letters.FAILED_AT, b"soon")], 77))
    assert (letter.name, letter.origin, letter.product, letter.failed_at_ms) == ("1/2", "", ("", ""), 77)


def test_a_letter_that_died_at_a_time_that_no_calendar_has_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    headers = [(letters.FAILED_AT, b"100000000000000000")]
    record = Delivery(topics.DEAD.name, 0, 7, b"demo|A", b"{}", headers)
    show_letters([DeadLetter(record)], as_json=False)
    assert "100000000000000000 ms" in capsys.readouterr().out


def test_a_letter_whose_record_is_gone_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    origin = [(letters.ORIGIN_TOPIC, topics.CATALOG.name.encode())]
    letter = DeadLetter(Delivery(topics.DEAD.name, 1, 2, b"demo|A", b"", origin, 77))
    monkeypatch.setattr(dead, "find", lambda *_: [letter])
    monkeypatch.setattr(dead, "at", lambda *_: iter([]))
    monkeypatch.setattr(dead, "_only_writer", lambda _: nullcontext())
    replayed = dead.replay(Settings(), Wanted(), "ada")
    assert replayed.sent == []
    assert [(each, why.code) for each, why in replayed.left] == [(letter, "letter_gone")]
