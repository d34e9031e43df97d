"""How things stand at the end, against how they have to."""

import io
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import requests
from PIL import Image

from loadtest.chaos.listener import Listener, is_waited_for, published, unheard
from loadtest.chaos.poison import name_in, unanswered
from loadtest.chaos.workload import Expected, Product, colour_of, picture_of
from schemas.records import AssetPublished
from streams.consumer.letters import ERROR_CODE, ERROR_MESSAGE
from streams.facts import Asset, Database
from streams.facts.states import SETTLED
from streams.runtime.settings import Settings
from streams.services.audit.audit import audit
from streams.services.audit.findings import Kind, Report
from streams.services.recovery.dead import DeadLetter, Wanted, discard, find

COLOUR_DIFFERENCE_MAX = 8.0
READING_THREADS = 8
LOST_KINDS: tuple[Kind, ...] = (
    "lost",
    "conflicting",
    "stuck",
    "missing_objects",
    "manifests_differ",
    "facts_differ",
)


@dataclass(frozen=True)
class Verdict:
    """What is wrong, each thing in a line, and the numbers of it."""

    report: Report
    lost: list[str]
    stale: list[str]
    dead: int
    unanswered: list[str]
    unexpected_dead: list[str]
    published: int
    untold: list[str]

    @property
    def faults(self) -> list[str]:
        """Everything that is wrong."""
        audited = [f"{each.kind}: {each.name}: {each.text}" for each in self.report.findings]
        return [*audited, *self.lost, *self.stale, *self.unanswered, *self.unexpected_dead, *self.untold]

    def count(self, *kinds: Kind) -> int:
        """How many findings of the audit are of these kinds."""
        return sum(finding.kind in kinds for finding in self.report.findings)


def is_settled(settings: Settings, report: Report) -> bool:
    """Whether nothing moves any more, and no asset waits for something."""
    if report.counts["in_flight"] or report.counts["moving"] or is_waited_for(settings):
        return False
    return not waiting(_assets(settings)[1])


def waiting(assets: Iterable[Asset]) -> list[Asset]:
    """Those that have yet to come to their end.

    What is live of an older version leaves when the newer one goes live, or all of the product: not while a person has
    to decide, and not where nothing of the newer version is good.
    """
    assets = list(assets)
    plans: dict[Product, set[str]] = {}
    for asset in assets:
        plans.setdefault((asset.tenant, asset.sku), set()).update({asset.state} - {"leaving"})
    held_up = {product for product, plan in plans.items() if plan and ("review" in plan or "published" not in plan)}
    return [
        asset
        for asset in assets
        if asset.state not in SETTLED and (asset.state != "leaving" or (asset.tenant, asset.sku) not in held_up)
    ]


def judge(settings: Settings, expected: Expected, codes: dict[str, int], listener: Listener) -> Verdict:
    """Looks at each live picture through the CDN, and audits everything once poison's letters are discarded.

    `codes` tell what the broker said to each poison. Raises Unavailable.
    """
    products, assets = _assets(settings)
    missing = [f"lost: {text}" for text in lost(products, assets, expected)]
    live = [asset.live for asset in assets if asset.live is not None]
    with ThreadPoolExecutor(READING_THREADS) as threads:
        stale = [f"stale: {text}" for text in threads.map(lambda each: _fault(each, expected), live) if text]
    letters = found_by_poison(settings)
    names = {each.name for each in expected.poison}
    unexpected = [
        f"dead: {each.origin} {each.record.subject} {each.header(ERROR_CODE)}: {each.header(ERROR_MESSAGE)[:200]}"
        for name, each in letters
        if name not in names
    ]
    left = [f"poison: {text}" for text in unanswered(expected.poison, {name for name, _ in letters}, codes)]
    if of_poison := frozenset(letter.name for name, letter in letters if name in names):
        discard(settings, Wanted(names=of_poison), "chaos", "poison")
    untold = [f"webhook: {text}" for text in unheard(list(published(settings)), list(listener.heard))]
    return Verdict(audit(settings, deep=True), missing, stale, len(letters), left, unexpected, len(live), untold)


def found_by_poison(settings: Settings) -> list[tuple[str, DeadLetter]]:
    """All letters, each behind the name of the poison that it would be of. Raises Unavailable.

    They are read whole: where the key is what is wrong, the name stands in a header that `find` leaves out otherwise.
    """
    return [(name_in(letter.record), letter) for letter in find(settings, Wanted(), whole=True)]


def _assets(settings: Settings) -> tuple[dict[Product, tuple[int, bool]], list[Asset]]:
    database = Database(settings.database)
    try:
        with database.read() as facts:
            return facts.products.every(), facts.assets.every()
    finally:
        database.close()


def lost(products: dict[Product, tuple[int, bool]], assets: list[Asset], expected: Expected) -> Iterator[str]:
    """Products that are not as their newest event says; `products` gives version and whether it is deleted."""
    planned = Counter((asset.tenant, asset.sku) for asset in assets)
    for (tenant, sku), event in expected.newest.items():
        wanted = (event.version, event.change == "delete")
        found = products.get((tenant, sku))
        if found != wanted:
            yield f"{tenant}|{sku} has to be {wanted}, and is {found}"
        elif event.change == "upsert" and not planned[tenant, sku]:
            yield f"{tenant}|{sku} has no asset"


def _fault(live: AssetPublished, expected: Expected) -> str:
    """What is wrong with a live asset; empty when nothing is."""
    name = f"{live.tenant}|{live.sku} {live.asset} v{live.version}"
    event = expected.newest.get((live.tenant, live.sku))
    if event is None:
        return f"{name} is live, and nobody asked for it"
    if event.change == "delete":
        return f"{name} is live, and the product deleted"
    campaign = live.asset.rpartition(".")[0]
    if (live.tenant, campaign) in expected.cancelled:
        return f"{name} is live, and its campaign cancelled"
    answer = requests.get(live.file.url, timeout=30)
    if answer.status_code != 200:
        return f"{name}: the CDN answers {answer.status_code} for {live.file.url}"
    if live.asset != "web-1" or live.version != event.version:
        return ""
    away = _difference(answer.content, colour_of(picture_of(event)))
    return f"{name} shows another picture, {away:.0f} away" if away > COLOUR_DIFFERENCE_MAX else ""


def _difference(file: bytes, colour: tuple[int, int, int]) -> float:
    pixels = np.asarray(Image.open(io.BytesIO(file)).convert("RGBA"))
    solid = pixels[pixels[..., 3] == 255][:, :3]
    return float(np.abs(np.median(solid, axis=0) - np.array(colour)).max())
