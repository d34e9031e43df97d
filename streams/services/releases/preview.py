"""`packshot preview`: what a recipe makes of products, on this machine and without a broker, as a page before/after."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from msgspec.structs import replace

from gpu_workers.local import files
from gpu_workers.local.studio import Made, Studio
from gpu_workers.operations.base import ComposeRequest
from gpu_workers.operations.cutout.operation import cutout_picture
from gpu_workers.pools import compose as compose_pool
from gpu_workers.pools import cutout as cutout_pool
from gpu_workers.sources.decoding import Picture, decode
from gpu_workers.sources.fetch import SourceError, fetch
from schemas import recipes
from schemas.channels.rulebook import Rulebook
from schemas.recipes import Recipe
from schemas.recipes.cookbook import Cookbook, Origin, filled
from schemas.records import CatalogChanged, Source, Step
from streams.flow.processors.planning import AssetRequest, Slip, slips
from streams.runtime.errors import Refused
from streams.runtime.fields import Commas
from streams.runtime.observability import set_up_command
from streams.runtime.settings import Settings
from streams.services.operating.roles import s3_client
from streams.services.ordering.local_render import open_studio
from streams.services.releases import preview_page
from streams.services.releases.preview_page import Entry, Shown
from streams.services.releases.recipes import read_file
from streams.services.reports.status import open_database, tenants_of
from streams.services.submitting.event_files import read_events

Progress = Callable[[int, int], None]
PlannedPicture = tuple[CatalogChanged, Source, Slip]


@dataclass(frozen=True)
class Wanted:
    """What is to be seen: a recipe by name or file, for products of a file of events or of those that are known.

    `channels` stand in for the products' own.
    """

    recipe: str
    skus: Sequence[str]
    file: Path | None = None
    tenant: str | None = None
    channels: Sequence[str] = ()
    model: str | None = None


def preview(settings: Settings, wanted: Wanted, target: Path, progress: Progress) -> list[Entry]:
    """Makes the pictures and writes the page. Raises Refused; what cannot be made of a product stands on the page."""
    set_up_command(settings)
    with open_database(settings) as database, database.read() as facts:
        cookbook = facts.recipes.cookbook()
    cookbook, name = _with_file(cookbook, wanted.recipe)
    drawn = planned_pictures(_products(settings, wanted, cookbook.rules), cookbook, name)
    here = _reading_here(settings)
    with open_studio(here, wanted.model) as studio:
        entries = made(here, studio, drawn, progress)
    files.write(target, preview_page.page(cookbook.recipe(name).ref, entries).encode())
    return entries


def planned_pictures(products: Sequence[CatalogChanged], cookbook: Cookbook, name: str) -> list[PlannedPicture]:
    """What a recipe asks for of products. Raises Refused `nothing_to_make` where that is nothing."""
    found = [
        (product, source, slip)
        for product in products
        for source, slip in slips(product, AssetRequest(name, product.channels, "standard"), cookbook)
    ]
    if not any(slip.lineages for _, _, slip in found):
        raise Refused("nothing_to_make", f"{name} makes no picture that these products' channels allow")
    return found


def made(
    settings: Settings,
    studio: Studio,
    drawn: Sequence[PlannedPicture],
    progress: Progress,
    known: Mapping[str, bytes] = MappingProxyType({}),
) -> list[Entry]:
    """The pictures; what cannot be made stands in its entry.

    Sources are read as `settings` allow, but for those whose files are `known`, by their addresses.
    """
    total = sum(len(slip.lineages) for _, _, slip in drawn)
    entries: list[Entry] = []
    done = 0
    making = _Making(settings, studio, dict(known))
    for product, source, slip in drawn:
        progress(done, total)
        entry = Entry(product, source, making.photograph(source))
        for picture in making.pictures(entry, slip):
            entry.pictures.append(picture)
            done += 1
            progress(done, total)
        entries.append(entry)
    return entries


@dataclass
class _Making:
    settings: Settings
    studio: Studio
    fetched: dict[str, bytes | Refused] = field(default_factory=dict)

    def photograph(self, source: Source) -> bytes | Refused:
        """The file of a photograph, or why there is none; of each it is fetched once."""
        if source.uri not in self.fetched:
            self.fetched[source.uri] = self._fetch(source)
        return self.fetched[source.uri]

    def pictures(self, entry: Entry, slip: Slip) -> Iterator[Shown]:
        """Every asset of a slip, in order."""
        try:
            if isinstance(entry.photograph, Refused):
                raise entry.photograph
            first, measures = self._first(slip.step, entry.photograph, entry.source.uri, entry.product.category)
        except Refused as refusal:
            yield from _failed(slip.step, refusal)
            return
        for step in slip.step.next:
            yield from self._made(entry.product, slip.lacking, step, [first], measures)

    def _first(self, step: Step, data: bytes, name: str, category: str) -> tuple[Picture, dict[str, float]]:
        """What the first step of a slip makes of a source's file, and what was measured of it. Raises Refused."""
        photograph = self.studio.photograph(data, name)
        if step.operation == "source":
            return photograph, {}
        cut = self.studio.cutout(photograph, name, step.parameters, category)
        return cutout_picture(photograph, cut), {f"cutout.{name}": value for name, value in cut.measures.items()}

    def _made(
        self,
        product: CatalogChanged,
        lacking: Mapping[str, Refused],
        step: Step,
        inputs: Sequence[Picture],
        before: Mapping[str, float],
    ) -> Iterator[Shown]:
        """The asset of a step, if it makes one, and those behind it."""
        try:
            if step.asset is not None and step.asset in lacking:
                raise lacking[step.asset]
            made = self.studio.picture(
                step.operation, inputs, _request(step, product, self.settings, self.studio.rules), before
            )
        except Refused as refusal:
            yield from _failed(step, refusal)
            return
        if step.asset is not None:
            yield _shown(step, made, self.studio.rules)
        measures = {**before, **{f"{step.operation}.{name}": value for name, value in made.measures.items()}}
        for following in step.next:
            written = [decode(file.data) for file in made.files]
            yield from self._made(product, lacking, following, written, measures)

    def _fetch(self, source: Source) -> bytes | Refused:
        try:
            limits = cutout_pool.fetch_limits(self.settings)
            return fetch(source.uri, limits, sha256=source.sha256, s3=s3_client(self.settings)).data
        except SourceError as error:
            return Refused.because(error)


def _with_file(cookbook: Cookbook, recipe: str) -> tuple[Cookbook, str]:
    """The cookbook with the recipe in the file of this name, if there is such a file, and the recipe's own name."""
    file = Path(recipe)
    if file.suffix not in (".yaml", ".yml"):
        return cookbook, recipe
    _, made = read_file(file, cookbook.rules)
    if not isinstance(made, Recipe):
        raise Refused("bad_recipe", f"{file} holds defaults, not a recipe", field="RECIPE")
    return dataclasses.replace(cookbook, recipes={**cookbook.recipes, made.name: made}), made.name


def _products(settings: Settings, wanted: Wanted, rules: Rulebook) -> list[CatalogChanged]:
    found = _of_file(wanted.file, wanted) if wanted.file else _known(settings, wanted)
    for channel in wanted.channels:
        if channel not in rules.names():
            known = ", ".join(rules.names())
            raise Refused("unknown_channel", f"no channel is called {channel!r}; there are: {known}", field="channel")
    return [replace(each, channels=list(wanted.channels)) if wanted.channels else each for each in found]


def _of_file(file: Path, wanted: Wanted) -> list[CatalogChanged]:
    """The newest versions in a file of events, in the order asked for."""
    read, bad = read_events(file)
    events = [each.event for each in read]
    found: list[CatalogChanged] = []
    for sku in dict.fromkeys(wanted.skus):
        newest: dict[str, CatalogChanged] = {}
        for event in events:
            if isinstance(event, CatalogChanged) and event.sku == sku and wanted.tenant in (None, event.tenant):
                known = newest.setdefault(event.tenant, event)
                newest[event.tenant] = max(known, event, key=lambda each: each.version)
        if not newest:
            wrong = "".join(f"\nline {each.line}: {each.field}: {each.message}" for each in bad)
            raise Refused("unknown_sku", f"{file} has no product with the SKU {sku!r}{wrong}", field="SKU")
        found += newest.values()
    return [event for event in found if event.change == "upsert"]


def _known(settings: Settings, wanted: Wanted) -> list[CatalogChanged]:
    found = []
    with open_database(settings) as database:
        for sku in dict.fromkeys(wanted.skus):
            for tenant in tenants_of(database, sku, wanted.tenant):
                with database.read() as facts:
                    product = facts.products.get(tenant, sku)
                assert product is not None
                found += [] if product.deleted else [product.event]
    return found


def _reading_here(settings: Settings) -> Settings:
    """Whoever asks for a preview may read this machine's files anyway, where no folder is named."""
    if settings.source_file_roots:
        return settings
    return dataclasses.replace(settings, source_file_roots=Commas("/"))


def _failed(step: Step, refusal: Refused) -> Iterator[Shown]:
    """The assets at and behind a step that cannot be made."""
    for name in recipes.assets(step):
        yield Shown(name, None, why=f"{refusal.code} ({refusal.field}): {refusal}")


def _request(step: Step, product: CatalogChanged, settings: Settings, rules: Rulebook) -> ComposeRequest:
    assert step.channel is not None
    channel = rules.load(step.channel, product.category)
    is_asset, goes_on = step.asset is not None, bool(step.next)
    return ComposeRequest(channel, step.parameters, product.category, is_asset, goes_on, compose_pool.library(settings))


def _shown(step: Step, made: Made, rules: Rulebook) -> Shown:
    assert step.asset is not None
    chosen: dict[str, tuple[str, Origin]] = {name: (value, "recipe") for name, value in step.parameters.items()}
    used = filled(step.operation, chosen, step.channel, rules)
    parameters = {name: (value, name in step.parameters) for name, (value, _) in used.items()}
    return Shown(step.asset, made, step.operation, parameters)
