"""Pictures to learn from: products with known alpha, laid on backgrounds that are made up as they are needed."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from gpu_workers.models.contract import tensor_of
from gpu_workers.models.manifest import load_manifest
from gpu_workers.operations.cutout import matting
from gpu_workers.operations.cutout.cutout import NoSubject, subject_box

Picture = NDArray[np.uint8]
Alpha = NDArray[np.float32]
Tensor = NDArray[np.float32]
Random = np.random.Generator

TEACHER = "u2netp@1"
HELD_OUT = ("BTL-OLIVE-500", "BWL-WIRE-29", "LMP-ARC-46", "SHO-CANVAS-42")
_LONG_SIDE_PX = 560
_SIZES_PX = ((420, 420), (480, 384), (384, 480), (420, 560), (320, 480))
_SHADOW_OFFSET = 0.04


class NoPictures(Exception):
    """The folder holds no photograph with its truth."""


@dataclass(frozen=True)
class Photograph:
    """A photograph uint8 RGB (h, w, 3), its product's alpha 0..1 (h, w), and the product's own colours (h, w, 3)."""

    name: str
    rgb: Picture
    alpha: Alpha
    colours: Picture


def load_photographs(folder: Path, held_out: bool | None = None, long_side_px: int = _LONG_SIDE_PX) -> list[Photograph]:
    """Every `photographs/<name>.jpg` of `folder` with its `truth/<name>.png`, in the order of their names.

    `held_out` True keeps only the products in HELD_OUT, False only the others. Raises NoPictures.
    """
    paths = [path for path in sorted((folder / "photographs").glob("*.jpg")) if _wanted(path.stem, held_out)]
    found = [_load(path, folder / "truth" / f"{path.stem}.png", long_side_px) for path in paths]
    if not found:
        raise NoPictures(f"{folder} holds no photographs/*.jpg with truth/*.png")
    return found


def training_tensor(photographs: list[Photograph], seed: int, index: int) -> Tensor:
    """The network's input (3, 320, 320) for picture `index` of the endless series that `seed` starts."""
    random = np.random.default_rng((seed, index))
    rgb, alpha = _photograph(random, photographs) if random.random() < 0.25 else composite(random, photographs)
    if random.random() < 0.5:
        rgb = _close_up(random, rgb, alpha)
    return tensor_of(_recoloured(random, rgb), load_manifest(TEACHER).input)


def composite(random: Random, photographs: list[Photograph]) -> tuple[Picture, Alpha]:
    """One to three products on a background that none of them was photographed on; RGB and their alpha."""
    height, width = _SIZES_PX[random.integers(len(_SIZES_PX))]
    canvas = background(random, photographs, height, width).astype(np.float32)
    covered = np.zeros((height, width), np.float32)
    for _ in range(1 + int(random.random() < 0.25) + int(random.random() < 0.1)):
        alpha, colours = _placed(random, photographs[random.integers(len(photographs))], height, width)
        if random.random() < 0.5:
            canvas *= 1 - _shadow(random, alpha)[..., None]
        canvas = colours * alpha[..., None] + canvas * (1 - alpha[..., None])
        covered = np.maximum(covered, alpha)
    return np.rint(np.clip(canvas, 0, 255)).astype(np.uint8), covered


def composite_of(random: Random, taken: Photograph, photographs: list[Photograph]) -> tuple[Picture, Alpha]:
    """The product of `taken`, where it stands, on another background; RGB and alpha at the photograph's size."""
    behind = background(random, photographs, *taken.alpha.shape).astype(np.float32)
    behind *= 1 - _shadow(random, taken.alpha)[..., None]
    mixed = taken.colours * taken.alpha[..., None] + behind * (1 - taken.alpha[..., None])
    return np.rint(np.clip(mixed, 0, 255)).astype(np.uint8), taken.alpha


def background(random: Random, photographs: list[Photograph], height: int, width: int) -> Picture:
    """A background uint8 (height, width, 3): plain, sweep, noise, stripes, texture, or a part of a photograph."""
    kinds: tuple[Callable[[Random, int, int], Alpha], ...] = (_plain, _sweep, _cloud, _stripes, _grain)
    if random.random() < 0.3:
        return setting(random, photographs, height, width)
    painted = kinds[random.integers(len(kinds))](random, height, width)
    return np.rint(np.clip(painted, 0, 255)).astype(np.uint8)


def _wanted(name: str, held_out: bool | None) -> bool:
    return held_out is None or held_out == name.startswith(HELD_OUT)


def _load(path: Path, truth: Path, long_side_px: int) -> Photograph:
    rgb, alpha = cv2.imread(str(path), cv2.IMREAD_COLOR), cv2.imread(str(truth), cv2.IMREAD_GRAYSCALE)
    if rgb is None or alpha is None:
        raise NoPictures(f"{path} or {truth} cannot be read")
    scale = min(1.0, long_side_px / max(rgb.shape))
    size = (round(rgb.shape[1] * scale), round(rgb.shape[0] * scale))
    small = cv2.resize(cv2.cvtColor(rgb, cv2.COLOR_BGR2RGB), size, interpolation=cv2.INTER_AREA)
    cover = cv2.resize(alpha, size, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    colours = matting.foreground_colours(small.astype(np.float32) / 255, cover)
    return Photograph(path.stem, small, cover, np.rint(np.clip(colours, 0, 1) * 255).astype(np.uint8))


def _photograph(random: Random, photographs: list[Photograph]) -> tuple[Picture, Alpha]:
    """A photograph as it is, cropped by up to a quarter, perhaps mirrored."""
    taken = photographs[random.integers(len(photographs))]
    height, width = taken.alpha.shape
    share = random.uniform(0.75, 1)
    top, left = int(random.uniform(0, (1 - share) * height)), int(random.uniform(0, (1 - share) * width))
    part = np.s_[top : top + int(share * height), left : left + int(share * width)]
    flip = np.s_[:, :: int(random.choice((-1, 1)))]
    return np.ascontiguousarray(taken.rgb[part][flip]), np.ascontiguousarray(taken.alpha[part][flip])


def _placed(random: Random, taken: Photograph, height: int, width: int) -> tuple[Alpha, Alpha]:
    """A product turned, scaled and moved: its alpha (height, width) and colours (height, width, 3) in 0..255."""
    ys, xs = np.nonzero(taken.alpha > 0.5)
    extent = max(np.ptp(ys) + 1, np.ptp(xs) + 1)
    scale = random.uniform(0.3, 0.95) * min(height, width) / extent
    turn = cv2.getRotationMatrix2D((float(xs.mean()), float(ys.mean())), float(random.normal(0, 8)), float(scale))
    if random.random() < 0.5:
        turn = turn @ np.array([[-1, 0, 2 * xs.mean()], [0, 1, 0], [0, 0, 1]])
    room = np.array([width, height]) * 0.5
    turn[:, 2] += room + random.uniform(-0.25, 0.25, 2) * room - np.array([xs.mean(), ys.mean()])
    alpha = cv2.warpAffine(taken.alpha, turn, (width, height), flags=cv2.INTER_LINEAR)
    colours = cv2.warpAffine(
        taken.colours, turn, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
    )
    return alpha, _recoloured(random, colours).astype(np.float32)


def _shadow(random: Random, alpha: Alpha) -> Alpha:
    """A soft shadow (h, w) in 0..1 under the product."""
    height, width = alpha.shape
    across, down = random.uniform(-1, 1, 2) * _SHADOW_OFFSET * np.array([width, height])
    move = np.array([[1, 0, across], [0, 1, abs(down)]], np.float64)
    moved = cv2.warpAffine(alpha, move, (width, height))
    soft = cv2.GaussianBlur(moved, (0, 0), random.uniform(0.005, 0.04) * height)
    return np.asarray(soft * random.uniform(0.1, 0.6), np.float32)


def _close_up(random: Random, rgb: Picture, alpha: Alpha) -> Picture:
    """The box about the product, as the crop's prediction takes it; the whole picture where there is none."""
    try:
        box = subject_box(alpha)
    except NoSubject:
        return rgb
    height, width = alpha.shape
    margin = random.uniform(-0.03, 0.06, 4) * max(box.right - box.left, box.bottom - box.top)
    left, top = max(0, int(box.left - margin[0])), max(0, int(box.top - margin[1]))
    right, bottom = min(width, int(box.right + margin[2])), min(height, int(box.bottom + margin[3]))
    return np.ascontiguousarray(rgb[top:bottom, left:right])


def _recoloured(random: Random, rgb: Picture) -> Picture:
    """Brightness, contrast and hue a little off, now and then a lot."""
    wide = 0.35 if random.random() < 0.2 else 0.12
    gain, shift = random.uniform(1 - wide, 1 + wide, 3), random.uniform(-80, 80) * wide
    return np.rint(np.clip((rgb.astype(np.float32) - 128) * gain + 128 + shift, 0, 255)).astype(np.uint8)


def setting(random: Random, photographs: list[Photograph], height: int, width: int) -> Picture:
    """A part of a photograph's surroundings, the product painted over, perhaps out of focus."""
    taken = photographs[random.integers(len(photographs))]
    hole = cv2.dilate((taken.alpha > 0.02).astype(np.uint8), np.ones((9, 9), np.uint8))
    filled = _filled(taken.rgb, hole)
    share = random.uniform(0.5, 1)
    rows, columns = int(share * filled.shape[0]), int(share * filled.shape[1])
    top, left = random.integers(filled.shape[0] - rows + 1), random.integers(filled.shape[1] - columns + 1)
    part = filled[top : top + rows, left : left + columns]
    scaled: Picture = cv2.resize(part, (width, height), interpolation=cv2.INTER_LINEAR)
    if random.random() < 0.4:
        scaled = cv2.GaussianBlur(scaled, (0, 0), random.uniform(1, 6))
    return scaled


def _filled(rgb: Picture, hole: Picture) -> Picture:
    """`rgb` with `hole` filled from around it, smoothly."""
    keep = (1 - hole).astype(np.float32)
    small = (max(1, rgb.shape[1] // 16), max(1, rgb.shape[0] // 16))
    weights = cv2.GaussianBlur(cv2.resize(keep, small, interpolation=cv2.INTER_AREA), (0, 0), 3) + 1e-4
    sums = cv2.GaussianBlur(cv2.resize(rgb * keep[..., None], small, interpolation=cv2.INTER_AREA), (0, 0), 3)
    smooth = cv2.resize(sums / weights[..., None], rgb.shape[1::-1], interpolation=cv2.INTER_CUBIC)
    return np.where(hole[..., None] > 0, np.clip(smooth, 0, 255), rgb).astype(np.uint8)


def _colour(random: Random) -> NDArray[np.float64]:
    grey = random.uniform(0, 255)
    return np.clip(grey + random.normal(0, 40 if random.random() < 0.6 else 4, 3), 0, 255)


def _plain(random: Random, height: int, width: int) -> Alpha:
    colour = np.full(3, 255.0) if random.random() < 0.25 else _colour(random)
    return np.asarray(
        np.broadcast_to(colour, (height, width, 3)) + random.normal(0, 1.5, (height, width, 1)), np.float32
    )


def _sweep(random: Random, height: int, width: int) -> Alpha:
    """Two colours running into each other, darker to the corners."""
    one, other = _colour(random), _colour(random)
    y, x = np.mgrid[:height, :width] / np.array([height, width]).reshape(2, 1, 1)
    angle = random.uniform(0, 2 * np.pi)
    along = np.clip(0.5 + (np.cos(angle) * (x - 0.5) + np.sin(angle) * (y - 0.5)) * random.uniform(0.7, 6), 0, 1)
    corners = 1 - random.uniform(0, 0.4) * ((x - 0.5) ** 2 + (y - 0.5) ** 2)
    return np.asarray((one + (other - one) * along[..., None]) * corners[..., None], np.float32)


def _cloud(random: Random, height: int, width: int) -> Alpha:
    """Noise of several sizes, each in its own colour."""
    painted = np.broadcast_to(_colour(random), (height, width, 3)).astype(np.float32)
    for cells in (2, 5, 12, 40):
        noise = random.normal(0, random.uniform(2, 30), (cells, cells, 3)).astype(np.float32)
        painted = painted + cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
    return painted


def _stripes(random: Random, height: int, width: int) -> Alpha:
    """Stripes or checks, sharp or soft."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    angle, period = random.uniform(0, np.pi), random.uniform(8, 90)
    first = np.sin((np.cos(angle) * x + np.sin(angle) * y) * 2 * np.pi / period)
    second = np.sin((np.sin(angle) * x - np.cos(angle) * y) * 2 * np.pi / period) if random.random() < 0.5 else 1
    along = np.clip(0.5 + first * second * random.uniform(0.5, 8), 0, 1)[..., None]
    return np.asarray(_colour(random) * along + _colour(random) * (1 - along), np.float32)


def _grain(random: Random, height: int, width: int) -> Alpha:
    """A fine texture drawn out one way, as wood, cloth and paper are."""
    noise = random.normal(0, 1, (height, width)).astype(np.float32)
    drawn = cv2.GaussianBlur(noise, (0, 0), sigmaX=random.uniform(0.5, 20), sigmaY=random.uniform(0.5, 4))
    return np.asarray(_colour(random) + (drawn / drawn.std() * random.uniform(3, 35))[..., None], np.float32)
