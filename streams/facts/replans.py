"""Products that are to be made again, by tenant: worked off in steps, so that no release or replay holds anybody up.

They are no facts: no event tells that one is left, and they outlive it when the facts are made anew.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, select, text

from schemas.records import Lane
from streams.facts import tables as t
from streams.facts.repository import Repository, Transaction, dialect_of

_LOCK = 0x9AC56  # any number, the same in all processes
_columns = t.replans.c


@dataclass(frozen=True)
class Replan:
    """A product that is to be made again, how urgently, and why."""

    tenant: str
    sku: str
    lane: Lane
    reason: str


class Replans(Repository):
    """What is left, as one transaction sees and changes it; those that do so take turns."""

    def __init__(self, transaction: Transaction) -> None:
        super().__init__(transaction)
        if self._connection.dialect.name == "postgresql":  # in SQLite there is one transaction at a time
            self._execute(text("SELECT pg_advisory_xact_lock(:key)"), key=_LOCK)

    def put(self, replans: Sequence[Replan]) -> None:
        """Adds products; of one that is there already the newest word counts."""
        inserting = dialect_of(self._connection).insert(t.replans)
        newest = {name: inserting.excluded[name] for name in ("lane", "reason")}
        adding = inserting.on_conflict_do_update(index_elements=["tenant", "sku"], set_=newest)
        if replans:
            self._connection.execute(adding, [each.__dict__ for each in replans])

    def has(self, tenant: str) -> bool:
        """Whether anything of a tenant is left."""
        query = select(_columns.sku).where(_columns.tenant == tenant).limit(1)
        return self._connection.execute(query).first() is not None

    def take(self, tenant: str, most: int) -> list[Replan]:
        """Takes the next products of a tenant away, in order."""
        query = select(t.replans).where(_columns.tenant == tenant).order_by(_columns.sku).limit(most)
        taken = [Replan(*row) for row in self._connection.execute(query)]
        skus = [each.sku for each in taken]
        self._connection.execute(delete(t.replans).where(_columns.tenant == tenant, _columns.sku.in_(skus)))
        return taken
