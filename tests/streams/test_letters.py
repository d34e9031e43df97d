"""What a letter tells of its record, through retries, death and replay."""

import time

import msgspec
import pytest

from schemas.envelope import as_mapping
from schemas.text import printable
from streams.consumer import letters
from streams.consumer.letters import Delivery, Outgoing, RetryPolicy, replayed, returned
from streams.errors import Refused

POLICY = RetryPolicy([100], random_share=lambda: 0.0)
AWAY = Refused("source_unreachable", "no answer", field="sources", transient=True)


def read(record: Outgoing, offset: int) -> Delivery:
    return Delivery(record.topic, 0, offset, record.key, record.value, record.headers, 5)


def dead_letter() -> Delivery:
    """The letter of a record that was tried twice, as it is read from the dead letters."""
    first = Delivery("imagery.tasks.cutout.urgent", 2, 7, b"t|s", b"\x00bytes", [("traceparent", b"00-a-b-01")], 5)
    again = returned(read(POLICY.letter(first, AWAY, 1000), 3))
    return read(POLICY.letter(read(again, 9), AWAY, 2000), 11)


def test_a_letter_carries_the_story_of_every_try() -> None:
    tries = [(each.at_ms, each.position, each.attempt, each.kind, each.code) for each in dead_letter().history]
    assert tries == [
        (1000, "imagery.tasks.cutout.urgent/2/7", 0, "transient", "source_unreachable"),
        (2000, "imagery.tasks.cutout.urgent/0/9", 1, "transient", "source_unreachable"),
    ]


def test_a_replayed_letter_is_the_original_record_with_its_tries_to_come_and_its_story_kept() -> None:
    letter = dead_letter()
    again = replayed(letter)
    told = as_mapping(again.headers)
    assert (again.topic, again.key, again.value) == ("imagery.tasks.cutout.urgent", b"t|s", b"\x00bytes")
    assert (told["traceparent"], told[letters.FIRST_SEEN]) == ("00-a-b-01", "5")
    assert told[letters.REPLAYED] == letter.position
    assert letters.ATTEMPT not in told
    assert read(again, 20).history == letter.history
    assert read(again, 20).attempt == 0


def test_a_replayed_record_that_dies_again_tells_of_both_lives() -> None:
    alive = read(replayed(dead_letter()), 20)
    dead = read(POLICY.letter(alive, Refused("no_subject", "empty"), 3000), 30)
    assert [each.code for each in dead.history] == ["source_unreachable", "source_unreachable", "no_subject"]
    assert as_mapping(replayed(dead).headers)[letters.REPLAYED] == dead.position


def test_the_history_stays_bounded() -> None:
    record = Delivery("t", 0, 0, None, b"")
    for offset in range(letters.HISTORY_MAX + 5):
        refusal = Refused("bad", "x" * 10_000)
        record = read(Outgoing("t", None, b"", POLICY.letter(record, refusal, offset).headers), offset)
    assert [each.at_ms for each in record.history] == list(range(5, letters.HISTORY_MAX + 5))
    assert len(as_mapping(record.headers)[letters.HISTORY]) < 10_000


@pytest.mark.parametrize("name", [letters.HISTORY, letters.ATTEMPT])
@pytest.mark.parametrize("noise", [b"\xff\xfe", b"-1", b"{}", b"", "²".encode()])
def test_headers_that_are_not_ours_crash_nothing(name: str, noise: bytes) -> None:
    foreign = Delivery("t", 0, 3, b"k", b"v", [(name, noise)])
    letter = POLICY.letter(foreign, Refused("bad", "no"), 1)
    (told,) = msgspec.json.decode(as_mapping(letter.headers)[letters.HISTORY], type=list[letters.Failure])
    assert (told.code, told.attempt) == ("bad", 0)


@pytest.mark.parametrize("nested", [b"[" * 100_000, b'[{"a":' + b"[" * 100_000, b'[{"at_ms": -1}]', b"\xff"])
def test_a_history_that_is_none_of_ours_is_none(nested: bytes) -> None:
    assert Delivery("t", 0, 0, None, b"", [(letters.HISTORY, nested)]).history == []


@pytest.mark.parametrize("told_ms", [-1, None, -(2**63), 2**62, 33_000_000_000_000])
def test_a_time_that_cannot_be_is_now(told_ms: int | None) -> None:
    before_ms = time.time_ns() // 1_000_000
    assert before_ms <= letters.written_at_ms(told_ms) <= time.time_ns() // 1_000_000


@pytest.mark.parametrize("told_ms", [0, 1, 1_700_000_000_000])
def test_a_time_that_can_be_is_told(told_ms: int) -> None:
    assert letters.written_at_ms(told_ms) == told_ms


@pytest.mark.parametrize("nasty", [b"a\x00b", b"\xff\xfe", b"x" * 5000, "\u202e".encode(), b"\xed\xa0\xbd"])
def test_the_id_and_the_key_of_a_strangers_record_are_fit_to_be_noted(nasty: bytes) -> None:
    found = Delivery("t", 0, 0, nasty, b"", [("ce_id", nasty)])
    for text in (found.event_id, found.subject):
        assert text == printable(text, 256) != ""
