"""Cutout: the product alone, with straight alpha and its own colours at the edges."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from gpu_workers.operations import matting
from gpu_workers.operations.matting import Flags, Plane
from schemas.parameters import CutoutParameters

Image = NDArray[np.uint8] | NDArray[np.uint16]
Rgba = NDArray[np.uint8]
_Pixel = TypeVar("_Pixel", bound=np.generic)
Look = Callable[[Rgba], Plane]

LOOKS = 2
_BOX_MARGIN = 0.12
_SOLVE_PIXELS_MAX = 2_500_000


class CutoutError(Exception):
    """No cutout can be made of this picture.

    CutoutError
    ├── BadImage    not an 8- or 16-bit RGB or RGBA picture
    └── NoSubject   nothing stands out from the background
    """


class BadImage(CutoutError):
    """The array is not a picture this operation takes."""


class NoSubject(CutoutError):
    """The picture shows nothing that could be a product."""


@dataclass(frozen=True)
class Cutout:
    """A cutout, uint8 RGBA (h, w, 4) with straight alpha, and what was measured while making it.

    Measures: uncertainty 0..1, agreement of the two looks 0..1, coverage 0..1, band_width_px, islands,
    plain_background 0 or 1, has_own_alpha 0 or 1, own_shadow_share 0..1. On a plain background also, over the product's
    area: look_through_share, product that cannot be told from the background, and left_out_share, what is neither.
    """

    rgba: Rgba
    measures: dict[str, float]


@dataclass(frozen=True)
class _Box:
    left: int
    top: int
    right: int
    bottom: int

    def of(self, picture: NDArray[_Pixel]) -> NDArray[_Pixel]:
        return picture[self.top : self.bottom, self.left : self.right]


def cutout(image: Image, look: Look, parameters: CutoutParameters | None = None) -> Cutout:
    """Cut the product out of `image`, uint8 or uint16 sRGB (h, w, 3) or with straight alpha (h, w, 4).

    `look` is the network: for uint8 RGB (h, w, 3) its mask, float32 in 0..1, squashed to whatever size it works at; it
    is asked twice. Equal inputs give equal bytes. Raises BadImage, NoSubject, and what `look` raises.
    """
    parameters = parameters or CutoutParameters()
    picture = _eight_bit(image)
    if parameters.keep_own_alpha and has_clean_alpha(picture):
        return _as_it_is(picture)
    rgb = _on_white(picture)
    seen = look(rgb)
    coarse = _enlarged(seen, rgb)
    box = subject_box(coarse)
    mask, agreement = _second_look(rgb, coarse, box, look)
    return _refined(rgb, coarse, box, mask, agreement, max(seen.shape), parameters)


def compare(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> tuple[float, float]:
    """How two alphas (h, w; uint8) agree: intersection over union of what is solid, and mean difference in 0..1."""
    either = np.count_nonzero((first > 127) | (second > 127))
    both = np.count_nonzero((first > 127) & (second > 127))
    difference = cv2.absdiff(first, second)
    return float(both / either) if either else 1.0, float(difference.mean() / 255)


def warm_up() -> None:
    """Compile the matting kernels, which otherwise happens in the first cutout."""
    ramp = np.tile(np.linspace(0, 1, 64, dtype=np.float32), (64, 1))
    rgb = np.repeat(ramp[..., None], 3, axis=2)
    alpha = matting.solve(rgb, matting.trimap(ramp, 2), ramp)
    matting.foreground_colours(rgb, alpha)


def has_clean_alpha(picture: Rgba) -> bool:
    """Whether uint8 RGBA is a cutout already: some of it solid, much of its rim and some of it clear."""
    if picture.shape[2] != 4:
        return False
    alpha = picture[..., 3]
    rim = np.concatenate([alpha[0], alpha[-1], alpha[:, 0], alpha[:, -1]])
    return bool((rim == 0).mean() > 0.25 and (alpha == 0).mean() > 0.02 and (alpha > 250).mean() > 0.005)


def subject_box(mask: Plane) -> _Box:
    """The box about everything the mask is fairly sure of, with a margin. Raises NoSubject."""
    sure = (mask > 0.5).astype(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(sure, connectivity=8)
    kept = stats[:, cv2.CC_STAT_AREA] > 0.0005 * mask.size
    kept[0] = False
    if not kept.any():
        raise NoSubject(f"nothing stands out: the mask's highest value is {float(mask.max()):.2f}")
    ys, xs = np.nonzero(kept[labels])
    left, right, top, bottom = int(xs.min()), int(xs.max()) + 1, int(ys.min()), int(ys.max()) + 1
    pad = max(round(_BOX_MARGIN * max(right - left, bottom - top)), 8)
    height, width = mask.shape
    return _Box(max(0, left - pad), max(0, top - pad), min(width, right + pad), min(height, bottom + pad))


def _eight_bit(image: Image) -> Rgba:
    if image.ndim != 3 or image.shape[2] not in (3, 4) or not image.size:
        raise BadImage(f"the picture has shape {image.shape}, not (height, width, 3 or 4)")
    if image.dtype == np.uint16:
        return ((image.astype(np.uint32) + 128) // 257).astype(np.uint8)
    if image.dtype != np.uint8:
        raise BadImage(f"the picture is {image.dtype}, not uint8 or uint16")
    return np.ascontiguousarray(image, np.uint8)


def _on_white(picture: Rgba) -> Rgba:
    if picture.shape[2] == 3:
        return picture
    alpha = picture[..., 3:].astype(np.uint16)
    return ((picture[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)


def _as_it_is(picture: Rgba) -> Cutout:
    alpha = picture[..., 3]
    measures = {
        "uncertainty": 0.0,
        "agreement": 1.0,
        "coverage": float(alpha.mean() / 255),
        "band_width_px": 0.0,
        "islands": float(_island_count(alpha > 127)),
        "plain_background": 0.0,
        "look_through_share": 0.0,
        "left_out_share": 0.0,
        "has_own_alpha": 1.0,
        "own_shadow_share": _own_shadow_share(picture),
    }
    return Cutout(picture, measures)


def _island_count(solid: Flags) -> int:
    _, _, stats, _ = cv2.connectedComponentsWithStats(solid.astype(np.uint8), connectivity=8)
    return int((stats[1:, cv2.CC_STAT_AREA] >= 0.001 * max(1, solid.sum())).sum())


def _own_shadow_share(picture: Rgba) -> float:
    """Share of what is visible that is dark, see-through and away from anything solid: the supplier's shadow."""
    alpha = picture[..., 3]
    near_solid = cv2.dilate((alpha > 230).astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    shadow = (alpha > 0) & (alpha <= 230) & ~near_solid & (picture[..., :3].max(axis=2) < 90)
    return float(shadow.sum() / max(1, np.count_nonzero(alpha)))


def _enlarged(mask: Plane, rgb: Rgba) -> Plane:
    """The network's mask at the size of `rgb`."""
    size = (rgb.shape[1], rgb.shape[0])
    return np.asarray(np.clip(cv2.resize(mask, size, interpolation=cv2.INTER_CUBIC), 0, 1), np.float32)


def _second_look(rgb: Rgba, coarse: Plane, box: _Box, look: Look) -> tuple[Plane, float]:
    """The mask within `box`, looked at more closely, and how far the two looks agree there.

    When the box leaves little out, a mirrored look says more than the same one again.
    """
    crop, first = box.of(rgb), box.of(coarse)
    if first.size < 0.8 * coarse.size:
        second = _enlarged(look(crop), crop)
        return second, _agreement(first, second)
    mirrored = _enlarged(look(np.ascontiguousarray(crop[:, ::-1])), crop)[:, ::-1]
    return np.asarray((first + mirrored) / 2, np.float32), _agreement(first, mirrored)


def _agreement(first: Plane, second: Plane) -> float:
    """Intersection over union of two masks."""
    either = np.maximum(first, second).sum()
    return float(np.minimum(first, second).sum() / either) if either > 0 else 0.0


def _refined(
    rgb: Rgba, coarse: Plane, box: _Box, mask: Plane, agreement: float, look_px: int, parameters: CutoutParameters
) -> Cutout:
    """The cutout that comes of `mask`, which the network saw at `look_px` on its longer side."""
    height, width = rgb.shape[:2]
    crop = box.of(rgb)
    scale = min(1.0, (_SOLVE_PIXELS_MAX / (crop.shape[0] * crop.shape[1])) ** 0.5)
    size = (max(1, round(crop.shape[1] * scale)), max(1, round(crop.shape[0] * scale)))
    small = cv2.resize(crop, size, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    mask = np.asarray(cv2.resize(mask, size, interpolation=cv2.INTER_AREA), np.float32)
    known = matting.trimap(mask, max(size) / look_px)
    sweep = matting.find_sweep(rgb, coarse)
    if sweep is not None:
        part = (box.left / width, box.top / height, box.right / width, box.bottom / height)
        known, mask = _by_sweep(small, sweep.colours(size[1], size[0], part), sweep.noise, known, mask)
    alpha = matting.solve(small, known, mask)
    if sweep is not None:
        alpha = matting.without_false_holes(alpha, known)
    alpha, islands = matting.without_speckle(alpha, mask, parameters.speckle_share * float(alpha.sum()))
    if not islands:
        raise NoSubject("nothing is left of the subject after refinement")
    colours = matting.foreground_colours(small, alpha)
    rgba = _composed(rgb, box, alpha, colours)
    look_through, left_out = (0.0, 0.0) if sweep is None else matting.unexplained(rgb, rgba[..., 3], sweep)
    measures = {
        "uncertainty": _uncertainty(mask, agreement, look_through, left_out),
        "agreement": agreement,
        "coverage": float(rgba[..., 3].mean() / 255),
        "band_width_px": _band_width_px(alpha) / scale,
        "islands": float(islands),
        "plain_background": float(sweep is not None),
        "look_through_share": look_through,
        "left_out_share": left_out,
        "has_own_alpha": 0.0,
        "own_shadow_share": 0.0,
    }
    return Cutout(rgba, measures)


def _by_sweep(rgb: Plane, background: Plane, noise: float, known: Plane, mask: Plane) -> tuple[Plane, Plane]:
    """`known` and `mask` (h, w) with what a plain `background` (h, w, 3) gives away."""
    swept, product = matting.read_sweep(rgb, background, noise, mask)
    known, mask = known.copy(), mask.copy()
    known[(known == 0.5) & swept] = 0
    known[(known == 0.5) & product] = 1
    mask[swept] = np.minimum(mask[swept], 0.3)
    mask[product] = np.maximum(mask[product], 0.9)
    gaps = matting.find_gaps(rgb, background, noise)
    return matting.open_gaps(known, mask, gaps, matting.largest_difference(rgb, background), noise)


def _composed(rgb: Rgba, box: _Box, alpha: Plane, colours: Plane) -> Rgba:
    """RGBA of the whole picture; a solid pixel keeps its bytes, a clear one is zero."""
    crop = box.of(rgb)
    size = (crop.shape[1], crop.shape[0])
    if alpha.shape != crop.shape[:2]:
        alpha = np.clip(cv2.resize(alpha, size, interpolation=cv2.INTER_CUBIC), 0, 1)
        colours = cv2.resize(colours, size, interpolation=cv2.INTER_LINEAR)
    levels = np.rint(alpha * 255).astype(np.uint8)
    mixed = np.rint(np.clip(colours, 0, 1) * 255).astype(np.uint8)
    part = np.dstack([np.where((levels == 255)[..., None], crop, mixed), levels])
    part[levels == 0] = 0
    whole = np.zeros((*rgb.shape[:2], 4), np.uint8)
    box.of(whole)[:] = part
    return whole


def _uncertainty(mask: Plane, agreement: float, look_through: float, left_out: float) -> float:
    """How unsure the cutout is, 0..1: a mask neither in nor out, looks that disagree, a picture it does not explain."""
    doubt = float((4 * mask * (1 - mask)).sum() / max(float(mask.sum()), 1.0))
    # What is left out shows by its highlights only: far more is missing than is seen to be.
    return float(np.clip(0.5 * doubt + (1 - agreement) + look_through + 10 * left_out, 0, 1))


def _band_width_px(alpha: Plane) -> float:
    """Area of partial alpha over the length of the edge."""
    partial = int(np.count_nonzero((alpha > 0.02) & (alpha < 0.98)))
    solid = (alpha > 0.5).astype(np.uint8)
    edge = solid - cv2.erode(solid, np.ones((3, 3), np.uint8), borderValue=1)
    return partial / max(1, int(np.count_nonzero(edge)))
