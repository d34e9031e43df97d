"""Refusals: events that were answered with an error."""

from dataclasses import dataclass

from sqlalchemy import delete, select

from schemas.text import MESSAGE_MAX, printable
from streams.facts import tables as t
from streams.facts.repository import Repository


@dataclass(frozen=True)
class Refusal:
    """An event that was answered with an error; its bytes lie in the dead letters. `position` is that of its record."""

    event_id: str
    topic: str
    subject: str
    code: str
    field: str
    message: str
    position: str = ""


class Refusals(Repository):
    """The refusals as one transaction sees and changes them."""

    def put(self, refusal: Refusal) -> None:
        """Notes that an event was refused, and why. What others wrote of it is noted as far as it is fit to be."""
        noted = {name: _fit(name, getattr(refusal, name)) for name in _LENGTHS}
        self._upsert(t.refusals, {"event_id": noted.pop("event_id")}, noted)

    def drop(self, event_id: str, position: str) -> None:
        """Notes that the record at `position` did what another one of the same event was refused."""
        columns = t.refusals.c
        where = (columns.event_id == _fit("event_id", event_id), columns.position != _fit("position", position))
        self._connection.execute(delete(t.refusals).where(*where))

    def get(self, event_id: str) -> Refusal | None:
        """Why the event with this id was refused, or None."""
        row = self._first(select(t.refusals).where(t.refusals.c.event_id == _fit("event_id", event_id)))
        if row is None:
            return None
        return Refusal(row.event_id, row.topic, row.subject, row.code, row.field, row.message, row.position)


_LENGTHS = {
    column.name: column.type.length_max for column in t.refusals.columns if isinstance(column.type, t.Characters)
}


def _fit(name: str, text: str) -> str:
    """What of a refusal is noted in the column `name`: others may have written it."""
    return printable(text, _LENGTHS[name] or MESSAGE_MAX)
