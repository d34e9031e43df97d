"""Which pictures facts name: those that a prune of the cache leaves alone."""

from typing import Any

from sqlalchemy import Select, Table, and_, select

from schemas.records import Blob, Task, TaskCompleted, TaskFailed
from streams.facts import tables as t


def of_newest(table: Table) -> Select[Any]:
    """The records in a table that are about the newest version of a product which is not deleted."""
    is_newest = and_(*(table.c[name] == t.products.c[name] for name in ("tenant", "sku", "version")))
    return select(table.c.record).join(t.products, is_newest).where(t.products.c.deleted.is_(False))


def named_in(record: Task | TaskCompleted | TaskFailed) -> list[Blob]:
    """The pictures that a task works on, and those that it made."""
    if isinstance(record, Task):
        return record.inputs
    return [*record.task.inputs, *(record.outputs if isinstance(record, TaskCompleted) else [])]
