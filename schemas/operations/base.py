"""What every operation says of itself, and what all of their parameters have in common."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal, Self, get_args

import msgspec
import msgspec.inspect
from msgspec import Meta

from schemas.channels import Channel, CheckedPoint, Size
from schemas.errors import InputError
from schemas.text import explained, whole

Pool = Literal["cutout", "compose"]
POOLS: tuple[Pool, ...] = get_args(Pool)
Kind = Literal["cutout", "source", "picture", "transparent", "clip"]
Ground = Literal["asked", "own", "given"]
Extent = Literal["fill", "canvas", "any"]
Point = CheckedPoint
Required = Mapping[str, Point]

# What several operations' pictures must have measured, by the point of the checklist that it is for.
FILE: Required = {
    "width_px": "channel",
    "height_px": "channel",
    "size_bytes": "channel",
    "format_allowed": "channel",
    "has_srgb_profile": "channel",
    "has_source_type": "channel",
}
KEPT: Required = {"canvas_difference_max": "product", "cropped_edges": "product", "product_difference_mean": "colour"}
CUT: Required = {
    "cutout.uncertainty": "edges",
    "cutout.person_share": "channel",
    "cutout.overlay_words": "text",
    "cutout.watermark_words": "text",
}
TEXT: Required = {"text_edit_distance": "text", "text_lost": "text", "codes_lost": "text"}
ALPHA: Required = {
    "alpha_partial_share": "edges",
    "alpha_soft_share": "edges",
    "alpha_open_rim_share": "edges",
    "alpha_coverage": "edges",
}
_GROUND_DEMANDED: Required = {"background_as_channel": "channel", "background_exact_share": "channel"}
_GROUND_REQUESTED: Required = {"background_near_share": "channel"}


class BadParameters(InputError, ValueError):
    """Parameters that an operation does not have or cannot use; `field` names the one at fault."""

    code = "bad_parameters"

    def __init__(self, message: str, field: str) -> None:
        super().__init__(message)
        self.field = field


OutputSize = Annotated[str, Meta(pattern=whole("[1-9][0-9]{1,4}x[1-9][0-9]{1,4}"))]


def described(title: str, hint: str, unit: str = "") -> Meta:
    """How people are told of a parameter: its name in words, what it does, and the unit of its figure."""
    return Meta(title=title, description=hint, extra={"unit": unit})


@dataclass(frozen=True)
class Description:
    """A parameter as people are told of it. `least` and `most` bound a figure; None where nothing does."""

    title: str
    hint: str
    unit: str
    least: float | None
    most: float | None


class Parameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The parameters of one operation, under the names that merchants know.

    Those `of_ours` only the flow sets, by what it knows to be right; no recipe, default or caller may.
    """

    of_ours: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def given(cls, values: Mapping[str, str]) -> Self:
        """From the texts of a recipe or a caller. Raises BadParameters naming the parameter."""
        if wrong := sorted(cls.of_ours & values.keys()):
            raise BadParameters(f"`{wrong[0]}` is not to be given here", wrong[0])
        return cls.parse(values)

    @classmethod
    def parse(cls, values: Mapping[str, str]) -> Self:
        """From the texts of a step. Raises BadParameters naming the parameter."""
        fields = {field.encode_name: field for field in msgspec.structs.fields(cls)}
        for name in values:
            if name not in fields:
                raise BadParameters(f"`{name}` is no parameter of this operation; there are: {', '.join(fields)}", name)
        for name, known in fields.items():
            if known.required and name not in values:
                raise BadParameters(f"`{name}` must be given", name)
        for name, value in values.items():
            try:
                msgspec.convert(value, fields[name].type, strict=False)
            except msgspec.ValidationError as error:
                raise BadParameters(f"`{name}` = {value!r}: {explained(str(error))}", name) from error
        try:
            return msgspec.convert(dict(values), cls, strict=False)
        except msgspec.ValidationError as error:  # of `__post_init__`: they do not fit together
            raise BadParameters(explained(str(error)), getattr(error.__cause__, "field", "")) from error

    @classmethod
    def descriptions(cls) -> dict[str, Description]:
        """Every parameter as people are told of it, by its name."""
        return {each.encode_name: _described(each.type) for each in msgspec.structs.fields(cls)}


def _described(of: Any) -> Description:
    declared = msgspec.inspect.type_info(of)
    known = declared.extra_json_schema or {} if isinstance(declared, msgspec.inspect.Metadata) else {}
    unit = (declared.extra or {}).get("unit", "") if isinstance(declared, msgspec.inspect.Metadata) else ""
    schema = msgspec.json.schema(of)
    kinds = schema.get("anyOf", [schema])
    figures: Mapping[str, Any] = next((each for each in kinds if each.get("type") in ("number", "integer")), {})
    least = figures.get("minimum", figures.get("exclusiveMinimum"))
    most = figures.get("maximum", figures.get("exclusiveMaximum"))
    return Description(known.get("title", ""), known.get("description", ""), unit, least, most)


class SizedParameters(Parameters, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Those of an operation whose picture may have another size than is usual. `outputSize`: WIDTHxHEIGHT in pixels."""

    output_size: Annotated[
        OutputSize | None, described("Size of the picture", "width x height, as 2000x2000", "pixels")
    ] = msgspec.field(default=None, name="outputSize")

    @property
    def size(self) -> Size | None:
        """`outputSize`, if it was given."""
        if self.output_size is None:
            return None
        width, height = self.output_size.split("x")
        return Size(int(width), int(height))


@dataclass(frozen=True, kw_only=True)
class Operation:
    """What the flow knows of an operation: the schema half, `OPERATION` in the file of its name.

    `makes`: a `cutout`; a `source` with all that is in it; a `picture` with its product's mask; a `transparent` one
    or a `clip`, with which nothing goes on; None for the same as it was made of. `takes`: what it goes on with; nothing
    for one that begins a recipe with the product's own file.

    `ground`: what is behind the product. It is `asked` for, and so measured; or its `own`, and channels that demand
    theirs ban it; or `given` by the step before it. `banned_by`: the words of channels' bans that ban it.

    `extent`: how much of a picture's longer side the product takes at most, which tells how large a photograph is kept:
    the channel's `fill`, the whole `canvas`, or `any` share of any size.

    `required`: the measures that a picture of it must have, each with the point of the checklist that it is for.
    `network`: whether a released model works on it. `beside`: the files that it makes besides its picture, by their
    role, as media types; who names none is given the first of them.
    """

    name: str
    summary: str
    pool: Pool
    parameters: type[Parameters]
    takes: frozenset[Kind] = frozenset()
    makes: Kind | None = None
    ground: Ground = "given"
    banned_by: frozenset[str] = frozenset()
    extent: Extent = "any"
    required: Required = field(default_factory=dict)
    network: bool = False
    beside: Mapping[str, str] = field(default_factory=dict)

    @property
    def makes_pictures(self) -> bool:
        """Whether its pictures are assets, which gates judge."""
        return bool(self.takes)

    def allowed_on(self, channel: Channel) -> bool:
        """Whether a channel's rules let it make pictures for the channel."""
        hidden = self.ground == "own" and channel.background_required
        return not hidden and self.banned_by.isdisjoint(channel.bans)

    def required_on(self, channel: Channel) -> Required:
        """The measures that its picture for a channel must have, each with its point."""
        if channel.background_required:
            return {**self.required, **_GROUND_DEMANDED}
        return {**self.required, **_GROUND_REQUESTED} if self.ground == "asked" else self.required
