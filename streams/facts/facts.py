"""The facts: one repository a table, together in one transaction."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from streams.facts.assets import Assets
from streams.facts.campaigns import Campaigns
from streams.facts.cases import Cases
from streams.facts.costs import Costs
from streams.facts.marks import Marks
from streams.facts.models import Models
from streams.facts.opinions import Opinions
from streams.facts.outbox import Outbox
from streams.facts.overviews import Overviews
from streams.facts.products import Products
from streams.facts.ratings import Ratings
from streams.facts.refusals import Refusals
from streams.facts.replans import Replans
from streams.facts.repository import Transaction
from streams.facts.retouches import Retouches
from streams.facts.reviews import Reviews
from streams.facts.shelves import Shelves
from streams.facts.tasks import Tasks
from streams.facts.workloads import Workloads

if TYPE_CHECKING:
    from streams.facts.recipes import Recipes


class Facts:
    """The facts as one transaction sees and changes them: all of it is kept, or nothing."""

    def __init__(self, connection: Connection, now_ms: int) -> None:
        self._transaction = Transaction(connection, now_ms)

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """What the block writes is undone when it raises, and the rest of the transaction is not."""
        with self._transaction.connection.begin_nested():
            try:
                yield
            except BaseException:
                self.recipes.forget()
                raise

    @property
    def now_ms(self) -> int:
        """The time at which what is written is noted, Unix time in ms."""
        return self._transaction.now_ms

    def at(self, now_ms: int) -> None:
        """Sets the time at which what follows is noted, Unix time in ms."""
        self._transaction.now_ms = now_ms

    @cached_property
    def products(self) -> Products:
        """The newest version of each product."""
        return Products(self._transaction)

    @cached_property
    def assets(self) -> Assets:
        """Where each planned picture stands, and what is live of it."""
        return Assets(self._transaction)

    @cached_property
    def tasks(self) -> Tasks:
        """How each task stands."""
        return Tasks(self._transaction)

    @cached_property
    def reviews(self) -> Reviews:
        """What waits for a person, and what people said."""
        return Reviews(self._transaction)

    @cached_property
    def cases(self) -> Cases:
        """What many assets wait for together, and what people said of it."""
        return Cases(self._transaction)

    @cached_property
    def opinions(self) -> Opinions:
        """What people say of the cases that more than one decides on."""
        return Opinions(self._transaction)

    @cached_property
    def retouches(self) -> Retouches:
        """How people have photographs cut out otherwise."""
        return Retouches(self._transaction)

    @cached_property
    def ratings(self) -> Ratings:
        """What people say of pictures that are live."""
        return Ratings(self._transaction)

    @cached_property
    def shelves(self) -> Shelves:
        """How a tenant's live pictures look together."""
        return Shelves(self._transaction)

    @cached_property
    def marks(self) -> Marks:
        """Words at a place in photographs."""
        return Marks(self._transaction)

    @cached_property
    def campaigns(self) -> Campaigns:
        """The campaigns, and what is left to do for them."""
        return Campaigns(self._transaction)

    @cached_property
    def costs(self) -> Costs:
        """What tasks cost, and which images were accepted."""
        return Costs(self._transaction)

    @cached_property
    def models(self) -> Models:
        """The networks, their releases, and how those in the shadow compared."""
        return Models(self._transaction)

    @cached_property
    def recipes(self) -> "Recipes":
        """The recipes, defaults and channels' rules."""
        from streams.facts.recipes import Recipes  # YAML and all channels, of which most commands need none

        return Recipes(self._transaction)

    @cached_property
    def replans(self) -> Replans:
        """The products that are left to be made again."""
        return Replans(self._transaction)

    @cached_property
    def refusals(self) -> Refusals:
        """The events that were answered with an error."""
        return Refusals(self._transaction)

    @cached_property
    def outbox(self) -> Outbox:
        """What follows from these facts, to be kept with them."""
        return Outbox(self._transaction)

    @cached_property
    def overviews(self) -> Overviews:
        """What people look at: across products, and across tables."""
        return Overviews(self._transaction)

    @cached_property
    def workloads(self) -> Workloads:
        """What work costs and what is still to be made."""
        return Workloads(self._transaction)
