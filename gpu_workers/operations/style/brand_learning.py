"""Learning a brand's profile from example pictures: what they have in common, each example counting the same."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gpu_workers.imaging.linear_light import eight_bit, opacity, to_linear, to_srgb
from gpu_workers.imaging.types import HALF, LUMINANCE, Mask
from gpu_workers.library.brands import (
    EXAMPLES_MIN,
    BrandProfile,
    Colours,
    Kind,
    LearnedFrom,
    Shadow,
    Surroundings,
    Swatch,
    hex_of,
    rounded,
)
from gpu_workers.operations.cutout.cutout import CutoutError, MaskPredictor, NoSubject, cutout
from gpu_workers.operations.style.surroundings import NoSurroundings, Samples, Seen, distance, quantiles, see
from gpu_workers.sources.decoding import decode
from gpu_workers.sources.errors import SourceError
from schemas.errors import InputError

Rgb = NDArray[np.uint8]

# Set by hand, none is fitted, but where a line says so.
_SWATCHES = 6  # colours of a palette, as many as people name
_SWATCH_LAB, _SWATCH_SAMPLES = 12.0, 50_000  # of L*a*b*, nearer colours are one; pixels, enough for shares
_ROUNDS = 8  # of k-means, after which little moves
_CLEAR = 8  # of an alpha of 255: ground
_LEAST_SHADOW = 0.04  # of the ground's light: less is none
_NEAR, _FAR = (0.002, 0.012), (0.04, 0.06)  # of the product's height, below its foot


class TooFewExamples(InputError, ValueError):
    """Fewer pictures than a brand can be learned from."""

    code = "too_few_examples"
    field = "examples"


class BadExample(InputError, ValueError):
    """A picture that a brand cannot be learned from; the message names its file."""

    code = "bad_example"
    field = "examples"


@dataclass(frozen=True)
class Example:
    """One of the brand's pictures: `rgb` (h, w, 3; uint8 sRGB), the product's alpha `mask` (h, w; uint8), and the
    sha256 of its file."""

    rgb: Rgb
    mask: Mask
    digest: str


@dataclass(frozen=True)
class _Facts:
    """What is kept of an example. `fill` and `shadow` (near the foot, and further off) are None without a product."""

    digest: str
    kind: Kind
    seen: Seen
    fill: float | None
    shadow: tuple[float, float] | None


def learn(name: str, examples: Iterable[Example]) -> BrandProfile:
    """The profile called `name` that these pictures, ten at least, have in common; seen one at a time.

    Raises TooFewExamples, and NoSurroundings for a picture that shows nothing but a product.
    """
    return _profile(name, [_facts(example) for example in examples])


def _profile(name: str, facts: list[_Facts]) -> BrandProfile:
    _check_count(len(facts))
    facts = sorted(facts, key=lambda fact: fact.digest)
    plain = [fact for fact in facts if fact.kind == "plain"]
    scene = [fact for fact in facts if fact.kind == "scene"]
    return BrandProfile(
        name=name,
        version=1,
        learned_from=LearnedFrom(count=len(facts), digests=tuple(fact.digest for fact in facts)),
        palette=_palette(np.concatenate([fact.seen.whole for fact in facts])),
        whole=_colours([fact.seen.whole for fact in facts]),
        plain=_surroundings([fact.seen.around for fact in plain]) if plain else None,
        scene=_surroundings([fact.seen.around for fact in scene]) if scene else None,
        background=_background(plain) if plain else None,
        shadow=_shadow([fact.shadow for fact in plain if fact.shadow is not None]),
        fill=_fill([fact.fill for fact in plain if fact.fill is not None]),
    )


def learn_from_files(
    name: str,
    paths: Sequence[Path],
    predict: MaskPredictor,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> BrandProfile:
    """The profile called `name` that the picture files have in common; `predict` is the cutout's network.

    The product is where a file's own alpha says, and is then seen on white, or what is cut out of it; a picture in
    which nothing stands out is all surroundings. `progress` is told how many are done, and of how many. Raises
    TooFewExamples, and BadExample for a file that is not there, is no picture, shows nothing but a product, or is the
    same as another.
    """
    _check_count(len(paths))
    known: dict[str, Path] = {}
    facts = []
    for number, path in enumerate(paths):
        progress(number, len(paths))
        facts.append(_facts_of(path, predict))
        if (other := known.setdefault(facts[-1].digest, path)) is not path:
            raise BadExample(f"{path} is the same picture as {other}")
    progress(len(paths), len(paths))
    return _profile(name, facts)


def _check_count(count: int) -> None:
    if count < EXAMPLES_MIN:
        raise TooFewExamples(f"{count} examples; a brand is learned from {EXAMPLES_MIN} at least")


def _facts_of(path: Path, predict: MaskPredictor) -> _Facts:
    try:
        return _facts(read_example(path, predict))
    except OSError as error:
        raise BadExample(f"{path}: {error.strerror}") from error
    except SourceError as error:
        raise BadExample(str(error)) from error
    except (CutoutError, NoSurroundings) as error:
        raise BadExample(f"{path}: {error}") from error


def read_example(path: Path, predict: MaskPredictor) -> Example:
    """One example of a file. Raises OSError, a SourceError for what is no picture, and CutoutError."""
    data = path.read_bytes()
    eight = eight_bit(decode(data, uri=str(path)).pixels)
    try:
        mask = eight_bit(cutout(eight, predict).rgba)[..., 3]
    except NoSubject:
        mask = np.zeros(eight.shape[:2], np.uint8)
    return Example(_on_white(eight), mask, hashlib.sha256(data).hexdigest())


def _on_white(picture: Rgb) -> Rgb:
    if picture.shape[2] == 3:
        return picture
    alpha = opacity(picture[..., 3:])
    return to_srgb(to_linear(picture[..., :3]) * alpha + (1 - alpha))


def _facts(example: Example) -> _Facts:
    seen = see(example.rgb, example.mask)
    solid = example.mask >= HALF
    has_product = bool(solid.any())
    return _Facts(
        digest=example.digest,
        kind=seen.kind,
        seen=seen,
        fill=_fill_of(solid) if has_product else None,
        shadow=_shadow_of(example.rgb, example.mask) if has_product else None,
    )


def _colours(pictures: Sequence[Samples]) -> Colours:
    """Means over the pictures, so that each counts the same: of a spread along a direction the mean of the quantiles
    is the spread that all are nearest to."""
    covariance = np.mean([np.cov(picture.T) for picture in pictures], axis=0)
    mean = np.mean([picture.mean(axis=0) for picture in pictures], axis=0)
    spread = np.mean([quantiles(picture) for picture in pictures], axis=0)
    first, second, third = (_row3(row) for row in covariance)
    return Colours(mean=_row3(mean), covariance=(first, second, third), quantiles=tuple(rounded(row) for row in spread))


def _row3(values: Iterable[float]) -> tuple[float, float, float]:
    first, second, third = rounded(values)
    return first, second, third


def _surroundings(pictures: Sequence[Samples]) -> Surroundings:
    spreads = np.array([quantiles(picture) for picture in pictures])
    # Each is compared with the mean of the others, which lies n / (n - 1) times as far off as the mean of all.
    others = len(spreads) / max(1, len(spreads) - 1)
    distances = np.array([others * distance(spread, spreads.mean(axis=0)) for spread in spreads])
    median, mad = rounded((np.median(distances), np.median(np.abs(distances - np.median(distances)))))
    return Surroundings(count=len(pictures), colours=_colours(pictures), distance_median=median, distance_mad=mad)


def _palette(samples: Samples) -> tuple[Swatch, ...]:
    """The pictures' main colours: the fullest cells of a coarse grid that are apart, then k-means from there."""
    samples = samples[:: max(1, len(samples) // _SWATCH_SAMPLES)]
    cells, counts = np.unique(np.rint(samples / _SWATCH_LAB).astype(np.int16), axis=0, return_counts=True)
    centres: list[NDArray[np.float32]] = []
    for cell in cells[np.argsort(-counts, kind="stable")] * np.float32(_SWATCH_LAB):
        if len(centres) < _SWATCHES and all(np.linalg.norm(cell - other) > 1.5 * _SWATCH_LAB for other in centres):
            centres.append(cell)
    middle = np.array(centres, np.float32)
    for _ in range(_ROUNDS):
        nearest = _nearest(samples, middle)
        middle = np.array([samples[nearest == n].mean(axis=0) for n in range(len(middle))], np.float32)
    shares = np.bincount(_nearest(samples, middle), minlength=len(middle)) / len(samples)
    order = np.argsort(-shares, kind="stable")
    return tuple(Swatch(lab=_row3(middle[n]), share=round(float(shares[n]), 3)) for n in order)


def _nearest(samples: Samples, middle: Samples) -> NDArray[np.intp]:
    apart = np.array([((samples - centre) ** 2).sum(axis=1) for centre in middle])
    return np.asarray(apart.argmin(axis=0))


def _background(plain: Sequence[_Facts]) -> str:
    return hex_of(np.median([fact.seen.ground for fact in plain], axis=0))


def _fill_of(solid: NDArray[np.bool_]) -> float:
    rows, columns = np.flatnonzero(solid.any(axis=1)), np.flatnonzero(solid.any(axis=0))
    return float(max((rows[-1] + 1 - rows[0]) / solid.shape[0], (columns[-1] + 1 - columns[0]) / solid.shape[1]))


def _fill(fills: Sequence[float]) -> float | None:
    return round(float(np.median(fills)), 3) if fills else None


def _shadow_of(rgb: Rgb, mask: Mask) -> tuple[float, float]:
    """How much of the ground's light is missing just under where the product stands, and further below."""
    light = to_linear(rgb) @ LUMINANCE
    solid = mask >= HALF
    rows = np.flatnonzero(solid.any(axis=1))
    height, bottom = int(rows[-1]) + 1 - int(rows[0]), int(rows[-1])
    lowest = len(solid) - 1 - np.argmax(solid[::-1], axis=0)
    stands = np.flatnonzero(solid.any(axis=0) & (lowest > bottom - 0.03 * height))
    near, far = (_missing(light, mask, stands, lowest[stands], height, reach) for reach in (_NEAR, _FAR))
    return near, far


def _missing(
    light: Samples, mask: Mask, x: NDArray[np.intp], foot: NDArray[np.intp], height: int, reach: tuple[float, float]
) -> float:
    """How much less light there is under the columns `x`, whose product ends at `foot`, than in the same rows at the
    picture's sides; 0 where the picture ends before."""
    below = np.arange(1 + round(reach[0] * height), 2 + round(reach[1] * height))
    y = np.minimum(foot[:, None] + below, len(light) - 1)
    under, clear = light[y, x[:, None]], mask[y, x[:, None]] <= _CLEAR
    width = max(1, light.shape[1] // 20)
    beside = np.concatenate([light[y.min() : y.max() + 1, :width], light[y.min() : y.max() + 1, -width:]], axis=1)
    if not clear.any():
        return 0.0
    return max(0.0, 1 - float(np.median(under[clear])) / max(float(np.median(beside)), 1e-3))


def _shadow(measured: Sequence[tuple[float, float]]) -> Shadow | None:
    if not measured:
        return None
    near, far = np.median(measured, axis=0)
    if near < _LEAST_SHADOW:
        return Shadow(mode="none", strength=0.0)
    return Shadow(mode="soft" if far >= _LEAST_SHADOW / 2 else "contact", strength=round(float(near), 3))
