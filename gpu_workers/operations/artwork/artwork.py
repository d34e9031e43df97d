"""Artwork: a print or a logo on a blank product, in that product's light."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from gpu_workers.imaging.linear_light import coded, colour, opacity, to_linear
from gpu_workers.imaging.types import Codes, Plane
from gpu_workers.library.templates import Area, Template, layers
from gpu_workers.operations.artwork.printing import printed
from schemas.channels import Size
from schemas.errors import InputError
from schemas.operations.artwork import ArtworkParameters
from schemas.operations.base import BadParameters

_CM_PER_INCH = 2.54
# Set by hand, none is fitted, but where a line says so.
_ENLARGED_MAX = 2.0  # times: a print that is enlarged further is refused
_SHARE = {"left": 0.0, "top": 0.0, "center": 0.5, "right": 1.0, "bottom": 1.0}
_COVERED = 0.5 / 255  # half a code value: less coverage is none
_SLIGHT = 0.1  # of the mask, towards which coverage ends: it is uncertain there


class BadArtwork(InputError, ValueError):
    """Artwork that is not what can be printed; the message says what it is."""

    code = "bad_artwork"
    field = "art"


@dataclass(frozen=True)
class Placement:
    """Where the artwork lies on its surface, in cm, and the part of its pixels that is shown there."""

    left_cm: float
    top_cm: float
    width_cm: float
    height_cm: float
    crop: tuple[slice, slice]

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, width, height in cm."""
        return self.left_cm, self.top_cm, self.width_cm, self.height_cm

    @property
    def dpi(self) -> float:
        """How many of the artwork's pixels lie on an inch."""
        columns = self.crop[1]
        return float((columns.stop - columns.start) / self.width_cm * _CM_PER_INCH)


@dataclass(frozen=True)
class View:
    """A template at the size of the picture, float32 linear light.

    `light`: (h, w, 3), what a white product adds to the picture. `rest`: (h, w, 3), all else, with what the product
    mirrors. `mask`: (h, w), the product, 0..1. `places`: (h, w, 2), where on the surface a pixel lies, in cm from its
    upper left corner. `coverage`: (h, w), the share of the product in a pixel that is this surface, 0..1.
    """

    light: Plane
    rest: Plane
    mask: Plane
    places: Plane
    coverage: Plane


@dataclass(frozen=True)
class Printed:
    """A picture of the printed product before it is encoded.

    `canvas`: (h, w, 3), uint8 sRGB or uint16 WIDE, as the artwork is. `mask`: (h, w) uint8, the product.
    `print_mask`: (h, w) uint8, the print, 0 where there is nothing of it.
    `product`: (3,) uint8, the product's colour. `size_cm`: of the surface that was printed on.
    """

    canvas: Codes
    mask: NDArray[np.uint8]
    print_mask: NDArray[np.uint8]
    product: NDArray[np.uint8]
    placement: Placement
    view: View
    size_cm: tuple[float, float]
    measures: dict[str, float]


def artwork(art: Codes, template: Template, parameters: ArtworkParameters) -> Printed:
    """`art` (h, w, 4; uint8 sRGB or uint16 WIDE, straight alpha) printed on a template's area.

    Raises BadArtwork and BadParameters.

    Without artwork on it the picture is the template's own, and so it is outside the print and its edge. `measures`:
    `effective_dpi`, the artwork's pixels on an inch of it; `print_coverage`, the share of the area's part in the
    picture that the print covers.
    """
    _check(art)
    area = _area(template, parameters.area)
    surface = template.surface(area)
    placement = place((art.shape[1], art.shape[0]), area, parameters)
    view = _view(template, area, parameters)
    ink = _ink(art[placement.crop], placement, (surface.width_cm, surface.height_cm), view)
    product = colour(parameters.product_color or template.product.color)
    albedo = to_linear(product) * (1 - ink[..., 3:]) + ink[..., :3]
    return Printed(
        canvas=coded(view.rest + view.light * albedo, art.dtype),
        mask=np.rint(view.mask * 255).astype(np.uint8),
        print_mask=np.ceil(np.minimum(ink[..., 3] * view.mask, 1) * 255).astype(np.uint8),
        product=product,
        placement=placement,
        view=view,
        size_cm=(surface.width_cm, surface.height_cm),
        measures=_measures(ink[..., 3], placement, area, view),
    )


def _check(art: Codes) -> None:
    if art.dtype not in (np.uint8, np.uint16) or art.ndim != 3 or art.shape[2] != 4:
        wanted = "(height, width, 4) uint8 or uint16 with alpha"
        raise BadArtwork(f"artwork must be {wanted}, this is {art.shape} {art.dtype}")
    if not art[..., 3].any():
        raise BadArtwork("the artwork is transparent everywhere")


def _area(template: Template, name: str | None) -> Area:
    found = {area.name: area for area in template.areas}
    if name is not None and name not in found:
        raise BadParameters(f"`area`: {template.name} has no area {name!r}; there are: {', '.join(found)}", "area")
    return found[name] if name is not None else template.areas[0]


def place(size_px: tuple[int, int], area: Area, parameters: ArtworkParameters) -> Placement:
    """Where artwork of `size_px` (width, height) lies on the area's surface."""
    margin = parameters.padding * min(area.width_cm, area.height_cm)
    room = (area.width_cm - 2 * margin, area.height_cm - 2 * margin)
    ratios = [room[axis] / size_px[axis] for axis in (0, 1)]
    cm_per_px = min(ratios) if parameters.scaling == "fit" else max(ratios)
    shares = (_SHARE[parameters.horizontal_alignment], _SHARE[parameters.vertical_alignment])
    starts, sides, crop = [], [], []
    for axis, edge in enumerate((area.left_cm, area.top_cm)):
        shown = min(size_px[axis], max(1, round(room[axis] / cm_per_px)))
        first = round((size_px[axis] - shown) * shares[axis])
        crop.append(slice(first, first + shown))
        sides.append(shown * cm_per_px)
        starts.append(edge + margin + max(room[axis] - sides[axis], 0) * shares[axis])
    return Placement(starts[0], starts[1], sides[0], sides[1], (crop[1], crop[0]))


def _ink(art: Codes, placement: Placement, size_cm: tuple[float, float], view: View) -> Plane:
    """The print as the product's colour is replaced by it, linear light with premultiplied alpha, (h, w, 4)."""
    ink = np.zeros((*view.coverage.shape, 4), np.float32)
    rows, columns = _box(view.coverage > _COVERED)
    coverage = view.coverage[rows, columns]
    found = printed(art, placement.box, size_cm, view.places[rows, columns], coverage > _COVERED)
    ink[rows, columns] = found * coverage[..., None]
    ink[ink[..., 3] < _COVERED] = 0
    return ink


def _box(where: NDArray[np.bool_]) -> tuple[slice, slice]:
    rows, columns = np.flatnonzero(where.any(axis=1)), np.flatnonzero(where.any(axis=0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def _measures(alpha: Plane, placement: Placement, area: Area, view: View) -> dict[str, float]:
    seen = view.coverage * view.mask
    across, down = np.moveaxis(view.places, -1, 0)
    inside = (across >= area.left_cm) & (across <= area.left_cm + area.width_cm)
    inside &= (down >= area.top_cm) & (down <= area.top_cm + area.height_cm)
    return {
        "effective_dpi": placement.dpi,
        "print_coverage": float((alpha * view.mask)[inside].sum() / max(float(seen[inside].sum()), 1.0)),
    }


# --- the template at the picture's size ---------------------------------------------------------


def _view(template: Template, area: Area, parameters: ArtworkParameters) -> View:
    found = layers(template)
    own = to_linear(colour(template.product.color))
    light, rest = to_linear(found.product) / own, to_linear(found.plate)
    if template.background and found.background is not None:
        rest = rest + to_linear(found.background) * _change(template.background.color, parameters.background_color)
    _check_colours(template, parameters)
    surface, map_ = template.surface(area), found.maps[area.map]
    mask = opacity(found.mask)
    # Where there is next to nothing of the product, its light is what it throws on its surroundings.
    coverage = map_[..., 2].astype(np.float32) / np.float32(65535) * np.minimum(mask / np.float32(_SLIGHT), 1)
    places = map_[..., :2].astype(np.float32) * np.array([surface.width_cm / 65535, surface.height_cm / 65535], "f4")
    whole = View(light, rest, mask, places, coverage)
    return whole if parameters.size in (None, template.size) else _resized(whole, template, parameters.size)


def _check_colours(template: Template, parameters: ArtworkParameters) -> None:
    if parameters.product_color and not template.product.paintable:
        raise BadParameters(f"`product.color`: the product of {template.name} has one colour only", "product.color")
    if parameters.background_color and not template.background:
        raise BadParameters(f"`background.color`: {template.name} has its own background", "background.color")


def _change(own: str, wanted: str | None) -> Plane:
    """What a layer of light in its `own` colour is multiplied by to have the `wanted` one."""
    return to_linear(colour(wanted or own)) / to_linear(colour(own))


def _resized(view: View, template: Template, size: Size | None) -> View:
    """The view on a canvas of another size, cut to its shape about the middle. Raises BadParameters."""
    assert size is not None
    scale = max(size.width_px / template.size.width_px, size.height_px / template.size.height_px)
    if scale > _ENLARGED_MAX:
        raise BadParameters(f"`outputSize`: more than twice {template.name}'s own {template.size}", "outputSize")
    full = (round(template.size.width_px * scale), round(template.size.height_px * scale))
    left, top = (full[0] - size.width_px) // 2, (full[1] - size.height_px) // 2
    cut = slice(top, top + size.height_px), slice(left, left + size.width_px)
    weight = view.coverage * view.mask
    mask, seen = np.minimum(_scaled(view.mask, full), 1), _scaled(weight, full)
    outside = mask.copy()
    outside[cut] = 0
    if outside.max() > 0.5:
        raise BadParameters("`outputSize`: the product does not fit into a picture of this shape", "outputSize")
    places = _scaled(view.places * weight[..., None], full) / np.maximum(seen, 1e-6)[..., None]
    coverage = np.clip(seen / np.maximum(mask, 1e-6), 0, 1, dtype=np.float32) * (mask > _COVERED)
    light, rest = _scaled(view.light, full), _scaled(view.rest, full)
    return View(light[cut], rest[cut], mask[cut], np.asarray(places, np.float32)[cut], coverage[cut])


def _scaled(plane: Plane, size: tuple[int, int]) -> Plane:
    smaller = size[0] < plane.shape[1]
    out = cv2.resize(plane, size, interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)
    return np.asarray(out, np.float32)
