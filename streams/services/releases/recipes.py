"""The recipes of an installation: which there are, what they make a product go by, and how they are released."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from schemas.channels.rulebook import SHIPPED, Rulebook
from schemas.decoding import prepare
from schemas.recipes import Defaults, Recipe, RecipeStep, UnknownRecipe
from schemas.recipes.cookbook import Cookbook, Origin, Release, asset_of, channels_of, filled, name_of, own_channels
from schemas.recipes.reading import BadRecipe, parse
from schemas.records import DefaultsReleased, RecipeReleased
from streams.consumer.letters import outgoing
from streams.facts import Database
from streams.flow.processors.recipes import check_version, touched
from streams.runtime.clock import now_ms
from streams.runtime.errors import Refused
from streams.runtime.observability import tracer
from streams.runtime.settings import Settings
from streams.services.operating import local
from streams.services.reports.status import open_database
from streams.services.reports.views import ProductName, View, product_names


@dataclass(frozen=True)
class Row:
    """A recipe or a tenant's defaults; `release` is None for a recipe that ships, `wrong` what today's rules refuse."""

    name: str
    kind: str
    version: int
    release: Release | None
    operations: Sequence[str] = ()
    wrong: str = ""


@dataclass(frozen=True)
class ShownParameter:
    """A parameter's value, and who says so."""

    value: str
    said_by: Origin


@dataclass(frozen=True)
class ShownStep:
    """A step as it would be used."""

    depth: int
    operation: str
    channel: str
    asset: str
    parameters: Mapping[str, ShownParameter]


@dataclass(frozen=True)
class ShownRecipe:
    """NAME@VERSION of a recipe, and its steps as a tenant's product would go by them."""

    recipe: str
    steps: Sequence[ShownStep]


@dataclass(frozen=True)
class Released:
    """NAME@VERSION that is released, or would be, the products that are made again for it, and whether it counts."""

    released: str
    products: Sequence[ProductName]
    noted: bool
    dry_run: bool


def read_file(file: Path, rules: Rulebook = SHIPPED) -> tuple[str, Recipe | Defaults]:
    """A recipe's or defaults' file, and what it says, held against `rules`. Raises Refused with a line each problem."""
    try:
        text = file.read_text()
        return text, parse(text, str(file), rules)
    except BadRecipe as error:
        raise Refused.because(error, field="FILE") from error
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(BadRecipe.code, f"{file}: {error}", field="FILE") from error


@dataclass(frozen=True)
class Checked:
    """A file, and NAME@VERSION of what it holds or what is wrong with it, a line each problem."""

    file: Path
    ref: str = ""
    wrong: tuple[str, ...] = ()


class CheckedView(View, frozen=True, kw_only=True):
    """A file, and NAME@VERSION of what it holds or what is wrong with it."""

    file: str
    ref: str
    wrong: str


def checked_view(found: Checked) -> CheckedView:
    """A file as it is told."""
    return CheckedView(file=str(found.file), ref=found.ref, wrong="\n".join(found.wrong))


def checked(file: Path, ref: Callable[[Path], str]) -> Checked:
    """How a file is, of which `ref` gives NAME@VERSION or raises Refused."""
    try:
        return Checked(file, ref(file))
    except Refused as refusal:
        return Checked(file, wrong=tuple(str(refusal).splitlines()))


def overview(settings: Settings) -> list[Row]:
    """Every recipe by name, then all defaults by tenant."""
    with open_database(settings) as database, database.read() as facts:
        cookbook = facts.recipes.cookbook()
        newest = {(type(each), name_of(each)): each for each in facts.recipes.releases()}
    rows = []
    for name, recipe in sorted(cookbook.recipes.items()):
        release = newest.get((RecipeReleased, name))
        counts = release if release is None or _counts(release, recipe) else None
        rows.append(_row(name, "recipe", recipe, counts))
    return rows + [
        _row(tenant, "defaults", defaults, newest[DefaultsReleased, tenant])
        for tenant, defaults in sorted(cookbook.defaults.items())
    ]


def show(settings: Settings, name: str, tenant: str, channel: str | None) -> ShownRecipe:
    """A recipe as a tenant's product would go by it. Raises Refused."""
    with open_database(settings) as database, database.read() as facts:
        cookbook = facts.recipes.cookbook()
    known = cookbook.rules.names()
    if channel is not None and channel not in known:
        message = f"no channel is called {channel!r}; there are: {', '.join(known)}"
        raise Refused("unknown_channel", message, field="channel")
    try:
        recipe = cookbook.recipe(name)
        return ShownRecipe(recipe.ref, list(_shown(cookbook, recipe, tenant, channel)))
    except (UnknownRecipe, BadRecipe) as error:
        raise Refused.because(error, field="NAME") from error


def release(settings: Settings, file: Path, reason: str, by: str, *, dry_run: bool) -> Released:
    """Releases a recipe or a tenant's defaults; with `dry_run` it only looks. Raises Refused."""
    with open_database(settings) as database, database.read() as facts:
        rules = facts.recipes.cookbook().rules
    text, made = read_file(file, rules)
    return send(settings, made.ref, _release(made, text, reason, by), dry_run=dry_run)


def send(settings: Settings, ref: str, event: Release, *, dry_run: bool) -> Released:
    """Releases what `event` says, which is called `ref`; with `dry_run` it only looks."""
    if dry_run:
        with open_database(settings) as database:
            return Released(ref, _made_again(event, database), noted=False, dry_run=True)
    with local.connect(settings) as (database, producer):
        products = _made_again(event, database)

        def is_noted() -> bool:
            with database.read() as facts:
                return any(each.text == event.text for each in facts.recipes.releases())

        with tracer.start_as_current_span(f"recipes {type(event).__name__}"):
            producer.send([outgoing(event, "packshot/recipes", codec=producer.codec)])
        return Released(ref, products, noted=local.noted(is_noted), dry_run=False)


def _made_again(event: Release, database: Database) -> list[ProductName]:
    with database.read() as facts:
        known = facts.recipes.releases()
        check_version(event, known)
        return product_names(touched(event, known, facts))


def _release(made: Recipe | Defaults, text: str, reason: str, by: str) -> Release:
    fields = {"version": made.version, "text": text, "reason": reason, "released_by": by, "released_at_ms": now_ms()}
    if isinstance(made, Recipe):
        return RecipeReleased(recipe=made.name, **fields)  # type: ignore[arg-type]
    return DefaultsReleased(tenant=made.tenant, **fields)  # type: ignore[arg-type]


def _row(name: str, kind: str, found: Recipe | Defaults | BadRecipe, release: Release | None) -> Row:
    if isinstance(found, BadRecipe):
        return Row(name, kind, release.version if release else 0, release, wrong=str(found))
    steps = found.steps if isinstance(found, Recipe) else found.defaults
    return Row(name, kind, found.version, release, tuple(dict.fromkeys(_operations(steps))))


def _operations(steps: Sequence[RecipeStep] | Sequence[object]) -> Iterator[str]:
    for step in steps:
        yield step.operation  # type: ignore[attr-defined]
        yield from _operations(getattr(step, "next", ()))


def _counts(release: Release, recipe: Recipe | BadRecipe) -> bool:
    return isinstance(recipe, BadRecipe) or release.version == recipe.version


def _shown(cookbook: Cookbook, recipe: Recipe, tenant: str, channel: str | None) -> Iterator[ShownStep]:
    wanted, own = [] if channel is None else [channel], own_channels(recipe.steps)

    def walk(step: RecipeStep, above: str | None, depth: int) -> Iterator[ShownStep]:
        any_channel = step.each is not None and channel is None
        for target in [None] if any_channel else channels_of(step, wanted, above, own, cookbook.rules):
            label = "each" if any_channel else target or ""
            asset = asset_of(step, "CHANNEL" if any_channel else target, "", 1) or ""
            parameters = cookbook.parameters(step, tenant, target)
            values = filled(step.operation, parameters, target, cookbook.rules)
            shown = {name: ShownParameter(*value) for name, value in values.items()}
            yield ShownStep(depth, step.operation, label, asset, shown)
            for following in step.next:
                yield from walk(following, target, depth + 1)

    for step in recipe.steps:
        yield from walk(step, None, 0)


prepare(CheckedView)
