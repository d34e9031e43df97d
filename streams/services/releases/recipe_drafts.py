"""A draft of a recipe at the desk: what it makes of a product is seen first, and released then.

The pictures are made on this machine by the operations' own code and judged by the flow's own gates, one product at a
time. Nothing of them is kept.
"""

import dataclasses
from dataclasses import dataclass

from schemas import recipes as shipped
from schemas.decoding import prepare
from schemas.recipes import Recipe, UnknownRecipe
from schemas.recipes.cookbook import Cookbook, shipped_version
from schemas.recipes.reading import TEXT_MAX, BadRecipe, parse
from schemas.records import RecipeReleased
from streams.consumer.letters import outgoing
from streams.facts import Database, Facts
from streams.flow.processors.recipes import check_version, touched
from streams.flow.relay import Sender
from streams.runtime.clock import now_ms
from streams.runtime.errors import Refused
from streams.runtime.settings import Settings
from streams.services.ordering.local_render import open_studio
from streams.services.releases import preview
from streams.services.releases.preview_page import Entry
from streams.services.releases.trying import turn
from streams.services.reports.views import ProductName, View, product_names

FILE = "the draft"
PHOTOGRAPHS_MAX = 2  # of a product: others wait for the machine meanwhile


@dataclass(frozen=True)
class Draft:
    """A recipe as it is now, and its text to be changed; `version` is the newest that there is."""

    name: str
    version: int
    text: str


class Plan(View, frozen=True, kw_only=True):
    """NAME@VERSION of a draft, and the products that are made again when it is released."""

    ref: str
    products: list[ProductName]


def draft(name: str, facts: Facts) -> Draft:
    """The text of a recipe that counts, as the next version of it. Raises Refused `unknown_recipe`."""
    released = [each for each in facts.recipes.releases() if isinstance(each, RecipeReleased) and each.recipe == name]
    newest = max(released, key=lambda each: each.version, default=None)
    if newest is None and name not in shipped.names():
        raise Refused(UnknownRecipe.code, f"no recipe is called {name!r}", field="name")
    text = shipped.text_of(name) if newest is None else newest.text
    version = shipped_version(RecipeReleased, name) if newest is None else newest.version
    return Draft(name, version, text.replace(f"version: {version}", f"version: {version + 1}", 1))


def begun(operation: str, channel: str) -> str:
    """The text of a new recipe that does what was tried."""
    step = f"{{operation: {operation}, channel: {channel}}}"
    return f"name: {operation}-{channel}\nversion: 1\nsteps:\n  - operation: cutout\n    next:\n      - {step}\n"


def plan(text: str, facts: Facts) -> Plan:
    """What a release of a draft would do. Raises Refused: `bad_recipe`, and for a version that is not the newest."""
    made = _read(text, facts.recipes.cookbook())
    known, event = facts.recipes.releases(), _released(made, text, reason="", by="")
    check_version(event, known)
    return Plan(ref=made.ref, products=product_names(touched(event, known, facts)))


def seen(settings: Settings, database: Database, tenant: str, sku: str, text: str) -> list[Entry]:
    """What a draft makes of a product's first photographs. Raises Refused, as for a draft that is no recipe."""
    with database.read() as facts:
        product = facts.products.get(tenant, sku)
        cookbook = facts.recipes.cookbook()
    if product is None or product.deleted:
        raise Refused("unknown_sku", f"no product has the SKU {sku!r}", field="sku")
    made = _read(text, cookbook)
    drafted = dataclasses.replace(cookbook, recipes={**cookbook.recipes, made.name: made})
    planned = preview.planned_pictures([product.event], drafted, made.name)[:PHOTOGRAPHS_MAX]
    with turn(), open_studio(settings) as studio:
        return preview.made(settings, studio, planned, lambda _done, _total: None)


def release(database: Database, sender: Sender, text: str, reason: str, released_by: str) -> Plan:
    """Releases a draft; returns when the broker has it. Raises Refused as `plan` does."""
    with database.read() as facts:
        planned = plan(text, facts)
        made = _read(text, facts.recipes.cookbook())
    sender.send([outgoing(_released(made, text, reason=reason, by=released_by), "packshot/desk", codec=sender.codec)])
    return planned


def _read(text: str, cookbook: Cookbook) -> Recipe:
    if len(text) > TEXT_MAX:
        raise Refused(BadRecipe.code, f"{len(text):,} characters where a recipe has {TEXT_MAX:,} at most", field="text")
    try:
        made = parse(text, FILE, cookbook.rules)
    except BadRecipe as error:
        raise Refused.because(error, field="text") from error
    if not isinstance(made, Recipe):
        raise Refused(BadRecipe.code, f"{FILE} holds defaults, not a recipe", field="text")
    return made


def _released(made: Recipe, text: str, *, reason: str, by: str) -> RecipeReleased:
    return RecipeReleased(
        recipe=made.name, version=made.version, text=text, reason=reason, released_by=by, released_at_ms=now_ms()
    )


prepare(Plan)
