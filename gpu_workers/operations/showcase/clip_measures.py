"""What is measured of a clip, on its file decoded afresh. Deciding on it is the judge's.

| measure | says |
|---|---|
| `clip_bytes`, `clip_frames`, `clip_width_px`, `clip_height_px` | the file |
| `clip_seconds` | how long it is |
| `clip_bt709` | 1 when it says that its colours are BT.709's of limited range |
| `clip_delta_e_mean`, `clip_delta_e_p95` | ΔE00 of the product in the file to its cut-out; of five frames, the worst |
| `clip_layer_delta_e` | the mean of the same before the clip was encoded: what resampling does |
| `clip_loop_difference` | the first frame against the last, before encoding, 0..255; 0 of a clip that is no loop |
| `mail_bytes` | the moving picture for letters |
"""

from dataclasses import dataclass

import cv2
import numpy as np

from gpu_workers.imaging.clips import read_mp4
from gpu_workers.imaging.colour_difference import ciede2000, srgb_to_lab
from gpu_workers.imaging.linear_light import eight_bit, resampled_light, to_linear, to_srgb
from gpu_workers.imaging.types import Code, Codes
from gpu_workers.imaging.wide_gamut import in_srgb
from gpu_workers.operations.packshot.measures import light_in
from gpu_workers.operations.showcase.motions import Frame
from gpu_workers.quality.kept import block_box

# Set by hand, none is fitted.
_SOLID = 0.99  # of alpha: nothing of the scene is mixed in
_ERODE_PX = 3  # from the product's edge: half-size chroma mixes what is beside it
_SAMPLES = 5  # frames that are looked at, the first and the last among them


@dataclass(frozen=True)
class Looked:
    """A frame that is looked at: its number and what it should show."""

    number: int
    frame: Frame


def looked_at(count: int) -> list[int]:
    """The numbers of the frames that are looked at, of so many."""
    return sorted({round(part) for part in np.linspace(0, count - 1, _SAMPLES)})


def clip_measures(clip: bytes, looked: list[Looked], cutout: Codes, fps: int, *, loop: bool) -> dict[str, float]:
    """The measures of a `clip`'s file. `cutout` (h, w, 4) is what was placed in each frame. Raises ValueError for a
    file that is no clip; where no part of the product is solid, its colours are not measured."""
    decoded = read_mp4(clip, [each.number for each in looked])
    first, last = looked[0].frame.rgb, looked[-1].frame.rgb
    apart = [
        _apart(each.frame, shown, cutout)
        for each in looked
        if (shown := decoded.frames.get(each.number)) is not None and shown.shape == each.frame.rgb.shape
    ]
    return {
        "clip_bytes": float(len(clip)),
        "clip_frames": float(decoded.count),
        "clip_width_px": float(first.shape[1]),
        "clip_height_px": float(first.shape[0]),
        "clip_seconds": decoded.count / fps,
        "clip_bt709": float(decoded.is_bt709),
        "clip_loop_difference": float(cv2.absdiff(first, last).max()) if loop else 0.0,
        **_worst([each for each in apart if each]),
    }


def _worst(apart: list[dict[str, float]]) -> dict[str, float]:
    return {name: max(each[name] for each in apart) for name in apart[0]} if apart else {}


def _apart(frame: Frame, shown: Code, cutout: Codes) -> dict[str, float]:
    """How far the product is from its cut-out, laid there by another resampler, in the file and before it."""
    solid = (frame.alpha >= _SOLID).astype(np.uint8)
    side = 2 * _ERODE_PX + 1
    core = cv2.erode(solid, np.ones((side, side), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=0) > 0
    if not core.any():
        return {}
    box = block_box(core)
    light = light_in(box, cutout, frame.placement)
    alpha = np.clip(light[..., 3:], 0, 1)
    colours = resampled_light(light[..., :3], alpha, cutout) + (1 - alpha) * to_linear(eight_bit(frame.rgb[box]))
    true = srgb_to_lab(to_srgb(in_srgb(colours))[core[box]])
    in_file, before = (ciede2000(true, srgb_to_lab(rgb[box][core[box]])) for rgb in (shown, frame.rgb))
    return {
        "clip_delta_e_mean": float(in_file.mean()),
        "clip_delta_e_p95": float(np.percentile(in_file, 95)),
        "clip_layer_delta_e": float(before.mean()),
    }
