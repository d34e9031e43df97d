"""Brands: what a house's pictures have in common, one YAML file a brand; those that ship lie beside this module.

A profile is learned from example pictures (gpu_workers.operations.style.brand_learning) and may be corrected by hand:
colours are CIE Lab under D65, shares are of 1.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
import yaml
from msgspec import Meta, field
from numpy.typing import NDArray

from gpu_workers.imaging.colour_difference import lab_to_srgb
from gpu_workers.imaging.lut import PRESETS, BadLut, Lut, preset, read_cube
from schemas import documents
from schemas.channels import Hex, ShadowMode, Share
from schemas.decoding import prepare
from schemas.errors import InputError
from schemas.records import Name, Sha256

LEVELS = 16
EXAMPLES_MIN = 10
_DIAGONAL = 0.5**0.5
# Along L*, a*, b* and half-way between each two: what differs in three dimensions differs along one of these.
DIRECTIONS: NDArray[np.float32] = np.array(
    [
        [1, 0, 0],
        [0, 1, 0],
        [0, 0, 1],
        [_DIAGONAL, _DIAGONAL, 0],
        [_DIAGONAL, -_DIAGONAL, 0],
        [_DIAGONAL, 0, _DIAGONAL],
        [_DIAGONAL, 0, -_DIAGONAL],
        [0, _DIAGONAL, _DIAGONAL],
        [0, _DIAGONAL, -_DIAGONAL],
    ],
    np.float32,
)

Lightness = Annotated[float, Meta(ge=0.0, le=100.0)]
Chromatic = Annotated[float, Meta(ge=-150.0, le=150.0)]
LabColour = tuple[Lightness, Chromatic, Chromatic]
Row3 = tuple[float, float, float]
Quantiles = Annotated[tuple[float, ...], Meta(min_length=LEVELS, max_length=LEVELS)]
Kind = Literal["plain", "scene"]


class BadBrand(InputError, ValueError):
    """A brand that is not there or not well formed; the message names the file and the field."""

    code = "bad_brand"
    field = "brand"


class Swatch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A colour of the palette and its share of the pictures."""

    lab: LabColour
    share: Share

    @property
    def color(self) -> str:
        """#RRGGBB, as near as sRGB comes."""
        return hex_of(np.array(self.lab))


class Colours(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How colours are spread in a picture, as the mean over the examples.

    `quantiles`: along each of DIRECTIONS, LEVELS values that split the pixels evenly; the first row is L*, the tone.
    """

    mean: LabColour
    covariance: tuple[Row3, Row3, Row3]
    quantiles: Annotated[tuple[Quantiles, ...], Meta(min_length=len(DIRECTIONS), max_length=len(DIRECTIONS))]

    def __post_init__(self) -> None:
        matrix = np.array(self.covariance)
        if np.abs(matrix - matrix.T).max() > 1e-3 or np.linalg.eigvalsh(matrix).min() < -1e-2:
            raise ValueError("`covariance` must be symmetric, and no variance below 0")
        if any((np.diff(row) < 0).any() for row in self.quantiles):
            raise ValueError("`quantiles` must not fall along a row")


class Surroundings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `count` examples show around their products. `distance_median` and `distance_mad` (median absolute
    deviation): how far each example's own surroundings are from those of the others, in Lab units."""

    count: Annotated[int, Meta(ge=1)]
    colours: Colours
    distance_median: Annotated[float, Meta(ge=0.0)]
    distance_mad: Annotated[float, Meta(ge=0.0)]


class Shadow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`strength`: how much of the ground's light is missing where the product stands."""

    mode: ShadowMode
    strength: Share


class LearnedFrom(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The examples, by the sha256 of their files."""

    count: Annotated[int, Meta(ge=EXAMPLES_MIN)]
    digests: tuple[Sha256, ...]

    def __post_init__(self) -> None:
        if len(self.digests) != self.count:
            raise ValueError("`count` must be the number of `digests`")


class BrandProfile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A brand as its file describes it.

    `background`, `shadow`, `fill` (the product's share of the canvas) and `plain` come from the examples on a plain
    ground, `scene` from the others; what no example shows is None. `whole` is of whole pictures, products included.
    `product_cap`: the median ΔE00 that a product may change by. `lut`: a look on top, the name of a preset or of a
    `.cube` file beside the brand's.
    """

    name: Name
    version: Annotated[int, Meta(ge=1)]
    learned_from: LearnedFrom
    palette: Annotated[tuple[Swatch, ...], Meta(min_length=1, max_length=16)]
    whole: Colours
    plain: Surroundings | None
    scene: Surroundings | None
    background: Hex | None
    shadow: Shadow | None
    fill: Annotated[float, Meta(gt=0.0, le=1.0)] | None
    product_cap: Annotated[float, Meta(ge=0.0, le=10.0)] = 2.0
    lut: str | None = None
    folder: Path = field(default=Path())

    def __post_init__(self) -> None:
        if self.plain is None and self.scene is None:
            raise ValueError("`plain` and `scene` cannot both be none")
        if sum(swatch.share for swatch in self.palette) > 1.01:  # they are rounded
            raise ValueError("`palette` has shares of more than 1 together")

    def surroundings(self, kind: Kind) -> Surroundings:
        """What pictures of this kind look like around the product; a brand that shows but one kind has it for both."""
        own, other = (self.plain, self.scene) if kind == "plain" else (self.scene, self.plain)
        found = own or other
        assert found is not None
        return found

    def files(self) -> tuple[Path, ...]:
        """The files that say it: its own, and its look's where that is not one of ours."""
        own = self.folder / f"{self.name}.yaml"
        return (own, self.folder / self.lut) if self.lut is not None and self.lut.endswith(".cube") else (own,)

    def look(self) -> Lut | None:
        """The table that `lut` names. Raises BadBrand."""
        if self.lut is None:
            return None
        try:
            if self.lut.endswith(".cube"):
                return read_cube((self.folder / self.lut).read_text())
            return preset(self.lut)
        except (OSError, UnicodeDecodeError, BadLut) as error:
            raise BadBrand(f"{self.name}: `lut` {self.lut!r}: {error}") from error


def hex_of(lab: NDArray[np.floating[Any]]) -> str:
    """#RRGGBB of a Lab colour (3,), as near as sRGB comes."""
    red, green, blue = np.rint(lab_to_srgb(lab) * 255).astype(int)
    return f"#{red:02X}{green:02X}{blue:02X}"


def defaults(brand: BrandProfile) -> dict[str, str]:
    """The parameters that make a packshot or a mockup one of this brand's, as a recipe's texts."""
    texts = {}
    if brand.background is not None:
        texts["background.color"] = brand.background
    if brand.shadow is not None:
        texts["shadow.mode"] = brand.shadow.mode
    if brand.fill is not None:
        texts["padding"] = f"{min((1 - brand.fill) / 2, 0.45):.3f}"
    return texts


def shipped_folder() -> Path:
    """Where the brands lie that ship."""
    return Path(__file__).parent


def find(*folders: Path) -> Mapping[str, Path]:
    """The brands' files in these folders by name; a later folder's stand in for an earlier one's of the same name."""
    return {file.stem: file for folder in folders for file in sorted(folder.glob("*.yaml"))}


def load(file: Path) -> BrandProfile:
    """The brand of a file. Raises BadBrand naming the file and the field, or the look that is not there."""
    try:
        brand = documents.decode(file.read_bytes(), BrandProfile)
    except (OSError, msgspec.MsgspecError) as error:
        raise BadBrand(f"{file.name}: {error}") from error
    if brand.name != file.stem:
        raise BadBrand(f"{file.name}: `name` is {brand.name!r}, not its file's")
    if brand.lut is None or brand.lut in PRESETS:
        return msgspec.structs.replace(brand, folder=file.parent)
    if Path(brand.lut).name != brand.lut or not (file.parent / brand.lut).is_file():
        known = ", ".join(PRESETS)
        raise BadBrand(f"{file.name}: `lut` {brand.lut!r} is no file beside it and none of our looks: {known}")
    return msgspec.structs.replace(brand, folder=file.parent)


def dump(brand: BrandProfile) -> str:
    """The text of a brand's file; equal brands have equal texts."""
    fields: dict[str, Any] = msgspec.to_builtins(brand, enc_hook=str)
    del fields["folder"]
    return yaml.safe_dump(fields, sort_keys=False, default_flow_style=None, width=120)


def rounded(values: Iterable[float]) -> tuple[float, ...]:
    """Two decimals: finer than anyone sees, and a file that can be read."""
    return tuple(round(float(value), 2) + 0.0 for value in values)


prepare(BrandProfile)
