"""What the written file shows of the light on its ground: measured on its pixels, against the light that was meant."""

from dataclasses import replace
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from gpu_workers.imaging.compiled import compiled
from gpu_workers.imaging.linear_light import to_linear
from gpu_workers.imaging.types import HALF, LUMINANCE, Plane
from gpu_workers.operations.packshot import light as lights
from gpu_workers.operations.packshot import shadow
from gpu_workers.operations.packshot.light import Light
from gpu_workers.operations.packshot.packshot import Rendered

# Set by hand, none is fitted, but where a line says so.
_LOOKED_AT_PX = 128  # the longer side at which a shadow's direction is searched for
_CLEAR_PX = 3  # about the product, whose soft edge is no shadow
_FEW_PX = 20  # of clear ground: on less no direction can be told
_EXPLAINED = 0.4  # of a shadow's variation, which one light must explain
_CONTACT_SHARE, _CONTACT_PX = 0.01, 3  # of the longer side, and at least: how far below its feet a product darkens
_EDGE_AT_PX = 500  # the longer side at which a shadow's edges are looked for
# An edge is sharp when a shadow ends within so many rows, at that size. Of 22 soft shadows of the sample catalogue none
# has more than .02 of its product's width of it then (.046 where it may end within 4 rows, and .054 of a sneaker whose
# shadow was seen to fade); cut off by hand at 6 to 25 % of the height as many are found.
_EDGE_ROWS = 3
_EDGE_DARK = 0.06  # of the ground's light: what is fainter shows no edge
_EDGE_LEFT = 0.35  # of the darkness that is left beyond an edge
_ABOVE = 0.03  # of the product's height: closer to the ground its contact shadow has an edge, and may
_NOT_FOUND_DEG = 180.0  # as wrong as a direction can be


def measure_light(written: NDArray[np.uint8], rendered: Rendered) -> dict[str, float]:
    """The measures of light and shadow on a file's pixels (h, w, 3); none where no shadow was asked for."""
    if rendered.shadow_mode == "none" or rendered.background is None:
        return {}
    found = {"shadow_made": float(rendered.shadow_made)}
    darkness = _darkness(written, rendered.background)
    if rendered.shadow_mode in ("contact", "soft", "hard"):
        found |= _contact(darkness, rendered.mask)
    if rendered.shadow_mode == "soft":
        found["shadow_edge_share"] = _edge_share(darkness, rendered.mask)
    if rendered.light is not None:
        found |= _direction(darkness, rendered, rendered.light)
    return found


def _darkness(written: NDArray[np.uint8], background: NDArray[np.uint8]) -> Plane:
    """By how much (h, w; 0..1) less light comes from each pixel than from the background."""
    ground = max(float(to_linear(background) @ LUMINANCE), 1e-4)
    shares = to_linear(np.arange(256, dtype=np.uint8)) * LUMINANCE[:, None] / np.float32(ground)
    out = np.empty(written.shape[:2], np.float32)
    _less_light(written, shares.astype(np.float32), out)
    return out


# Compiled: numpy would hold a picture's light three times over for it.
@compiled("void(u1[:, :, :], f4[:, ::1], f4[:, ::1])")
def _less_light(written, shares, out):  # type: ignore[no-untyped-def]
    """What a code (h, w, 3) lacks of the ground's light; `shares` (3, 256) is what each channel's codes give of it."""
    for y in range(out.shape[0]):
        for x in range(out.shape[1]):
            light = shares[0, written[y, x, 0]] + shares[1, written[y, x, 1]] + shares[2, written[y, x, 2]]
            out[y, x] = min(max(np.float32(1) - light, np.float32(0)), np.float32(1))


def _contact(darkness: Plane, mask: NDArray[np.uint8]) -> dict[str, float]:
    """The median over the feet of how dark the few pixels right below them are; nothing where they are cut off."""
    stance = lights.stand(mask)
    reach = max(_CONTACT_SHARE * stance.longer_px, _CONTACT_PX)
    rows = slice(max(int(stance.ground.min()), 0), int(stance.ground.max() + reach) + 1)
    below = (np.arange(len(mask))[rows, None] - stance.ground).astype(np.float32)
    strip = (below >= 0) & (below < reach) & stance.feet & (mask[rows] == 0)
    columns = strip.sum(axis=0)
    if not columns.any():
        return {}
    dark = (darkness[rows] * strip).sum(axis=0)[columns > 0] / columns[columns > 0]
    return {"contact_darkening": float(np.median(dark))}


def _edge_share(darkness: Plane, mask: NDArray[np.uint8]) -> float:
    """The longest straight, level edge of the shadow above the ground, as a share of the product's width.

    A soft shadow fades; one that ends at a line was cut off there.
    """
    scale = min(1.0, _EDGE_AT_PX / max(darkness.shape))
    product = cv2.dilate((mask > 0).astype(np.uint8), np.ones((2 * _CLEAR_PX + 1,) * 2, np.uint8))
    dark, hidden, alpha = (
        cv2.resize(plane, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        for plane in (darkness, product.astype(np.float32), mask)
    )
    stance = lights.stand(alpha)
    rows = np.arange(len(alpha))[:, None]
    clear = (hidden == 0) & (rows < stance.ground - _ABOVE * stance.height_px)
    above, below = dark[:-_EDGE_ROWS], dark[_EDGE_ROWS:]
    edge = (below > _EDGE_DARK) & (above < _EDGE_LEFT * below) & clear[:-_EDGE_ROWS] & clear[_EDGE_ROWS:]
    width = np.ptp(np.flatnonzero((alpha >= HALF).any(axis=0))) + 1
    return float(_longest_run(edge) / width)


def _longest_run(there: NDArray[np.bool_]) -> int:
    """The most columns in a row (h, w) that are there without a gap."""
    columns = np.arange(1, there.shape[1] + 1)
    gone = np.maximum.accumulate(np.where(there, 0, columns), axis=1)
    return int((columns - gone).max(initial=0))


def _direction(darkness: Plane, rendered: Rendered, meant: Light) -> dict[str, float]:
    """The angle between the azimuth that explains the darkness of the ground best and the one meant, and how well it
    does: not all of it where there are two shadows, or one that hovers or is cut off."""
    scale = min(1.0, _LOOKED_AT_PX / max(darkness.shape))
    product = cv2.dilate((rendered.mask > 0).astype(np.uint8), np.ones((2 * _CLEAR_PX + 1,) * 2, np.uint8))
    clear, seen, alpha = (
        cv2.resize(plane, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        for plane in (1 - product.astype(np.float32), darkness * (1 - product), rendered.mask)
    )
    if not (alpha >= HALF).any() or clear.sum() < _FEW_PX:
        return {"shadow_azimuth_error_deg": _NOT_FOUND_DEG}

    mode = rendered.shadow_mode
    stance = lights.stand(shadow.reduced(rendered.mask, mode)).resized(alpha.shape[1])
    thrown = (1 - (1 - seen) / shadow.sky_left(alpha, stance, mode)).clip(0) * clear

    taken_from = shadow.taker(alpha, stance, mode)

    @cache
    def explained(azimuth_deg: float) -> float:
        model = taken_from(replace(meant, azimuth_deg=azimuth_deg)) * clear
        sizes = float(np.linalg.norm(model) * np.linalg.norm(thrown))
        return float((model * thrown).sum()) / sizes if sizes > 0 else 0.0

    best, step = max(np.arange(-180.0, 180.0, 30.0), key=explained), 15.0
    while step >= 3:
        best, step = max((best - step, best, best + step), key=explained), step / 2
    off = abs((best - meant.azimuth_deg + 180) % 360 - 180) if explained(best) >= _EXPLAINED else _NOT_FOUND_DEG
    return {"shadow_azimuth_error_deg": float(off), "shadow_explained": explained(best)}
