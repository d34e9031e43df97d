"""Recipes: named, versioned YAML files of operations and their parameters; those that ship lie beside this module."""

from functools import cache
from importlib import resources
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from schemas.decoding import prepare
from schemas.errors import InputError
from schemas.records import Name, Parameters, Step, Version
from schemas.text import whole

Suffix = Annotated[str, Meta(max_length=32, pattern=whole("[a-z][a-z0-9_]*"))]


class UnknownRecipe(InputError, ValueError):
    """A recipe that is not there; the message lists those that are."""

    code = "unknown_recipe"


class RecipeStep(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A step of a recipe.

    `each: channel` makes one step for every channel asked for that allows the operation, `channels` one for those of
    them that are asked for, `channel` one for that channel, asked for or not; a step that says nothing works for the
    channel of the step before it. The last step of a way makes the asset; one before it does when it says `asset`,
    which also tells several pictures of one channel apart.
    """

    operation: Name
    each: Literal["channel"] | None = None
    channels: list[Name] = msgspec.field(default_factory=list)
    channel: Name | None = None
    asset: Suffix | None = None
    parameters: Parameters = msgspec.field(default_factory=dict)
    next: list["RecipeStep"] = msgspec.field(default_factory=list)


class Recipe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, eq=False):
    """A named, versioned tree of steps."""

    name: Name
    version: Version
    steps: Annotated[list[RecipeStep], Meta(min_length=1)]

    @property
    def ref(self) -> str:
        """NAME@VERSION."""
        return f"{self.name}@{self.version}"


class DefaultParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of an operation that count where a recipe says nothing: on the `channels` named, or on all."""

    operation: Name
    channels: list[Name] = msgspec.field(default_factory=list)
    parameters: Annotated[Parameters, Meta(min_length=1)]


class Defaults(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, eq=False):
    """A tenant's defaults, versioned."""

    tenant: Name
    version: Version
    defaults: list[DefaultParameters]

    @property
    def ref(self) -> str:
        """TENANT@VERSION."""
        return f"{self.tenant}@{self.version}"

    def of(self, operation: str, channel: str | None) -> dict[str, str]:
        """What counts for an operation on a channel; what is said of the channel itself before what is of all."""
        mine = [each for each in self.defaults if each.operation == operation]
        of_all = [each for each in mine if not each.channels]
        of_channel = [each for each in mine if channel in each.channels]
        return {name: value for each in (*of_all, *of_channel) for name, value in each.parameters.items()}


@cache
def names() -> tuple[str, ...]:
    """The recipes that ship, sorted."""
    files = resources.files(__name__).iterdir()
    return tuple(sorted(file.name.removesuffix(".yaml") for file in files if file.name.endswith(".yaml")))


def text_of(name: str) -> str:
    """The file of a recipe that ships. Raises UnknownRecipe."""
    if name not in names():
        raise UnknownRecipe(f"no recipe is called {name!r}; there are: {', '.join(names())}")
    return (resources.files(__name__) / f"{name}.yaml").read_text()


def assets(slip: Step) -> list[str]:
    """The assets that a slip makes, in order."""
    return ([slip.asset] if slip.asset else []) + [name for step in slip.next for name in assets(step)]


prepare(Recipe, Defaults)
