"""Cutout: the product alone, with straight alpha and its own colours at the edges."""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from gpu_workers.imaging import linear_light
from gpu_workers.imaging.types import Codes, Plane
from gpu_workers.imaging.writing import Writing
from gpu_workers.operations.cutout import contrast, framing, full_size, matting, measuring, uncertainty, wearing
from gpu_workers.operations.cutout.errors import BadImage, CutoutError, NoSubject
from gpu_workers.operations.cutout.prediction import (
    PREDICTIONS,
    Box,
    MaskPredictor,
    agreement_of,
    enlarged,
    refined_mask,
    resized,
    subject_box,
)
from gpu_workers.operations.cutout.refining import Part, matte_of, with_glass
from gpu_workers.operations.cutout.retouching import Retouching, Seeds, on_alpha, retouched
from gpu_workers.operations.cutout.samples import Rgba, checked, eight_bit, full, on_white
from gpu_workers.operations.cutout.supplied import has_clean_alpha, own_shadow_share
from gpu_workers.operations.cutout.sweep import Sweep, find_sweep, unexplained
from gpu_workers.operations.packshot import shadow
from schemas.operations.cutout import CutoutParameters

__all__ = [
    "PREDICTIONS",
    "BadImage",
    "Cutout",
    "CutoutError",
    "MaskPredictor",
    "NoSubject",
    "compare",
    "cutout",
    "eight_bit",
    "has_clean_alpha",
    "resized",
    "subject_box",
    "warm_up",
]

_SOLVE_PIXELS_MAX = 2_500_000  # a matte of so many shows every hair of a packshot; more is reduced. Set by hand


@dataclass(frozen=True)
class Cutout:
    """A cutout, RGBA (h, w, 4) with straight alpha in the picture's own type, and what was measured while making it.

    Measures: uncertainty 0..1, agreement of the two predictions 0..1, coverage 0..1, band_width_px, islands,
    plain_background 0 or 1, has_own_alpha 0 or 1, own_shadow_share 0..1, see_through_share 0..1 of glass, person_share
    0..1 of skin, band_scale 0..1 at which the edge was solved, below 1 where there was too much of it, framed_share
    0..1 of the frame within plain bars that it lies along, worn 1 where its wearer is part of it, garment_cropped_edges
    the edges of the frame that cut off what is worn, and the features that uncertainty.py explains. On a plain
    background also, over the product's area: look_through_share, product that cannot be told from the background, and
    left_out_share, what is neither.
    """

    rgba: Codes
    measures: dict[str, float]
    writing: Writing | None = None  # on the product and beside it, once it was read


@dataclass(frozen=True)
class _View:
    """The subject's box in the reduced picture (`inner`) and in the photograph, what lies in it at the size at which it
    is solved (h, w, 3), and its mask (h, w), whose edge is known to `reach_px`. `agreement` is that of the network's
    two predictions, 0..1; `seeds` are what a person says of what lies in the box."""

    inner: Box
    box: Box
    solved: Codes
    mask: Plane
    reach_px: float
    agreement: float
    seeds: Seeds | None = None

    @property
    def scale(self) -> float:
        """How large it is solved, of its size in the photograph."""
        return float(self.solved.shape[1] / (self.box.right - self.box.left))


@dataclass(frozen=True)
class _Seen:
    """What there is in a photograph, reduced to uint8 RGB (h, w, 3), `codes` in the photograph's own gamut; the
    subject's `view`, and the plain ground.

    `people` (h, w) is where people are, `worn` whether who wears the product is part of it.
    """

    rgb: Rgba
    codes: Rgba
    view: _View
    sweep: Sweep | None
    people: Plane | None
    worn: bool

    def placed(self, alpha: Plane) -> Rgba:
        """The `alpha` (h', w') of what is in the box, on the reduced picture (h, w)."""
        whole = np.zeros(self.rgb.shape[:2], np.uint8)
        part = self.view.inner.of(whole)
        part[:] = np.rint(cv2.resize(alpha, part.shape[::-1], interpolation=cv2.INTER_AREA) * 255)
        return whole


def cutout(
    image: Codes,
    predict: MaskPredictor,
    parameters: CutoutParameters | None = None,
    find_people: MaskPredictor | None = None,
    retouching: Retouching | None = None,
) -> Cutout:
    """Cut the product out of `image`, uint8 or uint16 sRGB (h, w, 3) or with straight alpha (h, w, 4).

    `predict` is the network: for uint8 RGB (h, w, 3) its mask, float32 in 0..1, squashed to whatever size it works at;
    it is asked twice. `find_people` says likewise where people are; without it nobody is seen. The subject is the
    product alone unless it is everything: auto depends on its category, which is not known here. What a person says in
    `retouching` counts, whatever the network sees. What is solid keeps its samples, of 16 bits too. Equal inputs give
    equal bytes. Raises BadImage, NoSubject, and what the two raise.
    """
    parameters = parameters or CutoutParameters()
    picture = checked(image)
    if parameters.keep_own_alpha and has_clean_alpha(picture):
        return _as_it_is(retouched(picture, retouching), parameters, find_people)
    photograph = on_white(picture)
    with_wearer = parameters.subject == "everything"
    seen = _seen(photograph, predict, find_people, retouching, with_wearer=with_wearer)
    return _refined(photograph, _part(photograph, seen), seen, parameters)


def _seen(
    photograph: Codes,
    predict: MaskPredictor,
    find_people: MaskPredictor | None,
    retouching: Retouching | None,
    *,
    with_wearer: bool,
) -> _Seen:
    """What the network saw, and a person over it: it is asked just what it is asked without one, so that what it said
    is known already."""
    # What needs no detail is given no more pixels than are solved.
    small = full_size.reduced(photograph, _SOLVE_PIXELS_MAX)
    rgb, codes = linear_light.eight_bit(small), eight_bit(small)
    predicted = predict(rgb)
    coarse = enlarged(predicted, rgb.shape)
    people = None if find_people is None else resized(find_people(rgb), rgb.shape)
    worn = wearing.wearers(rgb, people, coarse) if people is not None and with_wearer else None
    if worn is not None:
        coarse = np.maximum(coarse, worn)
    longest_px = max(predicted.shape)
    try:
        view = _looked_at(photograph, coarse, worn, predict, longest_px)
    except NoSubject:
        if retouching is None:
            raise
        view = None  # a person sees more
    if retouching is not None:
        coarse, view = _retouched(photograph, rgb, coarse, view, longest_px, retouching)
    assert view is not None
    return _Seen(rgb, codes, view, find_sweep(codes, coarse), people, worn is not None)


def _looked_at(photograph: Codes, coarse: Plane, worn: Plane | None, predict: MaskPredictor, longest_px: int) -> _View:
    """The subject by a first mask of the whole photograph, `coarse` (h, w), and a second look. Raises NoSubject."""
    inner = subject_box(coarse)
    box = inner.between(coarse.shape, photograph.shape)
    solved = full_size.reduced(box.of(photograph), _SOLVE_PIXELS_MAX)
    first = resized(inner.of(coarse), solved.shape)
    share = inner.of(coarse).size / coarse.size
    mask, agreement = refined_mask(linear_light.eight_bit(solved), first, share, predict)
    if worn is not None:
        mask = np.maximum(mask, resized(inner.of(worn), solved.shape))
        agreement = agreement_of(first, mask)
    return _View(inner, box, solved, mask, max(solved.shape[:2]) / longest_px, agreement)


def _retouched(
    photograph: Codes, rgb: Rgba, coarse: Plane, seen: _View | None, longest_px: int, retouching: Retouching
) -> tuple[Plane, _View]:
    """The mask of the whole photograph (h, w) and the subject's view, with what a person says of them. Outside of the
    marks they are what was `seen`. Raises NoSubject."""
    whole = coarse.copy()
    if seen is not None:
        part = seen.inner.of(whole)
        part[:] = resized(seen.mask, part.shape)
    whole = retouching.begun(whole)
    subject = retouching.seeds(rgb, whole).on_mask(whole)
    inner = subject_box(subject)
    box = inner.between(coarse.shape, photograph.shape)
    solved = full_size.reduced(box.of(photograph), _SOLVE_PIXELS_MAX)
    shares = shares_of(box, photograph.shape)
    is_same = seen is not None and seen.inner == inner
    mask = retouching.begun(
        seen.mask if seen is not None and is_same else resized(inner.of(whole), solved.shape), shares
    )
    seeds = retouching.seeds(linear_light.eight_bit(solved), mask, shares)
    view = _View(inner, box, solved, seeds.on_mask(mask), 0.0, 0.0 if seen is None else seen.agreement, seeds)
    of_photograph = max(photograph.shape[:2]) / longest_px if seen is None else seen.reach_px / seen.scale
    return subject, replace(view, reach_px=of_photograph * view.scale)


def compare(first: Codes, second: Codes) -> tuple[float, float]:
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


def _as_it_is(picture: Codes, parameters: CutoutParameters, find_people: MaskPredictor | None) -> Cutout:
    shown = linear_light.eight_bit(picture)
    _refuse_empty(shown)
    small = full_size.reduced(shown, _SOLVE_PIXELS_MAX)
    rgb, alpha = eight_bit(on_white(small)), np.ascontiguousarray(small[..., 3])
    people = None if find_people is None else resized(find_people(rgb), rgb.shape)
    measures = dict.fromkeys(measuring.MEASURES, 0.0) | {
        "agreement": 1.0,
        "coverage": float(shown[..., 3].mean() / 255),
        "islands": float(measuring.island_count(shown[..., 3] > 127)),
        "has_own_alpha": 1.0,
        "own_shadow_share": own_shadow_share(shown),
        **measuring.of_people(rgb, alpha, people, parameters.subject == "everything"),
    }
    # What a supplier cut out is sure, but for who is part of it.
    measures["uncertainty"] = measuring.UNCERTAINTY_OF_PEOPLE if measuring.is_doubtful(measures) else 0.0
    return Cutout(shadow.strip(picture) if parameters.own_shadow == "drop" else picture, measures)


def _refined(photograph: Codes, part: Part, seen: _Seen, parameters: CutoutParameters) -> Cutout:
    """The cutout that comes of what was seen in a `part` of the photograph."""
    box = seen.view.box
    matte = matte_of(part)
    alpha = matte.alpha
    alpha, islands = matting.without_speckle(alpha, matte.mask, parameters.speckle_share * float(alpha.sum()))
    if not islands:
        raise NoSubject("nothing is left of the subject after refinement")
    measures = _measured(seen, part, alpha) | {"islands": float(islands), "band_scale": matte.band_scale}
    colours = matting.foreground_colours(part.rgb, alpha)
    alpha = matting.in_linear_light(alpha, colours, matte.behind)
    alpha, colours, measures["see_through_share"] = with_glass(part, alpha, colours)
    alpha = on_alpha(alpha, part.seeds)
    rgba = np.zeros((*photograph.shape[:2], 4), photograph.dtype)
    full_size.composed(box.of(photograph), alpha, colours, box.of(rgba))
    _refuse_empty(eight_bit(rgba))
    measures["coverage"] = float(eight_bit(rgba[..., 3]).mean() / 255)
    measures["framed_share"] = framing.framed_share(seen.rgb, seen.placed(alpha) > 127)
    measures["uncertainty"] = measuring.uncertainty_by(measures)
    return Cutout(rgba, measures)


def _refuse_empty(shown: Rgba) -> None:
    why = framing.emptiness(shown)
    if why:
        raise NoSubject(why)


def shares_of(box: Box, shape: tuple[int, ...]) -> tuple[float, float, float, float]:
    """A box as shares of a picture's width and height: left, top, right, bottom."""
    down, across = shape[:2]
    return box.left / across, box.top / down, box.right / across, box.bottom / down


def _part(photograph: Codes, seen: _Seen) -> Part:
    """What lies in the subject's box, of the size at which it is solved."""
    view = seen.view
    height, width = view.solved.shape[:2]
    rgb = view.solved.astype(np.float32) / np.float32(full(view.solved))
    ground = None if seen.sweep is None else seen.sweep.colours(height, width, shares_of(view.box, photograph.shape))
    return Part(rgb, contrast.edges(rgb), view.mask, view.scale, view.reach_px, seen.sweep, ground, view.seeds)


def _measured(seen: _Seen, part: Part, alpha: Plane) -> dict[str, float]:
    """What can be said of `alpha` (h, w), the matte of `part`."""
    whole = seen.placed(alpha)
    unexplained_share, left_out = unexplained(seen.codes, whole, part.sweep) if part.sweep else (0.0, 0.0)
    return dict.fromkeys(measuring.MEASURES, 0.0) | {
        "agreement": seen.view.agreement,
        "band_width_px": measuring.band_width_px(alpha) / part.scale,
        "plain_background": float(part.sweep is not None),
        "look_through_share": unexplained_share,
        "left_out_share": left_out,
        **measuring.of_people(seen.rgb, whole, seen.people, seen.worn),
        **uncertainty.seen(part.rgb, part.mask, alpha),
    }
