"""What a PIM and a marketing tool say in a run, from a seed, and how everything has to stand at its end.

Newer versions, older ones after newer, the same event twice, deletions and returns, campaigns and their cancellation,
three lanes, and hostile records. Everything is a function of the seed.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from loadtest.chaos.poison import Poison, poisons
from loadtest.chaos.poison_files import draw_poison
from schemas.records import CampaignCancelled, CampaignRequested, CatalogChanged, Lane, Source
from streams.consumer.letters import Outgoing, outgoing

TENANTS = ("north", "south", "west")
PICTURES = 48
PICTURE_PX = (240, 400)
EVENTS_A_PRODUCT = 6
# A campaign waits some tries for a product that it names; this far behind, every product that it names was sent.
SETTLED_EVENTS = 400
SOURCE = "packshot/chaos"
POISON_SHARE = 0.08  # so that a run of 3,000 events has every kind
Product = tuple[str, str]


@dataclass
class Expected:
    """How things have to stand at the end."""

    newest: dict[Product, CatalogChanged] = field(default_factory=dict)
    cancelled: set[tuple[str, str]] = field(default_factory=set)
    poison: list[Poison] = field(default_factory=list)

    def saw(self, event: CatalogChanged) -> None:
        """Of a product's events the one with the highest version counts, whenever it comes."""
        before = self.newest.get((event.tenant, event.sku))
        if before is None or event.version > before.version:
            self.newest[event.tenant, event.sku] = event


@dataclass
class _Campaign:
    event: CampaignRequested
    requested_at: int


class Workload:
    """`count` records for the topics, one after another; `expected` is complete when all were taken.

    `host` is the URL of a HostileHost.
    """

    def __init__(self, seed: int, count: int, folder: Path, host: str) -> None:
        self.expected = Expected()
        self._rng = random.Random(f"workload {seed}")
        self._poisons = poisons(random.Random(f"poison {seed}"), TENANTS, folder, host)
        self._count = count
        self._folder = folder
        self._sent = 0
        self._versions: dict[Product, int] = {}
        self._settled: list[tuple[int, Product]] = []
        self._last: list[CatalogChanged] = []
        self._campaigns: list[_Campaign] = []

    def records(self) -> Iterator[Outgoing | Poison]:
        """Every record in its order."""
        kinds: list[tuple[Callable[[], Sequence[Outgoing | Poison]], float]] = [
            (self._upsert, 0.69),
            (self._delete, 0.06),
            (self._again, 0.05),
            (self._out_of_order, 0.06),
            (self._campaign, 0.02),
            (self._cancel, 0.01),
            (self._poison, POISON_SHARE),
        ]
        makers, weights = zip(*kinds, strict=True)
        while self._sent < self._count:
            for record in self._rng.choices(makers, weights)[0]():
                self._sent += 1
                yield record

    def _upsert(self) -> list[Outgoing]:
        return [self._database(self._next_version(self._product()))]

    def _delete(self) -> list[Outgoing]:
        if not self._versions:
            return []
        product = self._rng.choice(sorted(product for product in self._versions if not self._is_for_campaigns(product)))
        return [self._database(self._next_version(product, deleted=True))]

    def _again(self) -> list[Outgoing]:
        return [self._database(self._rng.choice(self._last))] if self._last else []

    def _out_of_order(self) -> list[Outgoing]:
        product = self._product()
        older, newer = self._next_version(product), self._next_version(product)
        return [self._database(newer), self._database(older)]

    def _campaign(self) -> list[Outgoing]:
        ready = [its for sent, its in self._settled if sent < self._sent - SETTLED_EVENTS]
        if not ready:
            return []
        tenant = self._rng.choice(ready)[0]
        skus = sorted({sku for its, sku in self._rng.choices(ready, k=3) if its == tenant})
        if not skus:
            return []
        event = CampaignRequested(
            tenant=tenant,
            campaign=f"campaign-{self._sent}",
            skus=skus,
            channels=["instagram"],
            priority="urgent",
        )
        self._campaigns.append(_Campaign(event, self._sent))
        return [outgoing(event, SOURCE)]

    def _cancel(self) -> list[Outgoing]:
        if not self._campaigns:
            return []
        campaign = self._campaigns.pop(self._rng.randrange(len(self._campaigns))).event
        self.expected.cancelled.add((campaign.tenant, campaign.campaign))
        return [outgoing(CampaignCancelled(tenant=campaign.tenant, campaign=campaign.campaign), SOURCE)]

    def _poison(self) -> list[Poison]:
        poison = next(self._poisons)
        self.expected.poison.append(poison)
        if poison.event is not None:
            self.expected.saw(poison.event)
        return [poison]

    def _database(self, event: CatalogChanged) -> Outgoing:
        self.expected.saw(event)
        self._last = [*self._last[-40:], event]
        return outgoing(event, SOURCE)

    def _product(self) -> Product:
        products = max(12, self._count // EVENTS_A_PRODUCT)
        return self._rng.choice(TENANTS), f"product-{self._rng.randrange(products // len(TENANTS))}"

    def _next_version(self, product: Product, *, deleted: bool = False) -> CatalogChanged:
        tenant, sku = product
        if product not in self._versions and self._is_for_campaigns(product):
            self._settled.append((self._sent, product))
        version = self._versions[product] = self._versions.get(product, 0) + 1
        if deleted:
            return CatalogChanged(change="delete", tenant=tenant, sku=sku, version=version)
        return CatalogChanged(
            tenant=tenant,
            sku=sku,
            version=version,
            title=f"{sku} of {tenant}",
            sources=[self._source(self._rng.randrange(PICTURES))],
            channels=["instagram", "web"] if self._rng.random() < 0.02 else ["web"],
            priority=self._lane(),
        )

    def _source(self, number: int) -> Source:
        return Source(uri=(self._folder / picture_name(number)).as_uri())

    def _lane(self) -> Lane:
        lanes: tuple[Lane, ...] = ("urgent", "standard", "bulk")
        return self._rng.choices(lanes, (0.1, 0.5, 0.4))[0]

    @staticmethod
    def _is_for_campaigns(product: Product) -> bool:
        """Every tenth product is never deleted, so that a campaign may name it."""
        return product[1].endswith("0")


def picture_name(number: int) -> str:
    """The file of a picture: cut out already, or a photograph on white."""
    return f"picture-{number}.{'jpg' if number % 4 == 0 else 'png'}"


def picture_of(event: CatalogChanged) -> int:
    """The number of the picture that a version of a product shows."""
    return int(event.sources[0].uri.rpartition("-")[2].partition(".")[0])


def colour_of(number: int) -> tuple[int, int, int]:
    """The colour of the product in a picture: no two are near each other."""
    red, green, blue = number % 4, number // 4 % 4, number // 16
    return 40 + 50 * red, 40 + 50 * green, 40 + 70 * blue


def draw_pictures(folder: Path) -> None:
    """The pictures, and files that are none."""
    for number in range(PICTURES):
        on_white = number % 4 == 0
        image = Image.new("RGBA", PICTURE_PX, (255, 255, 255, 255 if on_white else 0))
        ImageDraw.Draw(image).rounded_rectangle((30, 8, 209, 391), 20, fill=(*colour_of(number), 255))
        pixels = np.asarray(image).copy()
        grain = np.random.default_rng(number).integers(-6, 7, pixels.shape[:2])
        inside = np.s_[8:392, 30:210, :3]
        pixels[inside] = np.clip(pixels[inside] + grain[8:392, 30:210, None] * (pixels[inside] < 255), 0, 255)
        made = Image.fromarray(pixels)
        made.convert("RGB" if on_white else "RGBA").save(folder / picture_name(number), quality=95)
    draw_poison(folder)
