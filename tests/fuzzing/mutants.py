"""Bugs planted where hostile records go: the fuzzer has to find every one, within a few courses."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from unittest.mock import patch

from schemas import codec, topics
from schemas.envelope import as_mapping
from schemas.records import EVENTS, Event
from streams.consumer import letters, retrier
from streams.consumer.letters import Delivery, Originals, Outgoing
from streams.consumer.offsets import OffsetTracker
from streams.facts import Facts
from streams.flow.processing import Answered, Processing
from streams.publishing import publisher
from tests.fuzzing.oracle import is_letter


@contextmanager
def the_decoder_lets_errors_through() -> Iterator[None]:
    """Of what Avro makes of broken bytes only some is told as a WireError."""
    with patch.object(codec, "_READ_ERRORS", (ValueError,)):
        yield


@contextmanager
def any_record_is_read_on_any_topic() -> Iterator[None]:
    """Nobody looks whether a record belongs where it stands."""
    with patch.object(topics, "_RECORDS_ON", dict.fromkeys(topics._RECORDS_ON, EVENTS)):
        yield


@contextmanager
def a_refused_record_vanishes() -> Iterator[None]:
    """What the streams role refuses has no letter."""
    answer = Processing._answer

    def silent(self: Processing, delivery: Delivery, facts: Facts) -> Answered:
        answers = answer(self, delivery, facts)
        return replace(answers, records=[record for record in answers.records if not is_letter(record)])

    with patch.object(Processing, "_answer", silent):
        yield


@contextmanager
def a_letter_without_an_origin_breaks_the_retrier() -> Iterator[None]:
    """Where a letter came from is taken for granted."""

    def trusting(letter: Delivery, originals: Originals | None = None) -> Outgoing:
        assert as_mapping(letter.headers)[letters.ORIGIN_TOPIC] is not None
        return letters.returned(letter, originals)

    with patch.object(retrier, "returned", trusting):
        yield


@contextmanager
def a_position_stands() -> Iterator[None]:
    """What has ended is not noted, so that nothing behind it is committed."""
    with patch.object(OffsetTracker, "finish", lambda *_: None):
        yield


@contextmanager
def the_publisher_trusts_its_topic() -> Iterator[None]:
    """What is on the publisher's topic is taken for a request."""

    def trusting(_publisher: publisher.Publisher, read: Delivery) -> Event:
        return codec.decode(read.value)

    with patch.object(publisher.Publisher, "_request_in", trusting):
        yield


MUTANTS: Mapping[str, tuple[str, Callable[[], AbstractContextManager[None]]]] = {
    mutant.__name__: (target, mutant)
    for target, mutant in (
        ("decoder", the_decoder_lets_errors_through),
        ("decoder", any_record_is_read_on_any_topic),
        ("streams", a_refused_record_vanishes),
        ("retrier", a_letter_without_an_origin_breaks_the_retrier),
        ("worker", a_position_stands),
        ("publisher", the_publisher_trusts_its_topic),
    )
}
"""Each with the target that has to find it."""
