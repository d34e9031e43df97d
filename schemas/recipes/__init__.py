"""Recipes: named, versioned YAML files of operations and their parameters, beside this module."""

from collections.abc import Sequence
from functools import cache, lru_cache
from importlib import resources
from typing import Literal

import msgspec

from schemas.records import Name, Source, Step


class UnknownRecipe(ValueError):
    """A recipe that is not there; the message lists those that are."""


class RecipeStep(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A step of a recipe. `each: channel` makes one step for every channel asked for."""

    operation: Name
    each: Literal["channel"] | None = None
    channel: Name | None = None
    parameters: dict[str, str] = msgspec.field(default_factory=dict)
    next: list["RecipeStep"] = msgspec.field(default_factory=list)


class Recipe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A named, versioned tree of steps."""

    name: Name
    version: int
    steps: list[RecipeStep]


@cache
def names() -> tuple[str, ...]:
    """The recipes that are there, sorted."""
    files = resources.files(__name__).iterdir()
    return tuple(sorted(file.name.removesuffix(".yaml") for file in files if file.name.endswith(".yaml")))


@cache
def load(name: str) -> Recipe:
    """The recipe called `name`. Raises UnknownRecipe, or msgspec.ValidationError for a file that is none."""
    if name not in names():
        raise UnknownRecipe(f"no recipe is called {name!r}; there are: {', '.join(names())}")
    text = (resources.files(__name__) / f"{name}.yaml").read_bytes()
    return msgspec.yaml.decode(text, type=Recipe)


def slips(name: str, sources: list[Source], channels: list[str], campaign: str | None) -> list[tuple[Source, Step]]:
    """The routing slips of one product: for every source the steps of the recipe `name`, with their assets named.

    An asset is called `channel-n`, n being the place of its source from 1, behind `campaign.` for a campaign's. A
    channel that the recipe names itself gets what is made for it there, and nothing else.
    """
    wanted = tuple(channels)
    return [
        (source, slip)
        for number, source in enumerate(sources, start=1)
        for slip in _of_source(name, wanted, campaign, number)
    ]


def assets(slip: Step) -> list[str]:
    """The assets that a slip makes, in order."""
    return ([slip.asset] if slip.asset else []) + [name for step in slip.next for name in assets(step)]


def _named(steps: list[RecipeStep]) -> set[str]:
    own = {step.channel for step in steps if step.channel is not None}
    return own.union(*(_named(step.next) for step in steps))


@lru_cache(4096)
def _of_source(name: str, channels: tuple[str, ...], campaign: str | None, number: int) -> tuple[Step, ...]:
    """The slips of one source; products that want the same share them."""
    prefix = f"{campaign}." if campaign else ""
    steps = load(name).steps
    others = [channel for channel in channels if channel not in _named(steps)]
    return tuple(slip for step in steps for slip in _expand(step, others, prefix, f"-{number}"))


def _expand(step: RecipeStep, channels: Sequence[str], prefix: str, suffix: str) -> list[Step]:
    branches = [slip for following in step.next for slip in _expand(following, channels, prefix, suffix)]
    wanted: list[str | None] = list(channels) if step.each == "channel" else [step.channel]
    return [
        Step(
            operation=step.operation,
            asset=f"{prefix}{channel}{suffix}" if channel else None,
            channel=channel,
            parameters=step.parameters,
            next=branches,
        )
        for channel in wanted
    ]
