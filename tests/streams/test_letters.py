"""What a letter tells of its record, through retries, death and replay."""

import hashlib
import time
from dataclasses import replace

import msgspec
import pytest

from schemas import topics
from schemas.envelope import as_mapping
from schemas.records import CampaignRequested
from schemas.text import printable
from streams.consumer import letters
from streams.consumer.letters import Delivery, Outgoing, RetryPolicy, outgoing, replayed, returned
from streams.runtime.errors import Refused

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
    headers = as_mapping(again.headers)
    assert (again.topic, again.key, again.value) == ("imagery.tasks.cutout.urgent", b"t|s", b"\x00bytes")
    assert (headers["traceparent"], headers[letters.FIRST_SEEN]) == ("00-a-b-01", "5")
    assert headers[letters.REPLAYED] == letter.position
    assert letters.ATTEMPT not in headers
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
    assert [each.at_ms for each in record.history] == [0, *range(6, letters.HISTORY_MAX + 5)]
    assert len(as_mapping(record.headers)[letters.HISTORY]) < 10_000


@pytest.mark.parametrize("name", [letters.HISTORY, letters.ATTEMPT])
@pytest.mark.parametrize("noise", [b"\xff\xfe", b"-1", b"{}", b"", "²".encode()])
def test_headers_that_are_not_ours_crash_nothing(name: str, noise: bytes) -> None:
    foreign = Delivery("t", 0, 3, b"k", b"v", [(name, noise)])
    letter = POLICY.letter(foreign, Refused("bad", "no"), 1)
    (headers,) = msgspec.json.decode(as_mapping(letter.headers)[letters.HISTORY], type=list[letters.Failure])
    assert (headers.code, headers.attempt) == ("bad", 0)


class Kept:
    """Originals in memory; see streams.consumer.letters.Originals."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}

    def put(self, data: bytes) -> str:
        digest = hashlib.sha256(data).hexdigest()
        self.blobs[digest] = data
        return digest

    def get(self, digest: str) -> bytes:
        return self.blobs[digest]

    def address(self, digest: str) -> str:
        return f"memory:{digest}"


LARGE = [
    Delivery("imagery.catalog", 0, 1, b"t|s", b"x" * (8 * topics.MIB), [("ce_id", b"1"), ("long", b"h" * 5000)], 5),
    Delivery("imagery.catalog", 0, 1, b"k" * (8 * topics.MIB), b"v", [], 5),
    Delivery("imagery.catalog", 0, 1, b"t|s", b"v", [(f"h{n}", b"h" * 900) for n in range(9000)], 5),
    Delivery("imagery.catalog", 0, 1, None, b"v", [("h", b"h" * (8 * topics.MIB)), (letters.HISTORY, b"[]")], 5),
]


@pytest.mark.parametrize("record", LARGE, ids=["value", "key", "many headers", "one header"])
@pytest.mark.parametrize("refusal", [AWAY, Refused("bad", "\x00" * 9999, field="f" * 9999)], ids=["retry", "dead"])
def test_an_original_that_is_too_large_for_a_letter_lies_elsewhere_and_comes_back_whole(
    record: Delivery, refusal: Refused
) -> None:
    kept = Kept()
    letter = replace(POLICY, originals=kept).letter(record, refusal, 1000)
    assert letter.size_bytes < 100_000
    headers = as_mapping(letter.headers)
    assert int(headers[letters.ORIGINAL_BYTES]) == len(kept.blobs[headers[letters.ORIGINAL]])
    assert headers[letters.ORIGINAL_AT] == f"memory:{headers[letters.ORIGINAL]}"
    for back in (returned(read(letter, 3), kept), replayed(read(letter, 3), kept)):
        assert (back.topic, back.key, back.value) == (record.topic, record.key, record.value)
        theirs = [header for header in back.headers if header[0] not in letters.LETTER_HEADERS]
        assert theirs == [header for header in record.headers if header[0] not in letters.LETTER_HEADERS]
    assert read(returned(read(letter, 3), kept), 9).attempt == (1 if refusal.transient else 0)


def test_a_letter_whose_original_is_lost_is_refused_and_says_so() -> None:
    letter = replace(POLICY, originals=Kept()).letter(LARGE[0], AWAY, 1000)
    with pytest.raises(Refused) as refused:
        returned(read(letter, 3), Kept())
    assert refused.value.code == "original_lost"
    dead = POLICY.letter(read(letter, 3), refused.value, 2000)
    assert as_mapping(dead.headers)[letters.ORIGINAL] == as_mapping(letter.headers)[letters.ORIGINAL]


def test_without_a_place_for_originals_a_record_is_not_dropped_in_silence() -> None:
    with pytest.raises(ValueError, match="no place for originals"):
        POLICY.letter(LARGE[0], AWAY, 1000)


def test_a_foreign_record_cannot_name_another_original() -> None:
    foreign = Delivery("imagery.catalog", 0, 1, b"k", b"v", [(letters.ORIGINAL, b"0" * 64)], 5)
    assert returned(read(POLICY.letter(foreign, AWAY, 1000), 3)).value == b"v"


@pytest.mark.parametrize("text", ["\x00", "\ud800", "é", "𝄞", '"'])
def test_no_story_is_longer_than_a_topic_has_room_for(text: str) -> None:
    record = Delivery("imagery.catalog", 0, 2**62, b"k", b"v", [], 5)
    for at_ms in range(letters.HISTORY_MAX + 5):
        refusal = Refused(text * 9999, text * 9999, field=text * 9999)
        record = read(POLICY.letter(record, refusal, at_ms), at_ms)
    assert len(record.history) > 3
    size_bytes = topics.size_bytes(record.key, record.value, record.headers)
    assert size_bytes - topics.size_bytes(b"k", b"v", []) <= topics.STORY_BYTES


def test_an_original_at_its_topics_limit_goes_back_with_a_shorter_story() -> None:
    room = topics.CATALOG.max_bytes - topics.size_bytes(b"k", b"", [])
    limit = Delivery("imagery.catalog", 0, 1, b"k", b"x" * (room - 300), [], 5)
    record = limit
    for at_ms in range(5):
        long = Refused("source_unreachable", "no answer " * 200, transient=True)
        record = read(returned(read(RetryPolicy([100] * 9).letter(record, long, at_ms), 3)), 4)
    assert record.value == limit.value
    assert record.attempt == 5
    assert topics.size_bytes(record.key, record.value, record.headers) <= topics.CATALOG.max_bytes


def test_an_event_that_its_topic_has_no_room_for_is_refused_before_it_is_written() -> None:
    event = CampaignRequested(tenant="t", campaign="c", skus=[f"sku-{n:09}" for n in range(76_866)], channels=["web"])
    with pytest.raises(Refused) as refused:
        outgoing(event, "test")
    assert refused.value.code == "record_too_large"


@pytest.mark.parametrize("nested", [b"[" * 100_000, b'[{"a":' + b"[" * 100_000, b'[{"at_ms": -1}]', b"\xff"])
def test_a_history_that_is_none_of_ours_is_none(nested: bytes) -> None:
    assert Delivery("t", 0, 0, None, b"", [(letters.HISTORY, nested)]).history == []


@pytest.mark.parametrize("stated_ms", [-1, None, -(2**63), 2**62, 33_000_000_000_000])
def test_a_time_that_cannot_be_is_now(stated_ms: int | None) -> None:
    before_ms = time.time_ns() // 1_000_000
    assert before_ms <= letters.written_at_ms(stated_ms) <= time.time_ns() // 1_000_000


@pytest.mark.parametrize("stated_ms", [0, 1, 1_700_000_000_000])
def test_a_time_that_can_be_is_kept(stated_ms: int) -> None:
    assert letters.written_at_ms(stated_ms) == stated_ms


@pytest.mark.parametrize("hostile", [b"a\x00b", b"\xff\xfe", b"x" * 5000, "\u202e".encode(), b"\xed\xa0\xbd"])
def test_the_id_and_the_key_of_a_strangers_record_are_fit_to_be_noted(hostile: bytes) -> None:
    found = Delivery("t", 0, 0, hostile, b"", [("ce_id", hostile)])
    for text in (found.event_id, found.subject):
        assert text == printable(text, 256) != ""
