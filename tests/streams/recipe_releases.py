"""Releases of recipes, and products that they touch."""

from collections.abc import Sequence

from msgspec.structs import replace

from schemas.operations.base import Parameters
from schemas.recipes import Recipe
from schemas.recipes.reading import parse
from schemas.records import (
    CatalogChanged,
    DefaultsReleased,
    Event,
    RecipeReleased,
    ReplanRequested,
    Task,
)
from tests.streams.flow import upsert

MARKETPLACE = """\
name: marketplace
version: 2
steps:
  - operation: cutout
    next:
      - {operation: packshot, each: channel}
      - {operation: transparent, channel: web}
"""


SPRING = """\
name: spring
version: 1
steps:
  - operation: cutout
    next:
      - {operation: packshot, each: channel, parameters: {padding: 0.1}}
"""


class Mockup(Parameters, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What counts here of a mockup's parameters."""

    scene: str = "auto"
    height_cm: float | None = None


def release(text: str) -> RecipeReleased | DefaultsReleased:
    made = parse(text, "x.yaml")
    if isinstance(made, Recipe):
        return RecipeReleased(recipe=made.name, version=made.version, text=text, released_at_ms=1)
    return DefaultsReleased(tenant=made.tenant, version=made.version, text=text, released_at_ms=1)


def product(sku: str, channels: Sequence[str], tenant: str = "demo", **attributes: str) -> CatalogChanged:
    return replace(upsert(sku=sku, channels=channels), tenant=tenant, attributes=attributes)


def again(events: Sequence[Event]) -> list[tuple[str, str]]:
    """The products that are made again, all of them in lane bulk."""
    assert all(isinstance(event, ReplanRequested) and event.lane == "bulk" for event in events)
    return [(event.tenant, event.sku) for event in events if isinstance(event, ReplanRequested)]


def steps(task: Task) -> dict[str, dict[str, str]]:
    return {step.asset: step.parameters for step in task.step.next if step.asset}
