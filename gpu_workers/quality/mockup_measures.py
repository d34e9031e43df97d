"""What can be measured of a mockup, on the written file decoded afresh. Deciding on it is the judge's.

| measure | says |
|---|---|
| `width_px`, `height_px`, `size_bytes`, `format_allowed` | the file; 1 when its content is a format of the channel |
| `scale`, `scene_scale` | pixels of the most enlarged product, and of the scene, were enlarged by this |
| `in_frame` | 1 when every product is inside the canvas |
| `product_fill` | the larger of the main product's shares of the canvas' width and height |
| `visible_share` | the least share of a product that nothing in the scene hides |
| `cropped_edges` | how many edges of the photograph cut the main product off |
| `own_shadow_share` | share of the main cut-out that was the supplier's own shadow |
| `height_error` | how much taller or lower the least true product looks than it should on its ground, as a share |
| `product_difference_max`, `_p999`, `_p99`, `_mean` | the file's products against the sources', 0..255 |
| `canvas_difference_max` | the canvas before encoding against the sources, 0..255 |
| `product_delta_e_median` | the same as the median ΔE00 on the canvas |
| `product_pixels` | how many pixels the differences were measured on |
| `halo` | by how many steps the soft edge is brighter or darker than both what it parts, on average |
| `contact_darkening` | how much darker the ground is along the line where the main product touches it, 0..1 |
| `shadow_azimuth_deg`, `shadow_azimuth_error_deg` | where the light is by the shadow, and off the scene's by this |
| `shadow_share` | how much of the canvas the shadows darken by a hundredth or more |

The shadow's azimuth is missing where there is none to be seen, or the light is so high that it has no side.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from gpu_workers.colour_difference import ciede2000, srgb_to_lab
from gpu_workers.linear_light import opacity, to_linear, to_srgb
from gpu_workers.operations.mockup import Mockup, Placed
from gpu_workers.operations.scene_ground import Ground
from gpu_workers.operations.scene_shadow import Caster, thrown
from gpu_workers.quality.files import file_facts, read
from gpu_workers.quality.measures import ERODE_PX, padded, resized
from schemas.channels import Channel

Bool = NDArray[np.bool_]
Code = NDArray[np.uint8]
Plane = NDArray[np.float32]

_HALF = 128
_SHOWN = 2
_LUMINANCE = np.array([[0.2126, 0.7152, 0.0722]], np.float32)
_SEEN = 0.01
_SIDELESS_DEG = 80.0
_STEP_DEG = 5.0
_CELLS = 40
_BLUR_CELLS = 2.5
_WHOLLY = 0.99
_CONTACT_CM = 0.4
_EDGE_PX = 15


def measure(file: bytes, mockup: Mockup, channel: Channel) -> dict[str, float]:
    """All measures of the `mockup` in `file`, written for `channel`. Raises a SourceError for no picture."""
    picture = read(file)
    written = picture.pixels.astype(np.uint8, copy=False)
    main = mockup.products[0]
    return {
        **file_facts(file, picture, channel),
        "scale": max(one.placement.scale for one in mockup.products),
        "scene_scale": mockup.scene_scale,
        "in_frame": float(all(_is_inside(one) for one in mockup.products)),
        "product_fill": _fill(main),
        "visible_share": min(_visible_share(one) for one in mockup.products),
        "cropped_edges": float(len(main.placement.cropped)),
        "own_shadow_share": main.own_shadow,
        "height_error": max(abs(_height_error(one)) for one in mockup.products),
        **_difference(written, mockup),
        "halo": _halo(written, mockup, main),
        **_shadow(mockup),
    }


def _box(one: Placed) -> tuple[float, float, float, float]:
    left, top, right, bottom = one.stance.box
    scale, x, y = one.placement.scale, one.placement.x_px, one.placement.y_px
    return left * scale + x, top * scale + y, right * scale + x, bottom * scale + y


def _is_inside(one: Placed) -> bool:
    left, top, right, bottom = _box(one)
    canvas = one.placement.canvas
    return left >= 0 and top >= 0 and right <= canvas.width_px and bottom <= canvas.height_px


def _fill(one: Placed) -> float:
    left, top, right, bottom = _box(one)
    return max((right - left) / one.placement.canvas.width_px, (bottom - top) / one.placement.canvas.height_px)


def _visible_share(one: Placed) -> float:
    shown, gone = (float(alpha.sum(dtype=np.float64)) for alpha in (one.mask, one.hidden))
    return shown / max(shown + gone, 1.0)


def _height_error(one: Placed) -> float:
    """The silhouette's height on the canvas, its foot's depth left out, against the ground's scale where it stands."""
    rows = np.flatnonzero(((one.mask.astype(np.int16) + one.hidden) >= _HALF).any(axis=1))
    deep_px = one.stance.box[3] - one.stance.box[1] - one.stance.height_px
    tall_px = rows[-1] + 1 - rows[0] - deep_px * one.placement.scale
    return float(tall_px / (one.height_cm * one.ground.cosine * one.ground.px_per_cm) - 1)


def _difference(written: Code, mockup: Mockup) -> dict[str, float]:
    """The products as they were photographed against those in the file, away from their edges and from what hides
    them."""
    expected, found, on_canvas = [], [], []
    for one in mockup.products:
        core = _core(one)
        rows, columns = np.flatnonzero(core.any(axis=1)), np.flatnonzero(core.any(axis=0))
        if not len(rows):
            continue
        box = (slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1))
        expected.append(_expected(one, mockup, box)[core[box]])
        found.append(written[box][core[box]])
        on_canvas.append(mockup.canvas[box][core[box]])
    if not expected:
        return {"product_pixels": 0.0}
    truth, in_file, before = (np.concatenate(parts) for parts in (expected, found, on_canvas))
    steps = np.abs(in_file.astype(np.int16) - truth).max(axis=1)
    return {
        "product_difference_max": float(steps.max()),
        "product_difference_p999": float(np.percentile(steps, 99.9)),
        "product_difference_p99": float(np.percentile(steps, 99)),
        "product_difference_mean": float(steps.mean()),
        "canvas_difference_max": float(np.abs(before.astype(np.int16) - truth).max()),
        "product_delta_e_median": float(np.median(ciede2000(srgb_to_lab(truth), srgb_to_lab(before)))),
        "product_pixels": float(len(truth)),
    }


def _core(one: Placed) -> Bool:
    solid = ((one.mask >= _HALF) & (one.hidden < _SHOWN)).astype(np.uint8)
    side = 2 * ERODE_PX + 1
    core = cv2.erode(solid, np.ones((side, side), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return np.asarray(core > 0)


def _expected(one: Placed, mockup: Mockup, box: tuple[slice, slice]) -> Code:
    """What the cut-out says that `box` (rows, columns) of the canvas looks like, by another resampler than ours."""
    source = padded(one.product, one.placement)
    alpha = opacity(source[..., 3])
    bands = [to_linear(source[..., band]) * alpha for band in range(3)] + [alpha]
    light = np.dstack([resized(band, one.placement, box) for band in bands])
    alpha = np.clip(light[..., 3:], 0, 1)
    return to_srgb(np.clip(light[..., :3], 0, alpha) + (1 - alpha) * to_linear(mockup.ground[box]))


def _halo(written: Code, mockup: Mockup, one: Placed) -> float:
    """A clean edge lies between the ground behind it and the product beside it."""
    rows, columns = np.flatnonzero(one.mask.any(axis=1)), np.flatnonzero(one.mask.any(axis=0))
    box = tuple(slice(max(int(line[0]) - 2, 0), int(line[-1]) + 3) for line in (rows, columns))
    alpha = one.mask[box]
    inside = (alpha >= 250).astype(np.float32)
    weight = cv2.blur(inside, (_EDGE_PX, _EDGE_PX))
    soft = (cv2.dilate(alpha, np.ones((3, 3), np.uint8)) > 0) & (alpha < 250) & (weight > 0.05)
    soft &= one.hidden[box] < _SHOWN
    if not soft.any():
        return 0.0
    light, ground = (cv2.transform(part[box], _LUMINANCE).astype(np.float32) for part in (written, mockup.ground))
    low, high = (_beside(light, inside, extreme) for extreme in (np.minimum, np.maximum))
    above = light - np.maximum(high, ground)
    below = np.minimum(low, ground) - light
    return float(np.maximum(np.maximum(above, below), 0)[soft].mean())


def _beside(light: Plane, inside: Plane, extreme: np.ufunc) -> Plane:
    """The darkest or the brightest of the product near each pixel."""
    kernel = np.ones((_EDGE_PX, _EDGE_PX), np.uint8)
    if extreme is np.minimum:
        return np.asarray(cv2.erode(np.where(inside > 0, light, np.float32(255)), kernel))
    return np.asarray(cv2.dilate(np.where(inside > 0, light, np.float32(0)), kernel))


def _shadow(mockup: Mockup) -> dict[str, float]:
    before, after = (cv2.transform(to_linear(picture), _LUMINANCE) for picture in (mockup.bare, mockup.ground))
    darkening = np.asarray(np.clip(1 - after / np.maximum(before, 1e-4), 0, 1), np.float32)
    main = mockup.products[0]
    found = {
        "shadow_share": float((darkening > _SEEN).mean()),
        "contact_darkening": _contact_darkening(darkening, main),
    }
    azimuth = _azimuth_deg(darkening, main, mockup)
    if azimuth is not None:
        found["shadow_azimuth_deg"] = azimuth
        found["shadow_azimuth_error_deg"] = abs((azimuth - mockup.light.azimuth_deg + 180) % 360 - 180)
    return found


def _contact_darkening(darkening: Plane, one: Placed) -> float:
    """The mean over the strip of ground, a few millimetres wide, that is seen below where the product stands."""
    scale, place = one.placement.scale, one.placement
    columns = np.flatnonzero(one.stance.stands)
    x = np.clip(np.rint((columns + 0.5) * scale + place.x_px - 0.5), 0, darkening.shape[1] - 1).astype(np.intp)
    rows = one.stance.contact[columns] * scale + place.y_px
    deep = max(2, round(_CONTACT_CM * one.ground.px_per_cm))
    y = np.rint(rows[:, None] + np.arange(1, deep + 1)).astype(np.intp)
    there = (y < darkening.shape[0]) & (y >= 0)
    y = np.clip(y, 0, darkening.shape[0] - 1)
    there &= one.mask[y, x[:, None]] < _SHOWN
    return float(darkening[y, np.broadcast_to(x[:, None], y.shape)][there].mean()) if there.any() else 0.0


def _azimuth_deg(darkening: Plane, one: Placed, mockup: Mockup) -> float | None:
    """Where the light must be for the products' shadows to lie where the picture is dark, all directions tried.

    The one whose hard shadows go with the darkness best, as their correlation on the ground says, and between two by
    a parabola.
    """
    elevation_deg = mockup.light.elevation_deg
    if elevation_deg > _SIDELESS_DEG:
        return None
    casters = [_caster(each, one.ground) for each in mockup.products]
    azimuths = np.arange(-180, 180, _STEP_DEG)
    each, frame = thrown(casters, one.ground, [(float(a), elevation_deg) for a in azimuths], one.height_cm / _CELLS)
    # As soft as shadows are, or those of thin wires would go with nothing.
    soft = np.stack([cv2.GaussianBlur(shadow.astype(np.float32), (0, 0), _BLUR_CELLS) for shadow in each])
    to_picture = one.ground.to_picture() @ frame.to_ground()
    size, flags = (frame.width, frame.height), cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    dark, seen = (cv2.warpPerspective(part, to_picture, size, flags=flags) for part in (darkening, _seen(one, mockup)))
    where = (seen > _WHOLLY) & (soft.max(axis=0) > 1)
    if not where.any() or dark[where].max() < _SEEN:
        return None
    fit = _correlations(soft[:, where], dark[where])
    best = int(fit.argmax())
    before, middle, after = (float(fit[(best + step) % len(fit)]) for step in (-1, 0, 1))
    bend = before - 2 * middle + after
    return float(azimuths[best] + _STEP_DEG * (0.5 * (before - after) / bend if bend else 0.0))


def _caster(one: Placed, main: Ground) -> Caster:
    right, away, far = np.linalg.inv(main.to_picture()) @ (one.ground.x_px, one.ground.y_px, 1.0)
    per_cm = one.stance.height_px / (one.height_cm * one.ground.cosine)
    return Caster(one.product[..., 3], one.stance, per_cm, (float(right / far), float(away / far)))


def _seen(one: Placed, mockup: Mockup) -> Plane:
    """1 where the picture may show the ground, 0 above its horizon."""
    seen = np.ones(mockup.mask.shape, np.float32)
    seen[: max(round(one.ground.horizon_px) + 1, 0)] = 0
    return seen


def _correlations(each: Plane, dark: Plane) -> Plane:
    """Of every row of `each` (n, m) with `dark` (m,)."""
    rows, line = each - each.mean(axis=1, keepdims=True), dark - dark.mean()
    return np.asarray(rows @ line / np.maximum(np.linalg.norm(rows, axis=1) * np.linalg.norm(line), 1e-6))
