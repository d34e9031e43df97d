"""What can be measured of a mockup, on the written file decoded afresh. Deciding on it is the judge's.

| measure | says |
|---|---|
| `width_px`, `height_px`, `size_bytes`, `format_allowed` | the file; 1 when its content is a format of the channel |
| `scale`, `scene_scale` | pixels of the most enlarged product, and of the scene, were enlarged by this |
| `in_frame` | 1 when every product is inside the canvas |
| `product_fill` | the larger of the main product's shares of the canvas' width and height |
| `height_share` | the main product's share of the canvas' height |
| `visible_share` | the least share of a product that nothing in the scene hides |
| `cropped_edges` | how many edges of the photograph cut the main product off |
| `own_shadow_share` | share of the main cut-out that was the supplier's own shadow |
| `height_error` | how much taller or lower the least true product looks than it should on its ground, as a share |
| `product_difference_max`, `_p999`, `_p99`, `_mean` | the file's products against the sources', 0..255 |
| `canvas_difference_max` | the canvas before encoding against the sources, 0..255 |
| `product_delta_e_median` | the same as the median ΔE00 on the canvas |
| `product_pixels` | how many pixels the differences were measured on |
| `structure_kept`, `structure_worst` | what became of the main product's detail: `gpu_workers.quality.kept` |
| `halo` | by how many steps the soft edge is brighter or darker than both what it parts, on average |
| `contact_darkening` | how much darker the ground is along the line where the main product touches it, 0..1 |
| `contact_gap` | how far below its foot the ground is darkest, as a share of its height; nearly 0 when it stands |
| `shadow_azimuth_deg`, `shadow_azimuth_error_deg` | where the light is by the shadow, and off the scene's by this |
| `shadow_share` | how much of the canvas the shadows darken by a hundredth or more |

What words ask for (`background.prompt`) is measured where it is made: `words.TERM` is 1 when the picture has it, 0 when
its scene cannot, and `words_unknown` how many words are not known.

The shadow's azimuth is missing where none was asked for or can be seen, or the light is so high that it has no side. It
is opposite the light when what is dark is no shadow of the products.
"""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from gpu_workers.imaging.colour_difference import ciede2000, srgb_to_lab
from gpu_workers.imaging.linear_light import eight_bit, levels, resampled_light, to_linear, to_srgb
from gpu_workers.imaging.types import HALF, LUMINANCE, Code, Flags, Plane
from gpu_workers.imaging.wide_gamut import in_srgb
from gpu_workers.operations.mockup.mockup import Mockup, Placed
from gpu_workers.operations.mockup.scene_ground import Ground
from gpu_workers.operations.mockup.scene_shadow import Caster, shift, thrown
from gpu_workers.operations.packshot.measures import ERODE_PX, light_in
from gpu_workers.quality.files import file_facts, read
from gpu_workers.quality.kept import block_box, kept_measures
from schemas.channels import Channel

# Set by hand, none is fitted, but where a line says so.
_SHOWN = 2  # of an alpha of 255 of what hides it
_SEEN = 0.01  # of the ground's light: a shadow that is seen
_SIDELESS_DEG = 80.0  # of elevation: a light from above has no side
_STEP_DEG = 5.0  # between azimuths that are tried; the parabola through the best three finds what is between
_CELLS = 40  # of the tallest product's height, of the grid in which shadows are thrown to be compared
_BLUR_CELLS = 2.5  # of a shadow's edge there
_WHOLLY = 0.99  # of the ground, of which nothing else is seen
_EXPLAINED = 0.4  # of a shadow's variation, which one light must explain
_RIM_PX = 7  # about products, whose soft edges are no shadow
_SHOWING = 0.02  # of light that the ground mirrors: where more is, darkness is no shadow
_POINTS_MAX, _LINE = 40_000, 64  # of the ground that are compared, so many in a row, as they are thrown together
_CONTACT_CM = 0.4  # how far below a foot its contact shadow is read
# of the height that is read below a foot, of its columns that must be seen there, of the darkest strip
_GAP_SEEN, _GAP_COLUMNS, _GAP_DARKEST = 0.25, 0.3, 0.95
_KEPT = ("structure_kept", "structure_worst")  # a scene's light changes colours, within what the gates allow
_EDGE_PX = 15  # the window in which a soft edge is compared with what is inside and behind it


def measure(file: bytes, mockup: Mockup, channel: Channel) -> dict[str, float]:
    """All measures of the `mockup` in `file`, written for `channel`. Raises a SourceError for no picture."""
    picture = read(file)
    written = eight_bit(picture.pixels)
    main = mockup.products[0]
    return {
        **file_facts(file, picture, channel),
        "scale": max(one.placement.scale for one in mockup.products),
        "scene_scale": mockup.scene_scale,
        "in_frame": float(all(_is_inside(one) for one in mockup.products)),
        "product_fill": _fill(main),
        "height_share": _height_share(main),
        "visible_share": min(_visible_share(one) for one in mockup.products),
        "cropped_edges": float(len(main.placement.cropped)),
        "own_shadow_share": main.own_shadow,
        "height_error": max(abs(_height_error(one)) for one in mockup.products),
        **_difference(written, mockup),
        "halo": _halo(written, mockup, main),
        **_shadow(written, mockup),
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


def _height_share(one: Placed) -> float:
    _, top, _, bottom = _box(one)
    return (bottom - top) / one.placement.canvas.height_px


def _visible_share(one: Placed) -> float:
    shown, gone = (float(alpha.sum(dtype=np.float64)) for alpha in (one.mask, one.hidden))
    return shown / max(shown + gone, 1.0)


def _height_error(one: Placed) -> float:
    """The silhouette's height on the canvas, its foot's depth left out, against the ground's scale where it stands."""
    rows = np.flatnonzero(((one.mask.astype(np.int16) + one.hidden) >= HALF).any(axis=1))
    deep_px = one.stance.box[3] - one.stance.box[1] - one.stance.height_px
    tall_px = rows[-1] + 1 - rows[0] - deep_px * one.placement.scale
    return float(tall_px / (one.height_cm * one.ground.cosine * one.ground.px_per_cm) - 1)


def _difference(written: Code, mockup: Mockup) -> dict[str, float]:
    """The products as they were photographed against those in the file, away from their edges and from what hides
    them."""
    expected, found, on_canvas = [], [], []
    kept: dict[str, float] = {}
    for one in mockup.products:
        core = _core(one)
        if not core.any():
            continue
        box = block_box(core)
        true = _expected(one, mockup, box)
        if one is mockup.products[0]:
            shown = kept_measures(np.where(core[box][..., None], true, written[box]), written[box], core[box])
            kept = {name: shown[name] for name in _KEPT if name in shown}
        expected.append(true[core[box]])
        found.append(written[box][core[box]])
        on_canvas.append(eight_bit(mockup.canvas[box][core[box]]))
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
        **kept,
    }


def _core(one: Placed) -> Flags:
    solid = ((one.mask >= HALF) & (one.hidden < _SHOWN)).astype(np.uint8)
    side = 2 * ERODE_PX + 1
    core = cv2.erode(solid, np.ones((side, side), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return np.asarray(core > 0)


def _expected(one: Placed, mockup: Mockup, box: tuple[slice, slice]) -> Code:
    """What the cut-out says that `box` (rows, columns) of the canvas looks like, by another resampler than ours."""
    light = light_in(box, one.product, one.placement)
    alpha = np.clip(light[..., 3:], 0, 1)
    colours = resampled_light(light[..., :3], alpha, one.product)
    return to_srgb(in_srgb(colours + (1 - alpha) * to_linear(mockup.ground[box])))


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
    light, ground = (cv2.transform(part[box], LUMINANCE[None]).astype(np.float32) for part in (written, mockup.ground))
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


def _shadow(written: Code, mockup: Mockup) -> dict[str, float]:
    before, made, after = (
        cv2.transform(to_linear(picture), LUMINANCE[None]) for picture in (mockup.bare, mockup.ground, written)
    )
    darkening = np.asarray(np.clip(1 - after / np.maximum(before, 1e-4), 0, 1), np.float32)
    found = {
        "shadow_share": float((made < (1 - _SEEN) * before).mean()),
        **_contact(darkening, mockup.products[0]),
    }
    azimuth = _azimuth_deg(darkening, mockup)
    if azimuth is not None:
        found["shadow_azimuth_deg"] = (azimuth + 180) % 360 - 180
        found["shadow_azimuth_error_deg"] = abs((azimuth - mockup.light.azimuth_deg + 180) % 360 - 180)
    return found


def _contact(darkening: Plane, one: Placed) -> dict[str, float]:
    """How dark the ground is that is seen a few millimetres below where the product stands, on average, and how far
    below that it is as good as darkest: nowhere is it darker than beneath a foot."""
    scale, place = one.placement.scale, one.placement
    columns = np.flatnonzero(one.stance.stands)
    x = np.clip(np.rint((columns + 0.5) * scale + place.x_px - 0.5), 0, darkening.shape[1] - 1).astype(np.intp)
    rows = one.stance.contact[columns] * scale + place.y_px
    height_px = one.stance.height_px * scale
    deep = max(2, round(_CONTACT_CM * one.ground.px_per_cm))
    below = np.arange(1, max(round(_GAP_SEEN * height_px), deep) + deep + 1)
    y = np.rint(rows[:, None] + below).astype(np.intp)
    there = (y < darkening.shape[0]) & (y >= 0)
    y = np.clip(y, 0, darkening.shape[0] - 1)
    there &= one.mask[y, x[:, None]] < _SHOWN
    dark = darkening[y, x[:, None]] * there
    seen = there.sum(axis=0)
    profile = np.where(seen >= _GAP_COLUMNS * len(columns), dark.sum(axis=0) / np.maximum(seen, 1), 0)
    strips = np.convolve(profile, np.ones(deep) / deep, "valid")
    found = {"contact_darkening": float(dark[:, :deep].sum() / max(there[:, :deep].sum(), 1))}
    if strips.max() > _SEEN:
        found["contact_gap"] = float(np.flatnonzero(strips >= _GAP_DARKEST * strips.max())[-1] / height_px)
    return found


def _azimuth_deg(darkening: Plane, mockup: Mockup) -> float | None:
    """Where the light must be for the products' shadows to lie where the picture is dark, all directions tried.

    The one whose shadows go with the darkness best, as their correlation says, and between two by a parabola. They
    climb what they meet, and are only where the main light is. Opposite the light when none goes with it at all.
    """
    meant = mockup.light
    if meant.elevation_deg > _SIDELESS_DEG or mockup.shadow_mode == "none":
        return None
    dark, clear = _around(darkening, mockup)
    where = _reached(mockup, clear)
    azimuths = np.arange(-180, 180, _STEP_DEG) + meant.azimuth_deg
    each = _thrown_at(mockup.points[where], mockup, azimuths) * mockup.key_share[where]
    if not len(each[0]) or each.max() < _SEEN:
        return None
    fit = _correlations(each, dark[where])
    best = int(fit.argmax())
    if fit[best] < _EXPLAINED:
        return meant.azimuth_deg + 180
    before, middle, after = (float(fit[(best + step) % len(fit)]) for step in (-1, 0, 1))
    bend = before - 2 * middle + after
    return float(azimuths[best] + _STEP_DEG * (0.5 * (before - after) / bend if bend else 0.0))


def _around(darkening: Plane, mockup: Mockup) -> tuple[Plane, NDArray[np.bool_]]:
    """The darkness (h, w) at the size of the mockup's points, and where neither a product nor its mirror image is in
    the way."""
    products = np.maximum.reduce([np.maximum(one.mask, one.hidden) for one in mockup.products])
    free = (cv2.dilate(products, np.ones((_RIM_PX, _RIM_PX), np.uint8)) == 0).astype(np.float32)
    size = mockup.key_share.shape[1::-1]
    dark, clear = (cv2.resize(part, size, interpolation=cv2.INTER_AREA) for part in (darkening * free, free))
    return dark, (clear > _WHOLLY) & (mockup.mirrored < _SHOWING)


def _reached(mockup: Mockup, clear: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns of some of the `clear` points to which a shadow may reach, whole lines of them."""
    main, high = mockup.products[0], max(one.height_cm for one in mockup.products)
    left, _, right, _ = main.stance.box
    wide = (right - left) * main.placement.scale / main.ground.px_per_cm
    reach = wide + high / math.tan(math.radians(mockup.light.elevation_deg))
    near = (np.hypot(mockup.points[..., 0], mockup.points[..., 1]) < reach) & (mockup.points[..., 2] < high)
    inside = np.flatnonzero(clear & near)
    some = inside[:: max(1, len(inside) // _POINTS_MAX)]
    rows, columns = np.divmod(some[: len(some) // _LINE * _LINE], clear.shape[1])
    return rows, columns


def _thrown_at(points: Plane, mockup: Mockup, azimuths: NDArray[np.float64]) -> Plane:
    """How much (azimuths, n; 0..1) of a light from each of the azimuths is hidden from the `points` (n, 3)."""
    main, elevation_deg = mockup.products[0].ground, mockup.light.elevation_deg
    casters = [_caster(one, main) for one in mockup.products]
    cell_cm = max(one.height_cm for one in mockup.products) / _CELLS
    directions = [(float(azimuth), elevation_deg) for azimuth in azimuths]
    shadows, frame = thrown(casters, main, directions, cell_cm)
    right, away, up = (points[:, axis].reshape(-1, _LINE) for axis in range(3))
    each = np.zeros((len(azimuths), len(points)), np.float32)
    for hidden, shadow, direction in zip(each, shadows, directions, strict=True):
        # As soft as shadows are, or those of thin wires would go with nothing.
        soft = cv2.GaussianBlur(shadow.astype(np.float32) / 255, (0, 0), _BLUR_CELLS)
        to_right, to_away = (np.float32(component) for component in shift(*direction))
        hidden[:] = frame.at(soft, right + up * to_right, away + up * to_away).ravel()
    return each


def _caster(one: Placed, main: Ground) -> Caster:
    right, away, far = np.linalg.inv(main.to_picture()) @ (one.ground.x_px, one.ground.y_px, 1.0)
    per_cm = one.stance.height_px / (one.height_cm * one.ground.cosine)
    return Caster(levels(one.product[..., 3]), one.stance, per_cm, (float(right / far), float(away / far)))


def _correlations(each: Plane, dark: Plane) -> Plane:
    """Of every row of `each` (n, m) with `dark` (m,)."""
    rows, line = each - each.mean(axis=1, keepdims=True), dark - dark.mean()
    return np.asarray(rows @ line / np.maximum(np.linalg.norm(rows, axis=1) * np.linalg.norm(line), 1e-6))
