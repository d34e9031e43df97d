"""Sales channels: what each demands of a picture, as dated YAML files beside this module.

Fill is the larger of two shares: the product's width of the canvas' width, its height of the canvas' height.
The product is the box round every pixel whose alpha is one half or more, its shadow left out.
"""

from functools import cache, lru_cache
from importlib import resources
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, field

from schemas import categories
from schemas.decoding import prepare
from schemas.errors import InputError
from schemas.records import Name
from schemas.text import whole
from schemas.uncertainty import Weights

Format = Literal["jpeg", "png", "webp", "gif", "tiff", "bmp"]
ShadowMode = Literal["none", "contact", "soft", "hard", "floating", "reflection", "own"]
Hex = Annotated[str, Meta(pattern=whole("#[0-9A-Fa-f]{6}"))]
Share = Annotated[float, Meta(ge=0.0, le=1.0)]
Pixels = Annotated[int, Meta(ge=1, le=30_000)]
_VERSION = r"[0-9]{4}-[0-9]{2}(\.[0-9]{1,3})?"  # a month and, where there are several in one, a number

CheckedPoint = Literal["product", "text", "colour", "edges", "channel", "light", "style", "policy"]

Rule = Literal[
    "canvas", "smallest", "largest", "background", "fill.min", "fill.max", "formats", "file_bytes_max", "bans", "people"
]


class UnknownChannel(InputError, ValueError):
    """A channel that has no rules; the message lists those that have."""

    code = "unknown_channel"


class Size(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A canvas in pixels."""

    width_px: Pixels
    height_px: Pixels

    def shrunk(self, scale: float) -> "Size":
        """This size times `scale` (0..1), rounded; never less than one pixel."""
        return Size(max(1, round(self.width_px * scale)), max(1, round(self.height_px * scale)))


class Fill(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much of the canvas the product takes, as shares; what we aim at and what the channel tolerates."""

    min: Share
    target: Share
    max: Share

    def __post_init__(self) -> None:
        if not self.min <= self.target <= self.max:
            raise ValueError("`fill` must have min <= target <= max")


class Channel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The rules of one channel. `background` is a hex colour, or None for transparent; a recipe may ask for another
    unless it is required.

    `canvas` is what we aim at; a picture may be between `smallest` and `largest`. `scale_max` is how far a
    product's pixels may be enlarged: before that the canvas shrinks. With `trim` the canvas follows the
    product's own shape. `formats[0]` is what we write. `people` is whether somebody may be seen, wearing the product.
    `uncertainty_max` is how likely a cutout may be no good that nobody looks at; None leaves it to the gates.
    `uncertainty_weights` are what speaks how much against one, in place of those that ship.
    `pictures_advised` is how many pictures of a product it advises to show; 1 where nothing was found.
    `second_hand` names the rules that only third parties report. `demands` are points of the checklist of which
    something must have been measured: a picture of which nothing was goes to a person.
    """

    name: Name
    version: Annotated[str, Meta(pattern=whole(_VERSION))]
    source: str
    second_hand: tuple[Rule, ...]
    canvas: Size
    smallest: Size
    largest: Size
    background: Hex | None
    background_required: bool
    background_exact_min: Share
    fill: Fill
    scale_max: Annotated[float, Meta(gt=0.0, le=4.0)]
    formats: Annotated[tuple[Format, ...], Meta(min_length=1)]
    file_bytes_max: Annotated[int, Meta(ge=1)]
    shadow: ShadowMode
    bans: tuple[str, ...]
    notes: tuple[str, ...]
    trim: bool = False
    people: bool = False
    uncertainty_max: Share | None = None
    uncertainty_weights: Weights | None = None
    demands: tuple[CheckedPoint, ...] = ()
    pictures_advised: Annotated[int, Meta(ge=1, le=100)] = 1

    @property
    def rule_version(self) -> str:
        """Which rules these are, e.g. `amazon@2026-11`."""
        return f"{self.name}@{self.version}"

    @property
    def number(self) -> int:
        """The version as a number that rises with it: 202611002 for 2026-11.2."""
        return version_number(self.version)

    @property
    def allows_upscaling(self) -> bool:
        """Whether it takes pictures that were enlarged: not where its `bans` name a scaled-up image."""
        return "scaled-up image" not in self.bans


class _CategoryRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is different for categories with one of the `words` in them, or of one of the `groups` (schemas.categories).

    Of rules that cover a category the last counts. `source` says where a rule about people is from.
    """

    words: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    smallest: Size | None = None
    fill: Fill | None = None
    people: bool | None = None
    source: str = ""

    def __post_init__(self) -> None:
        if not self.words and not self.groups:
            raise ValueError("`by_category` must have `words` or `groups`")
        unknown = set(self.groups) - categories.names()
        if unknown:
            raise ValueError(f"`groups`: there are no {', '.join(sorted(unknown))}")
        if self.people is not None and not self.source:
            raise ValueError("`people` must have a `source`")

    def covers(self, category: str) -> bool:
        lowered = category.casefold()
        return any(word in lowered for word in self.words) or not categories.groups(category).isdisjoint(self.groups)

    def rules(self) -> dict[str, Any]:
        """The channel's rules that these take the place of."""
        rules = {"smallest": self.smallest, "fill": self.fill, "people": self.people}
        return {name: rule for name, rule in rules.items() if rule is not None}


class _File(Channel, frozen=True, kw_only=True, forbid_unknown_fields=True):
    by_category: list[_CategoryRules] = field(default_factory=list)


def version_number(version: str) -> int:
    """See `Channel.number`."""
    month, _, number = version.partition(".")
    return int(month.replace("-", "")) * 1000 + int(number or 0)


@cache
def names() -> tuple[str, ...]:
    """The channels that have rules, sorted; `web` is our own transparent cut-out."""
    files = resources.files(__name__).iterdir()
    return tuple(sorted(file.name.removesuffix(".yaml") for file in files if file.name.endswith(".yaml")))


@lru_cache(4096)  # categories are the tenants' own words
def load(name: str, category: str = "") -> Channel:
    """The rules of the channel `name` for products of `category` (the catalogue's free text, or empty).

    Raises UnknownChannel, or msgspec.ValidationError naming the field of a file that is not well formed.
    """
    if name not in names():
        raise UnknownChannel(f"no channel is called {name!r}; there are: {', '.join(names())}")
    return parse((resources.files(__name__) / f"{name}.yaml").read_bytes(), category)


def parse(text: bytes, category: str = "") -> Channel:
    """The rules in a YAML file's `text`. Raises msgspec.DecodeError, which names the field at fault."""
    from schemas import documents  # see schemas.categories

    file = documents.decode(text, _File)
    rules: dict[str, Any] = {name: getattr(file, name) for name in Channel.__struct_fields__}
    for special in file.by_category:
        if special.covers(category):
            rules |= special.rules()
    return Channel(**rules)


prepare(_File)
