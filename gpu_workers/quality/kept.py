"""What became of a product's pixels: a written picture beside what its source says of it, block by block.

Both are of the same size and place, so that what is mirrored, stretched, moved, swapped, warped or another product
differs. Blocks are compared rather than pixels: JPEG's noise has no mean.

| measure | says |
|---|---|
| `structure_kept`, `structure_worst` | how much of the detail is where it was: in the mean, in the worst block |
| `detail_ratio` | how much finest detail there is to what there should be: less is blur, more is noise |
| `block_delta_e_p95`, `block_delta_e_max` | ΔE00 of the blocks' mean colours, but what JPEG rounds |
| `hue_shift_deg` | by how far the hues of coloured blocks are turned, all to one side, 0..180 |
| `levels_kept` | how many steps of grey there are to those there should be, by their entropy: fewer are bands |
| `clipped_added` | share of the product that became black or white |
| `chroma_error` | of 255, at the blocks where colours bleed the most: halved chroma on saturated reds |
| `moire` | of 255: how high the strongest wave is that the source has not; where a window of 64 px lies within it |
| `blockiness` | by how much steeper the steps between JPEG's blocks are than within them, above the source's |
| `ground_difference` | of 255: how far the ground is from what is to be behind, in the 8 px where it is the furthest |
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from gpu_workers.imaging.colour_difference import ciede2000, srgb_to_lab
from gpu_workers.imaging.compiled import compiled
from gpu_workers.imaging.types import Code, Flags, Plane
from gpu_workers.quality.moire import moire

# Set by hand, none is fitted.
BLOCK_PX = 16  # a letter's size: what is moved by less than a stroke changes few of its pixels
_WITHIN = 0.999  # of a block that must lie within the product
_STEADY = 58.5  # (0.03 × 255)², SSIM's constant: what varies less is flat
_COLOURED = 24.0  # of chroma, from which what JPEG 95 does to a plain colour (0.6 ΔE) turns its hue by less than 1.5°
_BLACK, _WHITE = 2, 253  # of 255
_FLOOR = 1.0  # of 255: the noise of rounding, which is no detail
_JPEG_PX = 8
_ROUNDED = 0.5  # ΔE00, from which it is asked what of it JPEG's rounding makes
_TIE = 1e-4  # of a code value: what is nearer to a half is one
# ITU-T T.871 (JFIF): R'G'B' to Y'CbCr, and what the chroma adds to the luma on the way back.
_TO_YCC = np.array([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]], np.float32)
_FROM_CHROMA = np.array([[0, 1.402], [-0.344136, -0.714136], [1.772, 0]], np.float32)
_RIM_PX = 4  # about the product, whose soft edge is no ground


def kept_measures(expected: Code, written: Code, core: Flags) -> dict[str, float]:
    """The measures of a product, `written` (h, w, 3; uint8 sRGB) where `expected` should be, within `core` (h, w).

    Empty where no whole block lies within it.
    """
    size = (core.shape[1] // BLOCK_PX, core.shape[0] // BLOCK_PX)
    if 0 in size:
        return {}
    rows, columns = size[1] * BLOCK_PX, size[0] * BLOCK_PX
    true, found, inside = expected[:rows, :columns], written[:rows, :columns], core[:rows, :columns]
    whole = _blocks(inside.astype(np.float32), size) >= _WITHIN
    if not whole.any():
        return {}
    grey = [cv2.cvtColor(np.ascontiguousarray(part), cv2.COLOR_RGB2GRAY) for part in (true, found)]
    wave = moire(grey[0], grey[1], inside)
    return {
        **_structure(grey[0], grey[1], whole, size),
        **_detail(grey[0], grey[1], inside),
        **_colours(true, found, whole, size),
        **_tones(grey[0], grey[1], inside),
        "chroma_error": _chroma_error(true, found, whole, size),
        **({} if wave is None else {"moire": wave}),
        "blockiness": _steps(grey[1], inside) - _steps(grey[0], inside),
    }


def ground_difference(expected: Code, written: Code, product: Code) -> float:
    """How far a picture (h, w, 3, or 4, of which the alpha counts) is from the one `expected` where there is nothing of
    the `product` (h, w; alpha), 0..255; 0 where it is everywhere."""
    size = (product.shape[1] // _JPEG_PX, product.shape[0] // _JPEG_PX)
    if 0 in size:
        return 0.0
    rows, columns = size[1] * _JPEG_PX, size[0] * _JPEG_PX
    ours, theirs, there = (part[:rows, :columns] for part in (expected, written, product))
    near = cv2.blur((there > 0).astype(np.float32), (2 * _RIM_PX + 1, 2 * _RIM_PX + 1))
    free = _blocks(near, size) <= 0
    apart = cv2.absdiff(ours, theirs)[..., 3] if ours.shape[2] == 4 else furthest(ours, theirs)
    return float(_blocks(apart.astype(np.float32), size)[free].max(initial=0))


def furthest(one: Code, other: Code) -> Code:
    """The largest of three channels' differences (h, w) of a picture (h, w, 3) from another, or from a colour (3,)."""
    out = np.empty(one.shape[:2], np.uint8)
    is_whole = other.ndim == 3
    _furthest(one, other if is_whole else other.reshape(1, 1, 3).copy(), int(is_whole), out)
    return out


# Compiled: with numpy each step of it would be another picture.
@compiled("void(u1[:, :, :], u1[:, :, :], i8, u1[:, ::1])")
def _furthest(one, other, step, out):  # type: ignore[no-untyped-def]
    for y in range(out.shape[0]):
        for x in range(out.shape[1]):
            most = np.uint8(0)
            for channel in range(3):
                here, there = one[y, x, channel], other[y * step, x * step, channel]
                most = max(most, here - there if here > there else there - here)
            out[y, x] = most


def block_box(core: Flags) -> tuple[slice, slice]:
    """The rows and columns about what is in `core` (h, w), from the corner of a block on: JPEG's lie on them too."""
    rows, columns = (np.flatnonzero(core.any(axis=axis)) for axis in (1, 0))
    top, left = (int(part[0]) // BLOCK_PX * BLOCK_PX for part in (rows, columns))
    return slice(top, int(rows[-1]) + 1), slice(left, int(columns[-1]) + 1)


def _blocks(plane: NDArray[np.float32], size: tuple[int, int]) -> Plane:
    """The mean of each block."""
    return np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_AREA), np.float32)


def _structure(true: Code, found: Code, whole: Flags, size: tuple[int, int]) -> dict[str, float]:
    """Z. Wang et al., Image Quality Assessment: From Error Visibility to Structural Similarity, 2004."""
    one, other = true.astype(np.float32), found.astype(np.float32)
    mean_one, mean_other = _blocks(one, size), _blocks(other, size)
    spread = _blocks(one * one, size) - mean_one**2 + _blocks(other * other, size) - mean_other**2
    shared = _blocks(one * other, size) - mean_one * mean_other
    alike = ((2 * shared + _STEADY) / (np.maximum(spread, 0) + _STEADY))[whole]
    return {"structure_kept": float(alike.mean()), "structure_worst": float(alike.min())}


def _detail(true: Code, found: Code, inside: Flags) -> dict[str, float]:
    weight = inside.astype(np.uint8)
    energies = [float(np.square(cv2.Laplacian(part, cv2.CV_32F)[weight > 0]).mean()) + _FLOOR for part in (true, found)]
    return {"detail_ratio": float(np.sqrt(energies[1] / energies[0]))}


def _colours(true: Code, found: Code, whole: Flags, size: tuple[int, int]) -> dict[str, float]:
    one, other = (
        srgb_to_lab(_blocks(part.astype(np.float32), size)[whole] / np.float32(255)) for part in (true, found)
    )
    apart = ciede2000(one, other)
    if apart.max() > _ROUNDED:
        held = srgb_to_lab(_blocks(_as_held(true), size)[whole] / np.float32(255))
        apart = np.minimum(apart, ciede2000(held, other))
    return {
        "block_delta_e_p95": float(np.percentile(apart, 95)),
        "block_delta_e_max": float(apart.max()),
        "hue_shift_deg": _hue_shift_deg(one, other),
    }


def _as_held(rgb: Code) -> Plane:
    """A picture as JPEG's own colours hold it, whole numbers of luma and chroma, halves rounded as the IJG's library
    does: a grey cloth that is all of one colour is off by up to 1.3 ΔE00 in the best of files."""
    luma_chroma = cv2.transform(rgb.astype(np.float32), _TO_YCC)
    luma, chroma = np.rint(luma_chroma[..., :1]), np.ceil(luma_chroma[..., 1:] - np.float32(0.5 + _TIE))
    return np.asarray(luma + np.floor(cv2.transform(chroma, _FROM_CHROMA) + np.float32(0.5)), np.float32)


def _hue_shift_deg(one: Plane, other: Plane) -> float:
    """By how far the colours (n, 3; Lab) of one lot are turned to the other's, the vivid ones counting for more."""
    vectors = [lab[:, 1] + 1j * lab[:, 2] for lab in (one, other)]
    coloured = np.minimum(np.abs(vectors[0]), np.abs(vectors[1])) > _COLOURED
    if not coloured.any():
        return 0.0
    turned = (vectors[1] * np.conj(vectors[0]))[coloured].sum()
    return float(abs(np.degrees(np.angle(turned))))


def _tones(true: Code, found: Code, inside: Flags) -> dict[str, float]:
    counts = [np.bincount(part[inside], minlength=256) / max(1, int(inside.sum())) for part in (true, found)]
    steps = [float(np.exp(-(share[share > 0] * np.log(share[share > 0])).sum())) for share in counts]
    ends = [float(share[: _BLACK + 1].sum() + share[_WHITE:].sum()) for share in counts]
    return {"levels_kept": steps[1] / steps[0], "clipped_added": max(0.0, ends[1] - ends[0])}


def _chroma_error(true: Code, found: Code, whole: Flags, size: tuple[int, int]) -> float:
    one, other = (cv2.cvtColor(np.ascontiguousarray(part), cv2.COLOR_RGB2YCrCb) for part in (true, found))
    _, red, blue = cv2.split(cv2.absdiff(one, other))
    off = np.square(red, dtype=np.float32) + np.square(blue, dtype=np.float32)
    return float(np.sqrt(np.percentile(_blocks(off, size)[whole], 99)))


def _steps(grey: Code, inside: Flags) -> float:
    """The mean step across the corners of JPEG's blocks, to that elsewhere; 1 where there is no grid."""
    ratios = []
    for plane, within in ((grey, inside), (grey.T, inside.T)):
        both = (within[:, 1:] & within[:, :-1]).astype(np.uint8)
        step = cv2.absdiff(np.ascontiguousarray(plane[:, 1:]), np.ascontiguousarray(plane[:, :-1])) * both
        sums, counts = (cv2.reduce(part, 0, cv2.REDUCE_SUM, dtype=cv2.CV_32S)[0] for part in (step, both))
        at = np.arange(len(sums)) % _JPEG_PX == _JPEG_PX - 1
        means = [float(sums[part].sum() / max(1, counts[part].sum())) for part in (at, ~at)]
        ratios.append((means[0] + _FLOOR) / (means[1] + _FLOOR))
    return float(np.mean(ratios))
