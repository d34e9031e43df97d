"""Scenes: folders with a `scene.yaml` and its layers; those that ship lie beside this module.

Pictures are sRGB files of one size. Lengths on the surface are in cm; a point's scale grows linearly with its row, as
it does for every camera that is not rolled, so two rows say all. Azimuths: 0 is the camera's side, positive the
viewer's right; elevations are above the surface.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, field

from schemas import documents
from schemas.channels import Hex, Share
from schemas.decoding import prepare
from schemas.errors import InputError
from schemas.records import Name

FILE = "scene.yaml"
Px = Annotated[float, Meta(ge=0.0, le=30_000.0)]
Cm = Annotated[float, Meta(gt=0.0, le=100_000.0)]


class BadScene(InputError, ValueError):
    """A scene that is not there or not well formed; the message names the scene and what is wrong."""

    code = "bad_scene"
    field = "scene"


class Row(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How large one centimetre that faces the camera is on the surface's points in this row."""

    y_px: Px
    px_per_cm: Annotated[float, Meta(gt=0.0, le=1000.0)]


class Surface(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The plane that products stand on. `gloss` is the share of light it mirrors towards the camera, `roughness` how
    blurred: 0 is a mirror."""

    near: Row
    far: Row
    gloss: Share = 0.0
    roughness: Share = 0.5

    def px_per_cm(self, y_px: float) -> float:
        """The scale in row `y_px`."""
        slope = (self.near.px_per_cm - self.far.px_per_cm) / (self.near.y_px - self.far.y_px)
        return self.far.px_per_cm + slope * (y_px - self.far.y_px)


class Camera(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`elevation_deg`: how steeply it looks down on the places. `focal_px`: its focal length."""

    elevation_deg: Annotated[float, Meta(ge=0.0, le=89.0)]
    focal_px: Px
    focus_cm: Cm | None = None
    f_number: Annotated[float, Meta(gt=0.0, le=128.0)] | None = None


class Light(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The main light. `softness_deg` is its apparent diameter. `ambient` is the share of the light on the surface that
    remains in its shadow; where there is a `key` layer that layer says it, point by point."""

    azimuth_deg: Annotated[float, Meta(ge=-180.0, le=180.0)]
    elevation_deg: Annotated[float, Meta(gt=0.0, le=90.0)]
    softness_deg: Annotated[float, Meta(gt=0.0, le=180.0)]
    colour: Hex = "#FFFFFF"
    ambient: Share = 0.5


class Place(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a product may stand: its foot's middle, and what room there is. The first one is for the main product.

    `depth_cm` is how far the place may be moved towards the camera or away from it, each way, `width_cm` the room
    from left to right."""

    name: Name
    x_px: Px
    y_px: Px
    width_cm: Cm
    depth_cm: Cm
    height_cm_max: Cm


class Prop(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something that may be there or not: `file` is an RGBA picture (straight alpha) whose upper left corner belongs at
    (x_px, y_px), opaque where the plate looks different with it, its shadow included; `key_file` is the same part of
    the key, with the same alpha. The places it takes the room of are in `hides_places`."""

    name: Name
    file: str
    x_px: Annotated[int, Meta(ge=0, le=30_000)]
    y_px: Annotated[int, Meta(ge=0, le=30_000)]
    key_file: str | None = None
    hides_places: tuple[Name, ...] = ()


class Paint(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of the scene that may have other colours: `mask` is grey, white where it is. `colours[0]` is its own."""

    name: Name
    mask: str
    colours: Annotated[tuple[Hex, ...], Meta(min_length=1)]


class Scene(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A scene as its file describes it.

    `plate` is the empty scene. `key` (optional) is the part of the plate's light that comes straight from the main
    light: the plate minus the key, in linear light, is what a shadow leaves. `occluder` (RGBA, straight alpha,
    optional) lies in front of the places and belongs over every picture: the plate has its shadow, not itself. `depth`
    (16-bit grey, optional) is the plate's distance along the camera's axis in mm, 65535 for farther. `suits` are words
    of categories, empty for all; `tags` are the terms of `schemas.wording` by which words find it. `height_cm` is how
    tall the products are that the scene is for. `grain` is the plate's own noise, as the standard deviation of linear
    light at middle grey.
    """

    name: Name
    version: Annotated[int, Meta(ge=1)]
    title: str
    source: str
    licence: str
    kind: Literal["interior", "outdoors", "studio"]
    plate: str
    key: str | None = None
    occluder: str | None = None
    depth: str | None = None
    camera: Camera
    surface: Surface
    light: Light
    places: Annotated[tuple[Place, ...], Meta(min_length=1)]
    suits: tuple[str, ...] = ()
    tags: tuple[Name, ...] = ()
    height_cm: tuple[Cm, Cm]
    grain: Annotated[float, Meta(ge=0.0, le=0.1)] = 0.0
    props: tuple[Prop, ...] = ()
    paints: tuple[Paint, ...] = field(default=())
    folder: Path = Path()

    def covers(self, category: str) -> bool:
        """Whether it suits products of this category (the catalogue's free text)."""
        return not self.suits or self.closeness(category) > (0, 0)

    def closeness(self, category: str) -> tuple[int, int]:
        """How narrowly it names the category, `Home > Cushions`: the deepest level that it has a word for, counted from
        1, and how many levels; (0, 0) where it has no word for any."""
        levels = enumerate(category.casefold().split(">"), 1)
        named = [depth for depth, level in levels if any(word in level for word in self.suits)]
        return max(named, default=0), len(named)

    def files(self) -> Iterator[str]:
        """The layers it names, each once."""
        named = [self.plate, self.key, self.occluder, self.depth]
        named += [file for prop in self.props for file in (prop.file, prop.key_file)]
        named += [paint.mask for paint in self.paints]
        yield from dict.fromkeys(file for file in named if file)


def shipped_folder() -> Path:
    """Where the scenes lie that ship."""
    return Path(__file__).parent


def find(*folders: Path) -> Mapping[str, Path]:
    """The scenes in these folders by name; a later folder's stand in for an earlier one's of the same name."""
    return {
        scene.name: scene
        for folder in folders
        for scene in sorted(folder.iterdir() if folder.is_dir() else ())
        if (scene / FILE).is_file()
    }


def load(folder: Path) -> Scene:
    """The scene of a folder. Raises BadScene naming the field, or the layer that is not there."""
    try:
        scene = documents.decode((folder / FILE).read_bytes(), Scene)
    except (OSError, msgspec.MsgspecError) as error:
        raise BadScene(f"{folder.name}: {error}") from error
    if scene.name != folder.name:
        raise BadScene(f"{folder.name}: `name` is {scene.name!r}, not its folder's name")
    if scene.surface.near.y_px <= scene.surface.far.y_px:
        raise BadScene(f"{folder.name}: `surface.near.y_px` must be lower in the picture than `surface.far.y_px`")
    for file in scene.files():
        if not (folder / file).resolve().is_relative_to(folder.resolve()) or not (folder / file).is_file():
            raise BadScene(f"{folder.name}: the layer {file!r} is not in its folder")
    return msgspec.structs.replace(scene, folder=folder)


prepare(Scene)
