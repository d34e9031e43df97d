"""One connector's work, a step at a time: what hooks told of, the sweep, and the pictures that are due.

The sweep is what makes it right: it asks for all that has changed since the last one, and now and then for everything,
so that a hook that never came, and a deletion that nobody told of, are found.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import structlog
from prometheus_client import Counter

from schemas.records import Lane
from streams.connectors.base import Page, Shop
from streams.connectors.showing import Showing
from streams.connectors.taking import Taking
from streams.facts.connector_records import Connector, NotedChange
from streams.facts.connectors import Connectors
from streams.runtime.errors import Refused, Unavailable

CHANGES_AT_ONCE = 50
CHANGE_TRIES = 6  # then the sweep is left to find it
CHANGE_WAIT_MS = 5_000
PAGES_MAX = 100_000  # of a sweep: 5 million products, where a shop gives fifty at a time
GONE_SHARE_MAX = 0.5  # of a shop's products that one sweep believes to be gone
GONE_FEW = 10  # so many it believes in any case
FAILED_WAIT_MS = 5_000  # twice as long each time
FAILED_WAIT_MAX_MS = 600_000

log = structlog.get_logger()
sweeps = Counter("packshot_connector_sweeps_total", "Sweeps of shops", ["kind", "outcome"])


class LeaseLost(Exception):
    """Another process works for this connector now."""


@dataclass
class Progress:
    """How far a sweep is: products seen, of so many if that is known, and what became of them."""

    seen: int = 0
    total: int | None = None
    told: int = 0
    same: int = 0
    gone: int = 0
    hindered: int = 0


@dataclass(frozen=True)
class Work:
    """The work for one connector. `held` renews the lease, and is asked between two requests."""

    connectors: Connectors
    taking: Taking
    showing: Showing
    now_ms: Callable[[], int]
    held: Callable[[], bool] = field(default=lambda: True)

    def turn(self, shop: Shop) -> None:
        """Does what is due. Raises Refused, Unavailable and LeaseLost."""
        self.changes(shop)
        self.pictures(shop)
        if shop.connector.due_at_ms <= self.now_ms() and not self._is_as_it_was(shop):
            for _ in self.sweep(shop, self._is_full(shop)):
                self.changes(shop)
                self.pictures(shop)
            self.pictures(shop)

    def changes(self, shop: Shop) -> None:
        """Looks at the products that hooks told of."""
        name = shop.connector.connector
        while noted := self.connectors.changes(name, self.now_ms(), CHANGES_AT_ONCE):
            self._keep()
            try:
                self._look(shop, noted)
            except Refused:
                self._one_by_one(shop, noted)
            except Unavailable:  # another time others come first: it may be that the shop breaks at one of these
                self.connectors.end_changes(name, noted, self.now_ms() + CHANGE_WAIT_MS)
                raise
            else:
                self.connectors.end_changes(name, noted)

    def sweep(self, shop: Shop, full: bool, *, lane: Lane = "standard", believes: bool = False) -> Iterator[Progress]:
        """Takes in what has changed, or everything; tells how far it is after each page.

        Products that a full sweep has not seen are asked for by their ids, and those that are not there are gone. Where
        that is more than half of all, nothing of it is believed unless `believes`. Raises as `turn` does.
        """
        began_ms, progress = self.now_ms(), Progress()
        self._keep_keys(shop)
        cursor = shop.connector.cursor
        for number, page in enumerate(shop.pages(None if full else cursor)):
            self._keep()
            if number == PAGES_MAX:
                raise Refused("endless_shop", f"it has more than {PAGES_MAX} pages of products")
            self._page(shop, page, began_ms, lane, progress)
            cursor = page.cursor or cursor
            yield progress
        if full:
            progress.gone = self._gone(shop, began_ms, believes)
            yield progress
        ended = {"swept_at_ms": began_ms} | ({"fully_swept_at_ms": began_ms} if full else {})
        due_ms = self.now_ms() + round(shop.SWEEP_S * 1000)
        self.connectors.set(shop.connector.connector, cursor=cursor, why="", failures=0, due_at_ms=due_ms, **ended)
        sweeps.labels(shop.connector.kind, "full" if full else "changes").inc()

    def pictures(self, shop: Shop) -> None:
        """Writes the pictures that are due."""
        while due := self.connectors.due(shop.connector.connector, self.now_ms(), shop.AT_ONCE):
            self._keep()
            self.showing.show(shop, due, self.now_ms())

    def failed(self, connector: Connector, why: str) -> None:
        """Notes why a turn came to nothing, and when there is another."""
        wait_ms = min(FAILED_WAIT_MS * 2 ** min(connector.failures, 20), FAILED_WAIT_MAX_MS)
        failure = {"why": why, "failures": connector.failures + 1, "due_at_ms": self.now_ms() + wait_ms}
        self.connectors.set(connector.connector, **failure)
        sweeps.labels(connector.kind, "failed").inc()
        log.warning("a shop is not to be worked with", connector=connector.connector, reason=why, again_in_ms=wait_ms)

    def _is_as_it_was(self, shop: Shop) -> bool:
        """Whether the last sweep saw all this; then the next one is put off."""
        found = shop.fingerprint()
        if found is None or found != shop.connector.cursor:
            return False
        due_ms = self.now_ms() + round(shop.SWEEP_S * 1000)
        self.connectors.set(shop.connector.connector, due_at_ms=due_ms, failures=0)
        return True

    def _is_full(self, shop: Shop) -> bool:
        last_ms = shop.connector.fully_swept_at_ms
        return last_ms is None or self.now_ms() - last_ms >= shop.FULL_S * 1000

    def _keep_keys(self, shop: Shop) -> None:
        keys, options = shop.published_keys(), shop.connector.options
        if keys is not None and options.get("keys") != keys:
            self.connectors.set(shop.connector.connector, options={**options, "keys": keys})

    def _keep(self) -> None:
        if not self.held():
            raise LeaseLost

    def _page(self, shop: Shop, page: Page, seen_ms: int, lane: Lane, progress: Progress) -> None:
        for product in page.products:
            outcome = self.taking.take(shop.connector, product, seen_ms, lane)
            progress.told += outcome == "told"
            progress.same += outcome in ("same", "stale")
            progress.hindered += outcome == "hindered"
        for source_id, why in page.unread.items():
            self.taking.hindered(shop.connector, source_id, why, seen_ms)
        progress.hindered += len(page.unread)
        progress.seen += len(page.products) + len(page.unread)
        progress.total = page.total if page.total is not None else progress.total

    def _look(self, shop: Shop, noted: list[NotedChange]) -> None:
        """As they were when they were asked for: what changes meanwhile is noted anew."""
        fetched_ms = self.now_ms()
        found = {each.source_id: each for each in shop.fetch([change.source_id for change in noted])}
        for product in found.values():
            self.taking.take(shop.connector, product, fetched_ms)
        for change in noted:
            if change.source_id not in found:
                self.taking.gone(shop.connector, change.source_id, fetched_ms)

    def _one_by_one(self, shop: Shop, noted: list[NotedChange]) -> None:
        for change in noted:
            try:
                self._look(shop, [change])
                again_ms = None
            except Refused as refusal:
                about = {"connector": shop.connector.connector, "product": change.source_id}
                log.warning("a product is not to be had", **about, code=refusal.code, reason=refusal.message)
                wait_ms = CHANGE_WAIT_MS * 2**change.tries
                again_ms = self.now_ms() + wait_ms if change.tries < CHANGE_TRIES else None
            self.connectors.end_changes(shop.connector.connector, [change], again_ms)

    def _gone(self, shop: Shop, began_ms: int, believes: bool) -> int:
        name = shop.connector.connector
        unseen = self.connectors.unseen(name, began_ms)
        known = self.connectors.counts(name)["products"]
        if not believes and len(unseen) > max(GONE_FEW, GONE_SHARE_MAX * known):
            how = f"`packshot connectors sync {name} --believe` takes them out"
            raise Refused("too_many_gone", f"{len(unseen)} of {known} products are gone: {how}")
        gone = 0
        for first in range(0, len(unseen), CHANGES_AT_ONCE):
            self._keep()
            some, fetched_ms = unseen[first : first + CHANGES_AT_ONCE], self.now_ms()
            found = {each.source_id: each for each in shop.fetch(some)}
            for product in found.values():
                self.taking.take(shop.connector, product, fetched_ms)
            gone += sum(
                self.taking.gone(shop.connector, each, fetched_ms) == "told" for each in some if each not in found
            )
        return gone


def opened(connectors: Connectors, name: str) -> Connector:
    """A connector as it is now. Raises Refused for one that is not there."""
    connector = connectors.get(name)
    if connector is None:
        raise Refused("unknown_connector", f"there is no connector {name!r}", field="NAME")
    return connector
