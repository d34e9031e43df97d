"""Templates: folders with a `template.yaml` and its layers, blank products to print artwork on; those that ship lie
beside this module.

A picture is the sum of three layers of light, each an sRGB file: `plate` + the background's + the product's. The plate
is the setting with product and background painted black: what nobody can print or paint, and what the product mirrors
on top of its colour. The other two are what is added when they have their own colours, so that another colour is the
layer times their ratio, and a print is the product's light times the print over the product's own colour.

A map says where on a printable surface each pixel lies: a 16-bit PNG whose red and green are the place, 0..65535 from
the left to the right and from the top down, and whose blue is the share of the product in that pixel that the surface
takes. Lengths on a surface are in cm.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, TypeVar

import cv2
import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from schemas import documents
from schemas.channels import Hex, Size
from schemas.decoding import prepare
from schemas.errors import InputError
from schemas.records import Name

FILE = "template.yaml"
_DARKEST = 64  # below, a code value is too large a step of the light
_Code = TypeVar("_Code", np.uint8, np.uint16)
Cm = Annotated[float, Meta(gt=0.0, le=1000.0)]
FromEdge = Annotated[float, Meta(ge=0.0, le=1000.0)]


class BadTemplate(InputError, ValueError):
    """A template that is not there or not well formed; the message names the template and what is wrong."""

    code = "bad_template"
    field = "template"


class UnknownTemplate(BadTemplate):
    """No template of this name; the message lists those there are."""

    code = "unknown_template"


class Product(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is printed on: its light, its mask (grey), the colour it has there, and whether it may have another."""

    light: str
    mask: str
    color: Hex
    paintable: bool = True


class Background(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The part of the setting that may have another colour: its light and the colour it has there."""

    light: str
    color: Hex


class Surface(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A printable surface, laid flat: its map and its size."""

    name: Name
    file: str
    width_cm: Cm
    height_cm: Cm


class Area(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rectangle of the surface `map` that artwork goes on."""

    name: Name
    map: Name
    left_cm: FromEdge = 0.0
    top_cm: FromEdge = 0.0
    width_cm: Cm
    height_cm: Cm


class Template(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A template as its file describes it; `areas[0]` is printed on when none is asked for."""

    name: Name
    version: Annotated[int, Meta(ge=1)]
    title: str
    source: str
    licence: str
    size: Size
    plate: str
    product: Product
    background: Background | None = None
    maps: Annotated[tuple[Surface, ...], Meta(min_length=1)]
    areas: Annotated[tuple[Area, ...], Meta(min_length=1)]
    folder: Path = Path()

    def surface(self, area: Area) -> Surface:
        """The surface that an area of this template lies on."""
        return next(surface for surface in self.maps if surface.name == area.map)

    def files(self) -> Iterator[str]:
        """Its layers."""
        yield from (self.plate, self.product.light, self.product.mask)
        if self.background:
            yield self.background.light
        yield from (surface.file for surface in self.maps)


@dataclass(frozen=True)
class Layers:
    """A template's pictures. `plate`, `product`, `background` (None if it has none): (h, w, 3) uint8 sRGB; `mask`:
    (h, w) uint8; `maps`: (h, w, 3) uint16 by the surface's name, u, v and coverage."""

    plate: NDArray[np.uint8]
    product: NDArray[np.uint8]
    background: NDArray[np.uint8] | None
    mask: NDArray[np.uint8]
    maps: Mapping[str, NDArray[np.uint16]]


def shipped_folder() -> Path:
    """Where the templates lie that ship."""
    return Path(__file__).parent


def find(*folders: Path) -> Mapping[str, Path]:
    """The templates in these folders by name; a later folder's stand in for an earlier one's of the same name."""
    return {
        template.name: template
        for folder in folders
        for template in sorted(folder.iterdir() if folder.is_dir() else ())
        if (template / FILE).is_file()
    }


def named(name: str, *folders: Path) -> Template:
    """The template of this name in `folders`, those that ship if none is named. Raises UnknownTemplate, BadTemplate."""
    there = find(*(folders or (shipped_folder(),)))
    if name not in there:
        raise UnknownTemplate(f"no template {name!r}; there are: {', '.join(sorted(there))}")
    return load(there[name])


def load(folder: Path) -> Template:
    """The template of a folder. Raises BadTemplate naming the field, or the layer that is not there or not its size."""
    try:
        template = documents.decode((folder / FILE).read_bytes(), Template)
    except (OSError, msgspec.MsgspecError) as error:
        raise BadTemplate(f"{folder.name}: {error}") from error
    if template.name != folder.name:
        raise BadTemplate(f"{folder.name}: `name` is {template.name!r}, not its folder's name")
    _check_colours(template)
    _check_areas(template)
    for file in template.files():
        _check_layer(template, folder, file)
    return msgspec.structs.replace(template, folder=folder)


def _check_colours(template: Template) -> None:
    for layer in (template.product, template.background):
        if layer and min(bytes.fromhex(layer.color[1:])) < _DARKEST:
            raise BadTemplate(f"{template.name}: {layer.color} of {layer.light!r} is too dark to tell its light from")


def _check_areas(template: Template) -> None:
    surfaces = {surface.name: surface for surface in template.maps}
    for area in template.areas:
        surface = surfaces.get(area.map)
        if surface is None:
            raise BadTemplate(f"{template.name}: the area {area.name!r} is on {area.map!r}, which is none of its maps")
        right, bottom = area.left_cm + area.width_cm, area.top_cm + area.height_cm
        if right > surface.width_cm + 1e-6 or bottom > surface.height_cm + 1e-6:
            raise BadTemplate(f"{template.name}: the area {area.name!r} reaches beyond its map")


def _check_layer(template: Template, folder: Path, file: str) -> None:
    path = folder / file
    if not path.resolve().is_relative_to(folder.resolve()) or not path.is_file():
        raise BadTemplate(f"{template.name}: the layer {file!r} is not in its folder")
    try:
        with Image.open(path) as picture:
            size = picture.size
    except (OSError, UnidentifiedImageError) as error:
        raise BadTemplate(f"{template.name}: the layer {file!r} is no picture: {error}") from error
    if size != (template.size.width_px, template.size.height_px):
        raise BadTemplate(f"{template.name}: the layer {file!r} is {size[0]}x{size[1]}, not `size`")


@lru_cache(maxsize=4)
def layers(template: Template) -> Layers:
    """A template's pictures; those of the last four are kept (some 40 MB each). Raises BadTemplate naming the layer."""
    product, background = template.product, template.background
    return Layers(
        plate=_read(template, template.plate, 3, np.uint8),
        product=_read(template, product.light, 3, np.uint8),
        background=_read(template, background.light, 3, np.uint8) if background else None,
        mask=_read(template, product.mask, 1, np.uint8),
        maps={surface.name: _map(template, surface.file) for surface in template.maps},
    )


def _map(template: Template, file: str) -> NDArray[np.uint16]:
    found = _read(template, file, 3, np.uint16)
    if not found[..., 2].any():
        raise BadTemplate(f"{template.name}: nothing of a surface is seen in the map {file!r}")
    return found


def _read(template: Template, file: str, bands: int, kind: type[_Code]) -> NDArray[_Code]:
    pixels = cv2.imread(str(template.folder / file), cv2.IMREAD_UNCHANGED)
    shape = (template.size.height_px, template.size.width_px) + ((bands,) if bands > 1 else ())
    if pixels is None or pixels.shape != shape or pixels.dtype != kind:
        raise BadTemplate(f"{template.name}: the layer {file!r} is not {bands} bands of {np.dtype(kind).name}")
    found: NDArray[_Code] = np.ascontiguousarray(pixels[..., ::-1] if bands > 1 else pixels)
    found.setflags(write=False)
    return found


prepare(Template)
