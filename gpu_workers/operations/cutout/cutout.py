"""Cutout: the product alone, with straight alpha and its own colours at the edges."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from gpu_workers.imaging import linear_light
from gpu_workers.operations.cutout import (
    contact_line,
    contrast,
    framing,
    full_size,
    glass,
    matting,
    uncertainty,
    wearing,
)
from gpu_workers.operations.cutout.contrast import Plane
from gpu_workers.operations.cutout.matting import Flags
from gpu_workers.operations.packshot import shadow
from schemas.operations.cutout import CutoutParameters

Image = NDArray[np.uint8] | NDArray[np.uint16]
Rgba = NDArray[np.uint8]
_Picture = TypeVar("_Picture", bound=NDArray[Any])
MaskPredictor = Callable[[Rgba], Plane]

PREDICTIONS = 2
_BOX_MARGIN = 0.12
_SOLVE_PIXELS_MAX = 2_500_000
_AT_ODDS = 0.8
_SURE = 0.9
_UNCERTAINTY_OF_PEOPLE = 0.5
_FRAMED_SHARE_MAX, _UNCERTAINTY_OF_FRAMES = 0.5, 0.5
_MEASURES = (
    "uncertainty",
    "agreement",
    "coverage",
    "band_width_px",
    "islands",
    "plain_background",
    "look_through_share",
    "left_out_share",
    "see_through_share",
    "person_share",
    "band_scale",
    "has_own_alpha",
    "own_shadow_share",
    "framed_share",
    "worn",
    "garment_cropped_edges",
    *uncertainty.SEEN,
)


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
    """A cutout, RGBA (h, w, 4) with straight alpha in the picture's own type, and what was measured while making it.

    Measures: uncertainty 0..1, agreement of the two looks 0..1, coverage 0..1, band_width_px, islands,
    plain_background 0 or 1, has_own_alpha 0 or 1, own_shadow_share 0..1, see_through_share 0..1 of glass, person_share
    0..1 of skin, band_scale 0..1 at which the edge was solved, below 1 where there was too much of it, framed_share
    0..1 of the frame within plain bars that it lies along, worn 1 where its wearer is part of it, garment_cropped_edges
    the edges of the frame that cut off what is worn, and the signs of doubt that uncertainty.py explains. On a plain
    background also, over the product's area: look_through_share, product that cannot be told from the background, and
    left_out_share, what is neither.
    """

    rgba: Image
    measures: dict[str, float]


@dataclass(frozen=True)
class _Box:
    left: int
    top: int
    right: int
    bottom: int

    def of(self, picture: _Picture) -> _Picture:
        part: Any = picture[self.top : self.bottom, self.left : self.right]
        return cast(_Picture, part)

    def between(self, reduced: tuple[int, ...], whole: tuple[int, ...]) -> "_Box":
        """The same of a picture of the shape `whole` as this is of one of the shape `reduced`."""
        down, across = whole[0] / reduced[0], whole[1] / reduced[1]
        left, top = math.floor(self.left * across), math.floor(self.top * down)
        right, bottom = math.ceil(self.right * across), math.ceil(self.bottom * down)
        return _Box(left, top, min(whole[1], right), min(whole[0], bottom))


@dataclass(frozen=True)
class _Seen:
    """What the network saw in a photograph, reduced to uint8 RGB (h, w, 3): the subject's box in that, the mask
    within it, which may be larger, and the plain ground.

    `codes` is `rgb` in the photograph's own gamut. `agreement` is that of the network's two looks, `look_px` the longer
    side of what it works at; `people` (h, w) is where people are, `worn` whether who wears the product is part of it.
    """

    rgb: Rgba
    codes: Rgba
    box: _Box
    mask: Plane
    sweep: matting.Sweep | None
    agreement: float
    look_px: int
    people: Plane | None
    worn: bool

    def placed(self, alpha: Plane) -> Rgba:
        """The `alpha` (h', w') of what is in the box, on the reduced picture (h, w)."""
        whole = np.zeros(self.rgb.shape[:2], np.uint8)
        part = self.box.of(whole)
        part[:] = np.rint(cv2.resize(alpha, part.shape[::-1], interpolation=cv2.INTER_AREA) * 255)
        return whole


@dataclass(frozen=True)
class _Part:
    """The picture (h, w, 3) and the mask (h, w) in the subject's box, 0..1, `scale` times as large as they were.

    `slope` (h, w) is how steep the picture is, and the mask's edge is known to `reach_px`. Before a plain sweep,
    `ground` (h, w, 3) is what it shows there.
    """

    rgb: Plane
    slope: Plane
    mask: Plane
    scale: float
    reach_px: float
    sweep: matting.Sweep | None
    ground: Plane | None


@dataclass(frozen=True)
class _Matte:
    """Alpha (h, w), the colours (h, w, 3) behind it, and the mask (h, w) with what a plain ground gave away.

    The unknown band was solved at `band_scale` of the part's size, above 0 and at most 1.
    """

    alpha: Plane
    behind: Plane
    mask: Plane
    band_scale: float


def cutout(
    image: Image,
    predict: MaskPredictor,
    parameters: CutoutParameters | None = None,
    find_people: MaskPredictor | None = None,
) -> Cutout:
    """Cut the product out of `image`, uint8 or uint16 sRGB (h, w, 3) or with straight alpha (h, w, 4).

    `predict` is the network: for uint8 RGB (h, w, 3) its mask, float32 in 0..1, squashed to whatever size it works at;
    it is asked twice. `find_people` says likewise where people are, at the picture's size; without it nobody is
    seen. The subject is the product alone unless it is everything: auto depends on its category, which is not known
    here. What is solid keeps its samples, of 16 bits too. Equal inputs give equal bytes. Raises BadImage,
    NoSubject, and what the two raise.
    """
    parameters = parameters or CutoutParameters()
    picture = _checked(image)
    if parameters.keep_own_alpha and has_clean_alpha(picture):
        return _as_it_is(picture, parameters, find_people)
    photograph = _on_white(picture)
    # What needs no detail looks at no more pixels than are solved.
    small = full_size.reduced(photograph, _SOLVE_PIXELS_MAX)
    rgb, codes = linear_light.eight_bit(small), eight_bit(small)
    seen = predict(rgb)
    coarse = _enlarged(seen, rgb.shape)
    people = None if find_people is None else find_people(rgb)
    worn = None
    if people is not None and parameters.subject == "everything":
        worn = wearing.wearers(rgb, people, coarse)
    if worn is not None:
        coarse = np.maximum(coarse, worn)
    inner = subject_box(coarse)
    box = inner.between(small.shape, photograph.shape)
    solved = full_size.reduced(box.of(photograph), _SOLVE_PIXELS_MAX)
    first = _resized(inner.of(coarse), solved.shape)
    mask, agreement = _refined_mask(linear_light.eight_bit(solved), first, inner.of(coarse).size / coarse.size, predict)
    if worn is not None:
        mask = np.maximum(mask, _resized(inner.of(worn), solved.shape))
        agreement = _agreement(first, mask)
    sweep = matting.find_sweep(codes, coarse)
    seen_all = _Seen(rgb, codes, inner, mask, sweep, agreement, max(seen.shape), people, worn is not None)
    return _refined(photograph, box, _part(photograph, box, solved, seen_all), seen_all, parameters)


def compare(first: Image, second: Image) -> tuple[float, float]:
    """How two alphas (h, w) agree: intersection over union of what is solid, and mean difference in 0..1."""
    one, other = eight_bit(first), eight_bit(second)
    either = np.count_nonzero((one > 127) | (other > 127))
    both = np.count_nonzero((one > 127) & (other > 127))
    difference = cv2.absdiff(one, other)
    return float(both / either) if either else 1.0, float(difference.mean() / 255)


def warm_up() -> None:
    """Compile the matting kernels, which otherwise happens in the first cutout."""
    ramp = np.tile(np.linspace(0, 1, 64, dtype=np.float32), (64, 1))
    rgb = np.repeat(ramp[..., None], 3, axis=2)
    solved = matting.solve(rgb, contrast.edges(rgb), matting.trimap(ramp, 2), ramp)
    matting.foreground_colours(rgb, solved.alpha)


def has_clean_alpha(picture: Image) -> bool:
    """Whether uint8 or uint16 RGBA is a cutout already: some of it solid, much of its rim and some of it clear."""
    if picture.shape[2] != 4:
        return False
    alpha = picture[..., 3]
    rim = np.concatenate([alpha[0], alpha[-1], alpha[:, 0], alpha[:, -1]])
    solid = alpha > 0.98 * _full(picture)
    return bool((rim == 0).mean() > 0.25 and (alpha == 0).mean() > 0.02 and solid.mean() > 0.005)


def eight_bit(picture: Image) -> Rgba:
    """uint8 or uint16 samples (any shape) as the nearest of 8 bits, of the same gamut."""
    if picture.dtype == np.uint8:
        return np.asarray(picture, np.uint8)
    codes = np.empty(picture.shape, np.uint8)
    for rows in linear_light.strips(picture):
        codes[rows] = (picture[rows].astype(np.uint32) + 128) // 257
    return codes


def subject_box(mask: Plane) -> _Box:
    """The box about everything the mask is fairly sure of, with a margin. Raises NoSubject."""
    sure = (mask > 0.5).astype(np.uint8)
    _, _, stats, _ = cv2.connectedComponentsWithStats(sure, connectivity=8)
    kept = stats[:, cv2.CC_STAT_AREA] > 0.0005 * mask.size
    kept[0] = False
    if not kept.any():
        raise NoSubject(f"nothing stands out: the mask's highest value is {float(mask.max()):.2f}")
    lefts, tops, widths, heights = stats[kept, :4].T
    left, right, top, bottom = (
        int(lefts.min()),
        int((lefts + widths).max()),
        int(tops.min()),
        int((tops + heights).max()),
    )
    pad = max(round(_BOX_MARGIN * max(right - left, bottom - top)), 8)
    height, width = mask.shape
    return _Box(max(0, left - pad), max(0, top - pad), min(width, right + pad), min(height, bottom + pad))


def _checked(image: Image) -> Image:
    if image.ndim != 3 or image.shape[2] not in (3, 4) or not image.size:
        raise BadImage(f"the picture has shape {image.shape}, not (height, width, 3 or 4)")
    if image.dtype not in (np.uint8, np.uint16):
        raise BadImage(f"the picture is {image.dtype}, not uint8 or uint16")
    return image if image.flags.c_contiguous and image.flags.writeable else image.copy()  # as the kernels take it


def _on_white(picture: Image) -> Image:
    if picture.shape[2] == 3:
        return picture
    white = _full(picture)
    opaque = np.empty_like(picture[..., :3], order="C")
    for rows in linear_light.strips(picture):
        alpha = picture[rows, :, 3:].astype(np.uint32)
        opaque[rows] = (picture[rows, :, :3] * alpha + white * (white - alpha) + white // 2) // white
    return opaque


def _full(picture: Image) -> int:
    """The highest sample that a picture of this type can have."""
    return 65535 if picture.dtype == np.uint16 else 255


def _as_it_is(picture: Image, parameters: CutoutParameters, find_people: MaskPredictor | None) -> Cutout:
    shown = linear_light.eight_bit(picture)
    _refuse_empty(shown)
    small = full_size.reduced(shown, _SOLVE_PIXELS_MAX)
    rgb, alpha = eight_bit(_on_white(small)), np.ascontiguousarray(small[..., 3])
    people = None if find_people is None else find_people(rgb)
    measures = dict.fromkeys(_MEASURES, 0.0) | {
        "agreement": 1.0,
        "coverage": float(shown[..., 3].mean() / 255),
        "islands": float(_island_count(shown[..., 3] > 127)),
        "has_own_alpha": 1.0,
        "own_shadow_share": _own_shadow_share(shown),
        **_of_people(rgb, alpha, people, parameters.subject == "everything"),
    }
    # What a supplier cut out is sure, but for who is part of it.
    measures["uncertainty"] = _UNCERTAINTY_OF_PEOPLE if _is_doubtful(measures) else 0.0
    return Cutout(shadow.strip(picture) if parameters.own_shadow == "drop" else picture, measures)


def _island_count(solid: Flags) -> int:
    _, _, stats, _ = cv2.connectedComponentsWithStats(solid.astype(np.uint8), connectivity=8)
    return int((stats[1:, cv2.CC_STAT_AREA] >= 0.001 * max(1, solid.sum())).sum())


def _own_shadow_share(picture: Rgba) -> float:
    """Share of what is visible that is dark, see-through and away from anything solid: the supplier's shadow."""
    alpha = picture[..., 3]
    near_solid = cv2.dilate((alpha > 230).astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    shadow = (alpha > 0) & (alpha <= 230) & ~near_solid & (picture[..., :3].max(axis=2) < 90)
    return float(shadow.sum() / max(1, np.count_nonzero(alpha)))


def _enlarged(mask: Plane, shape: tuple[int, ...]) -> Plane:
    """The network's mask at the size of a picture of this `shape`."""
    enlarged = np.asarray(cv2.resize(mask, shape[1::-1], interpolation=cv2.INTER_CUBIC), np.float32)
    return np.clip(enlarged, 0, 1, out=enlarged)


def _resized(plane: Plane, shape: tuple[int, ...]) -> Plane:
    """`plane` at the size of a picture of this `shape`; itself when it has it."""
    if plane.shape == shape[:2]:
        return plane
    return np.asarray(cv2.resize(plane, shape[1::-1], interpolation=cv2.INTER_LINEAR), np.float32)


def _refined_mask(crop: Rgba, first: Plane, share: float, predict: MaskPredictor) -> tuple[Plane, float]:
    """The mask within the subject's box, looked at more closely, and how far the two looks agree there.

    `crop` (h, w, 3) is what lies in the box, `first` (h, w) what the first look saw there, `share` how much of the
    picture it is. When the box leaves little out, a mirrored look says more than the same one again. So close a look
    may lose whole parts of a product, the band between two ear cups: where the two are at odds, what the first was sure
    of stays.
    """
    if share < 0.8:
        second = _enlarged(predict(crop), crop.shape)
        agreement = _agreement(first, second)
        kept = np.where(first > _SURE, np.maximum(first, second), second) if agreement < _AT_ODDS else second
        return np.asarray(kept, np.float32), agreement
    mirrored = _enlarged(predict(np.ascontiguousarray(crop[:, ::-1])), crop.shape)[:, ::-1]
    return np.asarray((first + mirrored) / 2, np.float32), _agreement(first, mirrored)


def _agreement(first: Plane, second: Plane) -> float:
    """Intersection over union of two masks."""
    either = np.maximum(first, second).sum()
    return float(np.minimum(first, second).sum() / either) if either > 0 else 0.0


def _refined(photograph: Image, box: _Box, part: _Part, seen: _Seen, parameters: CutoutParameters) -> Cutout:
    """The cutout that comes of what was seen in the `box` of the photograph, the `part`."""
    matte = _matte(part)
    alpha = matte.alpha
    alpha, islands = matting.without_speckle(alpha, matte.mask, parameters.speckle_share * float(alpha.sum()))
    if not islands:
        raise NoSubject("nothing is left of the subject after refinement")
    measures = _measured(seen, part, alpha) | {"islands": float(islands), "band_scale": matte.band_scale}
    colours = matting.foreground_colours(part.rgb, alpha)
    alpha = matting.in_linear_light(alpha, colours, matte.behind)
    alpha, colours, measures["see_through_share"] = _with_glass(part, alpha, colours)
    rgba = np.zeros((*photograph.shape[:2], 4), photograph.dtype)
    full_size.composed(box.of(photograph), alpha, colours, box.of(rgba))
    _refuse_empty(eight_bit(rgba))
    measures["coverage"] = float(eight_bit(rgba[..., 3]).mean() / 255)
    measures["framed_share"] = framing.framed_share(seen.rgb, seen.placed(alpha) > 127)
    measures["uncertainty"] = _uncertainty(measures)
    return Cutout(rgba, measures)


def _uncertainty(measures: dict[str, float]) -> float:
    # What was solved at half the size is known half as well.
    unsure = max(uncertainty.uncertainty(measures), 1 - measures["band_scale"])
    unsure = max(unsure, _UNCERTAINTY_OF_PEOPLE) if _is_doubtful(measures) else unsure
    return max(unsure, _UNCERTAINTY_OF_FRAMES) if measures["framed_share"] > _FRAMED_SHARE_MAX else unsure


def _is_doubtful(measures: dict[str, float]) -> bool:
    """Whether somebody is seen who is not known to wear the product and to be part of the cutout with it."""
    return measures["worn"] != 1 and measures["person_share"] > wearing.PERSON_SHARE_MAX


def _of_people(rgb: Rgba, alpha: Rgba, people: Plane | None, with_wearer: bool) -> dict[str, float]:
    """What is to be said of `people` (h, w) in the cutout `alpha` (h, w) of uint8 RGB (h, w, 3)."""
    share = 0.0 if people is None else uncertainty.person_share(rgb, people, alpha)
    if not with_wearer or share <= wearing.PERSON_SHARE_MAX:
        return {"person_share": share}
    return {"person_share": share, "worn": 1.0, "garment_cropped_edges": float(wearing.cropped_edges(rgb, alpha))}


def _refuse_empty(shown: Rgba) -> None:
    why = framing.emptiness(shown)
    if why:
        raise NoSubject(why)


def _part(photograph: Image, box: _Box, solved: Image, seen: _Seen) -> _Part:
    """What lies in the `box` of the photograph, of the size at which it is `solved`."""
    height, width = solved.shape[:2]
    down, across = photograph.shape[:2]
    shares = (box.left / across, box.top / down, box.right / across, box.bottom / down)
    rgb = solved.astype(np.float32) / np.float32(_full(solved))
    ground = None if seen.sweep is None else seen.sweep.colours(height, width, shares)
    scale = width / (box.right - box.left)
    return _Part(rgb, contrast.edges(rgb), seen.mask, scale, max(height, width) / seen.look_px, seen.sweep, ground)


def _matte(part: _Part) -> _Matte:
    known = matting.trimap(part.mask, part.reach_px)
    if part.sweep is None or part.ground is None:
        solved = matting.solve(part.rgb, part.slope, known, part.mask)
        return _Matte(solved.alpha, solved.behind, part.mask, solved.scale)
    known, mask = _by_sweep(part, part.ground, part.sweep.noise, known)
    far = contrast.largest_difference(part.rgb, part.ground)
    strands = matting.frayed(part.slope, far, mask)
    known, mask = matting.part_strands(known, mask, strands, far)
    solved = matting.solve(part.rgb, part.slope, known, mask, strands)
    alpha = matting.without_false_holes(solved.alpha, known)
    return _Matte(contact_line.without(part.rgb, part.ground, alpha), solved.behind, mask, solved.scale)


def _with_glass(part: _Part, alpha: Plane, colours: Plane) -> tuple[Plane, Plane, float]:
    """Alpha and colours with glass as see-through as a plain ground shows it, and its share of the product."""
    if part.ground is None:
        return alpha, colours, 0.0
    solid = alpha > 0.5
    clear = glass.see_through(part.rgb, part.ground, solid)
    if not clear.any():
        return alpha, colours, 0.0
    thin, tint = glass.thinned(part.rgb, part.ground, clear)
    share = float(clear.sum() / solid.sum())
    return np.where(clear, thin * alpha, alpha), np.where(clear[..., None], tint, colours), share


def _measured(seen: _Seen, part: _Part, alpha: Plane) -> dict[str, float]:
    """What can be said of `alpha` (h, w), the matte of `part`."""
    whole = seen.placed(alpha)
    look_through, left_out = matting.unexplained(seen.codes, whole, part.sweep) if part.sweep else (0.0, 0.0)
    return dict.fromkeys(_MEASURES, 0.0) | {
        "agreement": seen.agreement,
        "band_width_px": _band_width_px(alpha) / part.scale,
        "plain_background": float(part.sweep is not None),
        "look_through_share": look_through,
        "left_out_share": left_out,
        **_of_people(seen.rgb, whole, seen.people, seen.worn),
        **uncertainty.seen(part.rgb, part.mask, alpha),
    }


def _by_sweep(part: _Part, background: Plane, noise: float, known: Plane) -> tuple[Plane, Plane]:
    """`known` and the part's mask (h, w) with what a plain `background` (h, w, 3) gives away."""
    rgb = part.rgb
    shown = contrast.light_and_tint(rgb, background)
    swept, product = matting.read_sweep(shown, part.slope, noise, part.mask)
    known, mask = known.copy(), part.mask.copy()
    known[(known == 0.5) & swept] = 0
    known[(known == 0.5) & product] = 1
    mask[swept] = np.minimum(mask[swept], 0.3)
    mask[product] = np.maximum(mask[product], 0.9)
    more = matting.overlooked(shown, part.slope, background, noise, mask)
    known[(cv2.dilate(more.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0) & (known == 0)] = 0.5
    inner = cv2.erode(more.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    known[inner] = 1
    mask[more] = np.maximum(mask[more], 0.9)
    # In a gap the product takes light from both sides.
    shade = matting.shade_of(shown[0], swept, mask) ** 2
    gaps = matting.find_gaps(rgb, part.slope, background, noise, shade)
    return matting.open_gaps(known, mask, gaps, contrast.largest_difference(rgb, background), noise)


def _band_width_px(alpha: Plane) -> float:
    """Area of partial alpha over the length of the edge."""
    partial = int(np.count_nonzero((alpha > 0.02) & (alpha < 0.98)))
    solid = (alpha > 0.5).astype(np.uint8)
    edge = solid - cv2.erode(solid, np.ones((3, 3), np.uint8), borderValue=1)
    return partial / max(1, int(np.count_nonzero(edge)))
