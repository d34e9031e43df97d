"""What must hold whatever is read: no role ends, nothing unforeseen breaks, and all that is written is sound."""

import sys
import traceback
from collections.abc import Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from typing import Any

import structlog

from schemas import codec, topics
from schemas.records import Event
from streams.consumer.letters import Delivery, Originals, Outgoing, event_in, replayed, returned
from streams.runtime.errors import Refused
from streams.services.recovery.dead import DeadLetter

LETTERS = (topics.DEAD.name, topics.RETRY_PREFIX)


class Broken(AssertionError):
    """A target does not do what it must."""


@contextmanager
def nothing_unforeseen() -> Iterator[None]:
    """Raises Broken when a role logs an exception that it caught: it was none that anybody foresaw."""
    found: list[str] = []

    def note(_logger: object, _method: str, fields: MutableMapping[str, Any]) -> Any:
        if fields.get("exc_info"):
            found.append(f"{fields['event']}\n{''.join(traceback.format_exception(*_exc_info(fields['exc_info'])))}")
        raise structlog.DropEvent

    before = structlog.get_config()
    structlog.configure(processors=[note], cache_logger_on_first_use=False)
    try:
        yield
    finally:
        structlog.configure(**before)
    if found:
        raise Broken(found[0])


def _exc_info(given: Any) -> tuple[Any, Any, Any]:
    return (type(given), given, given.__traceback__) if isinstance(given, BaseException) else sys.exc_info()


def is_letter(record: Outgoing) -> bool:
    """Whether a record is for the dead, or to be tried again."""
    return record.topic.startswith(LETTERS)


def sound(records: Sequence[Outgoing], originals: Originals | None = None) -> list[Event]:
    """The events among records that a role wrote. Raises Broken for one that no reader, or no topic, takes."""
    events = []
    for number, record in enumerate(records):
        topic = topics.find(record.topic)
        if topic is None or record.size_bytes > topic.max_bytes:
            raise Broken(f"{record.topic} takes no record of {record.size_bytes} bytes")
        read = Delivery(record.topic, 0, number, record.key, record.value, list(record.headers), 1)
        if is_letter(record):
            _sound_letter(read, originals)
        else:
            events.append(_event(read))
    return events


def _event(read: Delivery) -> Event:
    try:
        event = event_in(read)
    except Refused as refusal:
        raise Broken(f"written, and not to be read: {read.topic}: {refusal.code}: {refusal.message}") from refusal
    if codec.decode(codec.encode(event)) != event:
        raise Broken(f"not the same when it is written again: {event}")
    return event


def _sound_letter(read: Delivery, originals: Originals | None) -> None:
    letter = DeadLetter(read)
    if not letter.origin or not read.history:
        raise Broken(f"a letter that does not say where it came from, or why: {read.headers}")
    if "unexpected" in (letter.header("packshot-error-code"), letter.header("packshot-error-kind")):
        raise Broken(
            f"what nobody foresaw: {letter.header('packshot-error-message')}\n{letter.header('packshot-error-trace')}"
        )
    for back in (replayed, returned):
        try:
            back(read, originals)
        except Refused:  # it came from no topic of ours, or its original is lost
            continue


def answered(delivery: Delivery, records: Sequence[Outgoing]) -> list[Outgoing]:
    """The letters of a delivery. Raises Broken for one that is refused and has none, or not the bytes that it had."""
    letters = [
        each for each in records if is_letter(each) and DeadLetter(_read(each)).origin_position == delivery.position
    ]
    try:
        event_in(delivery)
    except Refused as refusal:
        if not letters:
            raise Broken(f"{delivery.position} is refused ({refusal.code}) and has no letter") from refusal
    for each in letters:
        if each.value and each.value != delivery.value:
            raise Broken(f"{delivery.position}: its letter has other bytes")
    return letters


def _read(record: Outgoing) -> Delivery:
    return Delivery(record.topic, 0, 0, record.key, record.value, list(record.headers))
