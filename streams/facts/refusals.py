"""Refusals: events that were answered with an error."""

from dataclasses import asdict, dataclass

from sqlalchemy import delete, select

from schemas.identity import content_id
from schemas.text import MESSAGE_MAX, printable
from streams.facts import tables as t
from streams.facts.repository import Repository


@dataclass(frozen=True)
class EventKey:
    """Which event is meant: an id is its source's own, as CloudEvents has it, and each product's events are apart.

    So nobody who takes an id that another has hides the other's refusal. `subject` is the record's key.
    """

    topic: str
    subject: str
    source: str
    event_id: str


@dataclass(frozen=True)
class Refusal:
    """An event that was answered with an error; its bytes lie in the dead letters. `position` is that of its record."""

    event: EventKey
    code: str
    field: str
    message: str
    position: str = ""


class Refusals(Repository):
    """The refusals as one transaction sees and changes them."""

    def put(self, refusal: Refusal) -> None:
        """Notes that an event was refused, and why. What others wrote of it is noted as far as it is fit to be."""
        reported = {name: _fit(name, getattr(refusal, name)) for name in ("code", "field", "message", "position")}
        self._upsert(t.refusals, {"refusal_id": _id(refusal.event)}, _noted(refusal.event) | reported)

    def drop(self, event: EventKey, position: str) -> None:
        """Notes that the record at `position` did what another one of the same event was refused."""
        columns = t.refusals.c
        where = (columns.refusal_id == _id(event), columns.position != _fit("position", position))
        self._connection.execute(delete(t.refusals).where(*where))

    def get(self, event: EventKey) -> Refusal | None:
        """Why this event was refused, or None."""
        row = self._first(select(t.refusals).where(t.refusals.c.refusal_id == _id(event)))
        if row is None:
            return None
        key = EventKey(row.topic, row.subject, row.source, row.event_id)
        return Refusal(key, row.code, row.field, row.message, row.position)


_LENGTHS = {
    column.name: column.type.length_max for column in t.refusals.columns if isinstance(column.type, t.Characters)
}


def _noted(event: EventKey) -> dict[str, str]:
    return {name: _fit(name, value) for name, value in asdict(event).items()}


def _id(event: EventKey) -> str:
    """All of it in one column: together they may be longer than a database has an index for."""
    return content_id("refusal", _noted(event))


def _fit(name: str, text: str) -> str:
    """What of a refusal is noted in the column `name`: others may have written it."""
    return printable(text, _LENGTHS[name] or MESSAGE_MAX)
