"""What can be measured of a packshot, on the written file decoded afresh. Deciding on it is the judge's.

| measure | says |
|---|---|
| `width_px`, `height_px`, `size_bytes`, `format_allowed` | the file; 1 when its content is a format of the channel |
| `background_exact_share` | of the pixels away from product and shadow, those that are exactly the background |
| `background_near_share` | of the same pixels, those within 2 of it: JPEG cannot hold every colour exactly |
| `background_as_channel` | 1 when the background that was asked for is the channel's own |
| `background_deviation_max` | the furthest of them from the background, 0..255 |
| `fill`, `fill_width`, `fill_height` | the product's box as a share of the canvas; `fill` is the larger |
| `centre_offset_x`, `centre_offset_y` | from the canvas' centre to the box' centre, as a share of the canvas |
| `scale` | source pixels were enlarged by this |
| `cropped_edges` | how many edges of the photograph cut the product off |
| `floating_cuts` | how many of these lie within the canvas, not on its edge |
| `alpha_coverage`, `alpha_partial_share` | solid share of the canvas; partial pixels as a share of the solid |
| `alpha_soft_share` | partial pixels where the alpha changes, as edges do and panes do not, as a share of the solid |
| `alpha_open_rim_share` | share of the outline with nothing solid beside it |
| `alpha_islands`, `alpha_holes` | parts beyond the first, and holes, larger than 0.1 % of the product |
| `own_shadow_share` | share of the cut-out that was the supplier's own shadow |
| `halo` | mean deviation from the background just outside the product, 0..255 |
| `edge_lightness`, `edge_chroma` | the soft edge against the product beside it: lighter (+), other colour |
| `product_difference_max`, `_p999`, `_p99`, `_mean` | the file's product against the source's, 0..255 |
| `canvas_difference_max` | the canvas before encoding against the source, 0..255 |
| `product_pixels` | how many pixels the differences were measured on |
| `structure_kept` and others, `ground_difference` | what became of detail and ground: `gpu_workers.quality.kept` |
| `colour_difference_median`, `_p95` | ΔE00 of the file's product against the source's, as sRGB can show it |
| `beyond_srgb_share` | share of the product's colours that sRGB does not hold, and that were made less vivid |
| `straightened_deg` | the product was turned by this |
| `has_srgb_profile`, `has_source_type` | 1 when the file says that it is sRGB, and how it was made |
| `lighting_made` | 0 when light was to be corrected and the photograph had no plain ground to tell by |
| `shadow_made` | 0 when the shadow asked for could not be: no supplier's own, or not flat enough to be mirrored |
| `shadow_azimuth_error_deg` | how far the light that explains the file's shadow best is from the one meant |
| `shadow_explained` | how much of the file's shadow that light explains, 0..1 |
| `contact_darkening` | how much darker the file's ground is along the lines on which the product stands, 0..1 |

Those of light and shadow are only there where there is something to measure.
"""

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gpu_workers.imaging.colour_difference import ciede2000, light_to_lab
from gpu_workers.imaging.compiled import compiled
from gpu_workers.imaging.linear_light import (
    colour,
    eight_bit,
    opacity,
    premultiplied_light,
    resampled_light,
    to_linear,
    to_srgb,
)
from gpu_workers.imaging.types import HALF, Code, Codes, Flags, Plane
from gpu_workers.imaging.wide_gamut import in_srgb
from gpu_workers.operations.packshot.edge_measures import edge_measures
from gpu_workers.operations.packshot.light_measures import measure_light
from gpu_workers.operations.packshot.packshot import EDGES, Placement, Rendered, behind
from gpu_workers.operations.packshot.placement import floating_cuts
from gpu_workers.quality.files import file_facts, read
from gpu_workers.quality.kept import block_box, furthest, ground_difference, kept_measures
from schemas.channels import Channel

# Set by hand, none is fitted, but where a line says so.
_NEAR = 2  # of 255 in each channel: JPEG's rounding of a plain ground
_PANE_STEP = 3  # of 255 within two pixels: tinted lenses and glass change less, an edge 150 px wide more
_FRAME_SHARE = 0.02  # of the longer side: fur and lace are see-through no further in from the outline
_RING_PX = 8  # about the product, where the ground is read
ERODE_PX = 3  # off the outline, inside which the product is unmixed
_MARGIN_PX = 8  # about what is resampled again to be compared: more than the filter reaches
_SPECK_SHARE = 0.001  # of the product's area: a smaller island or hole is a speck
_SAMPLES = 40_000  # pixels, enough for a median and a 95th percentile
_LOBES = 3  # of Lanczos' filter, as in imaging.resampling
_BEYOND = 0.002  # of light beyond 0..1: rounding, and no colour that sRGB lacks


def measure(file: bytes, rendered: Rendered, channel: Channel) -> dict[str, float]:
    """All measures of the packshot `file` that was `rendered` for `channel`. Raises a SourceError for no picture."""
    picture = read(file)
    written = eight_bit(picture.pixels)
    return {
        **file_facts(file, picture, channel),
        "scale": rendered.placement.scale,
        "cropped_edges": float(len(rendered.placement.cropped)),
        "floating_cuts": float(floating_cuts(rendered.mask, rendered.placement.cropped)),
        "own_shadow_share": rendered.own_shadow,
        **_box(rendered.mask),
        **_alpha(rendered.mask),
        **edge_measures(eight_bit(rendered.product)),
        "background_as_channel": float(_is_ground_of(channel, rendered.background)),
        **_background(written, rendered),
        "ground_difference": ground_difference(eight_bit(rendered.canvas), written, rendered.mask),
        **_product(written, rendered),
        "beyond_srgb_share": _beyond_srgb(rendered.product),
        "straightened_deg": rendered.placement.angle_deg,
        **({} if rendered.lit is None else {"lighting_made": float(rendered.lit)}),
        **measure_light(written, rendered),
    }


def measure_restyled(file: bytes, canvas: Codes, mask: Code, ground: Code | None) -> dict[str, float]:
    """The measures of product and background in a `file` that is to show what `canvas` (h, w, 3) and `mask` (h, w) did.

    `ground` (3,; uint8 sRGB) is a background that the channel demands: it is measured wherever the canvas had it.
    """
    found = {**_box(mask), **_alpha(mask)}
    if ground is None:
        return found
    covered = (mask > 0) | (eight_bit(canvas) != ground).any(axis=2)
    open_rim = np.concatenate([part[mask_part == 0] for part, mask_part in zip(_rim(covered), _rim(mask), strict=True)])
    found["background_as_channel"] = float(not open_rim.any())
    return {**found, **_beside(eight_bit(read(file).pixels), covered, ground)}


def _rim(plane: NDArray[Any]) -> tuple[NDArray[Any], ...]:
    """The outermost lines of (h, w)."""
    return plane[0], plane[-1], plane[:, 0], plane[:, -1]


def _box(mask: Code) -> dict[str, float]:
    solid = mask >= HALF
    height, width = solid.shape
    x, y = np.flatnonzero(solid.any(axis=0)), np.flatnonzero(solid.any(axis=1))
    fill_width, fill_height = (x[-1] + 1 - x[0]) / width, (y[-1] + 1 - y[0]) / height
    return {
        "fill": float(max(fill_width, fill_height)),
        "fill_width": float(fill_width),
        "fill_height": float(fill_height),
        "centre_offset_x": float((x[0] + x[-1] + 1) / 2 / width - 0.5),
        "centre_offset_y": float((y[0] + y[-1] + 1) / 2 / height - 0.5),
    }


def _alpha(mask: Code) -> dict[str, float]:
    solid = mask >= HALF
    area = int(solid.sum())
    partial = (mask > 4) & (mask < 251)
    rows, columns = (np.flatnonzero(solid.any(axis=axis)) for axis in (1, 0))
    near = solid[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    rim = 1 + int(_SPECK_SHARE * max(near.shape))  # what is about the product is one part, and no speck
    return {
        "alpha_coverage": area / mask.size,
        "alpha_partial_share": float(partial.sum() / area),
        "alpha_soft_share": float((partial & (_steps(mask) > _PANE_STEP)).sum() / area),
        "alpha_open_rim_share": _open_rim_share(mask),
        "alpha_islands": float(_parts(near, _SPECK_SHARE * area) - 1),
        "alpha_holes": float(_parts(np.pad(~near, rim, constant_values=True), _SPECK_SHARE * area) - 1),
    }


def _open_rim_share(mask: Code) -> float:
    """Share of the outline (h, w) beside which nothing is solid: panes have a frame about them, ghosts have none."""
    visible = (mask > 4).astype(np.uint8)
    rim = (visible > 0) & (cv2.erode(visible, np.ones((3, 3), np.uint8), borderValue=0) == 0)
    side = 2 * max(3, round(_FRAME_SHARE * max(mask.shape))) + 1
    return float((cv2.dilate(mask, np.ones((side, side), np.uint8))[rim] < 251).mean())


def _steps(mask: Code) -> Code:
    """How far the alpha (h, w) differs from its neighbours'."""
    return np.asarray(cv2.morphologyEx(mask, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)), np.uint8)


def _parts(where: Flags, area_min: float) -> int:
    count, _, stats, _ = cv2.connectedComponentsWithStats(where.astype(np.uint8), connectivity=4)
    return int((stats[1:count, cv2.CC_STAT_AREA] > area_min).sum())


def _is_ground_of(channel: Channel, background: Code | None) -> bool:
    if background is None or channel.background is None:
        return background is None and channel.background is None
    return bool((background == colour(channel.background)).all())


def _background(written: Code, rendered: Rendered) -> dict[str, float]:
    covered = (rendered.mask > 0) | (rendered.shadow > 0)
    if rendered.reflection is not None:
        covered |= rendered.reflection[..., 3] > 0
    return _beside(written, covered, rendered.background)


def _beside(written: Code, covered: Flags, ground: Code | None) -> dict[str, float]:
    """How `written` (h, w, 3 or 4) is where nothing is `covered` (h, w): as the `ground` (3,), or clear for None."""
    side = 2 * _RING_PX + 1
    ring = cv2.dilate(covered.astype(np.uint8), np.ones((side, side), np.uint8)) > 0
    deviation = written[..., 3] if ground is None else furthest(written, ground)
    away, beside = deviation[~ring], deviation[ring & ~covered]
    return {
        # A book that fills its canvas leaves no background that could be wrong.
        "background_exact_share": float((away == 0).mean()) if away.size else 1.0,
        "background_near_share": float((away <= _NEAR).mean()) if away.size else 1.0,
        "background_deviation_max": float(away.max(initial=0)),
        "halo": float(beside.mean()) if beside.size else 0.0,
    }


def _product(written: Code, rendered: Rendered) -> dict[str, float]:
    """The product as it was photographed against the product in the file, and on the canvas, away from its edge."""
    core = _core(rendered)
    if not core.any():
        return {"product_pixels": 0.0}
    rows, columns, expected = _expected(rendered, core)
    relit = expected if rendered.gain == (1, 1, 1) else expected * np.array([*rendered.gain, 1], np.float32)
    lit = to_srgb(in_srgb(_with_ground(relit, rendered, rows, columns)))
    at = rows * written.shape[1] + columns
    in_file, on_canvas = (
        furthest(_flat(eight_bit(pixels.reshape(-1, pixels.shape[2]).take(at, axis=0)))[None], lit[None])[0]
        for pixels in (written, rendered.canvas)
    )
    few = slice(None, None, max(len(rows) // _SAMPLES, 1))
    unlit = in_srgb(_with_ground(expected[few], rendered, rows[few], columns[few]))
    p99, p999 = map(float, np.percentile(in_file, (99, 99.9)))
    change = ciede2000(light_to_lab(unlit), light_to_lab(to_linear(_flat(written[rows[few], columns[few]]))))
    return {
        "product_difference_max": float(in_file.max()),
        "product_difference_p999": p999,
        "product_difference_p99": p99,
        "product_difference_mean": float(in_file.mean()),
        "canvas_difference_max": float(on_canvas.max()),
        "product_pixels": float(len(rows)),
        "colour_difference_median": float(np.median(change)),
        "colour_difference_p95": float(np.percentile(change, 95)),
        **_kept(written, rendered, core, lit, (rows, columns)),
    }


def _kept(
    written: Code, rendered: Rendered, core: Flags, lit: Code, at: tuple[NDArray[np.intp], NDArray[np.intp]]
) -> dict[str, float]:
    """What became of the product's detail; one that was turned is held against the canvas, of which some pixels were
    held against its source."""
    box = block_box(core)
    found = np.ascontiguousarray(_flat(written[box]))
    if rendered.placement.angle_deg:
        true = _flat(eight_bit(rendered.canvas[box]))
    else:
        true = found.copy()
        true[at[0] - box[0].start, at[1] - box[1].start] = lit
    return kept_measures(true, found, core[box])


def _beyond_srgb(product: Codes) -> float:
    if product.dtype == np.uint8:
        return 0.0
    light = to_linear(product[..., :3][opacity(product[..., 3]) > 0.5])
    outside = (light.min(axis=1) < -_BEYOND) | (light.max(axis=1) > 1 + _BEYOND)
    return float(outside.mean()) if len(light) else 0.0


def _core(rendered: Rendered) -> Flags:
    """The product's pixels a few away from its edge, and from where the photograph cut it off."""
    solid = (rendered.mask >= HALF).astype(np.uint8)
    side = 2 * ERODE_PX + 1
    core = cv2.erode(solid, np.ones((side, side), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return np.asarray(core > 0)


def _flat(pixels: Code) -> Code:
    """Pixels (n, 3 or 4) on white when they have alpha, so that colour and alpha are compared at once."""
    if pixels.shape[-1] == 3:
        return pixels
    alpha = opacity(pixels[..., 3:])
    return to_srgb(to_linear(pixels[..., :3]) * alpha + (1 - alpha))


def _expected(rendered: Rendered, core: Flags) -> tuple[NDArray[np.intp], NDArray[np.intp], Plane]:
    """What the source says of the canvas' pixels in `core`, by another way than the operation's: their rows, columns,
    and premultiplied linear light (n, 4). Of a product that was turned a good many of them, else all.
    """
    rows, columns = np.nonzero(core)
    if rendered.placement.angle_deg:
        few = slice(None, None, max(len(rows) // _SAMPLES, 1))
        rows, columns = rows[few], columns[few]
        source = premultiplied_light(_padded(rendered.product, rendered.placement))
        light = _sampled(source, rendered.placement, rows, columns)
    else:
        box = (slice(int(rows.min()), int(rows.max()) + 1), slice(int(columns.min()), int(columns.max()) + 1))
        light = light_in(box, rendered.product, rendered.placement)[core[box]]
    light[:, 3] = light[:, 3].clip(0, 1)
    light[:, :3] = resampled_light(light[:, :3], light[:, 3:], rendered.product)
    return rows, columns, light


def _with_ground(light: Plane, rendered: Rendered, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> Plane:
    """Premultiplied `light` (n, 4) over what lies behind it at those pixels, or over white: (n, 3)."""
    if rendered.background is None:
        return np.asarray(light[:, :3] + (1 - light[:, 3:]), np.float32)
    if rendered.reflection is not None:
        mirror = rendered.reflection[rows, columns]
        ground = behind(rendered.background, rendered.shadow[rows, columns], mirror)
        return np.asarray(light[:, :3] + (1 - light[:, 3:]) * ground, np.float32)
    out = np.empty((len(light), 3), np.float32)
    _over(light, to_linear(rendered.background), rendered.shadow[rows, columns], out)
    return out


# Compiled: of what lies behind nearly nothing shows through, and numpy would make it whole.
@compiled("void(f4[:, :], f4[::1], f4[::1], f4[:, ::1])")
def _over(light, ground, darkness, out):  # type: ignore[no-untyped-def]
    """Premultiplied light (n, 4) over a `ground` (3,) in a shadow of this `darkness` (n,)."""
    for k in range(len(out)):
        through = (1 - light[k, 3]) * (1 - darkness[k])
        for channel in range(3):
            out[k, channel] = light[k, channel] + through * ground[channel]


def light_in(box: tuple[slice, slice], product: Codes, placement: Placement) -> Plane:
    """The premultiplied light (h, w, 4) of the canvas in `box` (rows, columns), the `product` being placed so, by
    Pillow's resampler. It overshoots; beyond the product and its margin there is none."""
    source = _padded(product, placement)
    light = np.zeros((box[0].stop - box[0].start, box[1].stop - box[1].start, 4), np.float32)
    rows = _reaching(box[0], placement.y_px, placement.scale, source.shape[0])
    columns = _reaching(box[1], placement.x_px, placement.scale, source.shape[1])
    if rows.start < rows.stop and columns.start < columns.stop:
        top, left = rows.start - box[0].start, columns.start - box[1].start
        made = _resampled(source, rows, columns, placement)
        if made.shape == light.shape:
            return made
        light[top : top + made.shape[0], left : left + made.shape[1]] = made
    return light


def _resampled(source: Codes, rows: slice, columns: slice, placement: Placement) -> Plane:
    """The premultiplied light (h, w, 4) of lines of the canvas that a padded `source` reaches."""
    down, top, bottom = _reached(rows, placement.y_px, placement.scale, source.shape[0])
    across, left, right = _reached(columns, placement.x_px, placement.scale, source.shape[1])
    size = (columns.stop - columns.start, rows.stop - rows.start)
    bands = (Image.fromarray(band) for band in cv2.split(premultiplied_light(source[down, across])))
    seen = (band.resize(size, Image.Resampling.LANCZOS, box=(left, top, right, bottom)) for band in bands)
    return np.asarray(cv2.merge([np.asarray(band, np.float32) for band in seen]), np.float32)


def _reaching(on_canvas: slice, offset_px: float, scale: float, side_px: int) -> slice:
    """Which of the lines `on_canvas` a padded side reaches."""
    first, last = (offset_px + (edge - _MARGIN_PX) * scale for edge in (0, side_px))
    return slice(max(on_canvas.start, math.ceil(first)), min(on_canvas.stop, math.floor(last)))


def _reached(on_canvas: slice, offset_px: float, scale: float, side_px: int) -> tuple[slice, float, float]:
    """Which lines of a padded side the lines `on_canvas` are resampled of, and where they start and end in those."""
    start, stop = ((edge - offset_px) / scale + _MARGIN_PX for edge in (on_canvas.start, on_canvas.stop))
    reach = int(_LOBES / min(scale, 1.0)) + 2
    first = max(0, int(start) - reach)
    return slice(first, min(side_px, int(stop) + 1 + reach)), start - first, stop - first


def _padded(product: Codes, placement: Placement) -> Codes:
    """The cut-out with a margin, continued where the photograph's frame cut it off."""
    sides = [edge in placement.cropped for edge in EDGES]
    (left, top, right, bottom), pad = sides, _MARGIN_PX
    beyond: NDArray[Any] = product
    if any(sides):
        beyond = np.pad(product, ((pad * top, pad * bottom), (pad * left, pad * right), (0, 0)), mode="edge")
    return np.pad(beyond, ((pad * (not top), pad * (not bottom)), (pad * (not left), pad * (not right)), (0, 0)))


def _sampled(source: Plane, placement: Placement, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> Plane:
    """Lanczos at the points (n, 4) that canvas pixels come from when the turn is undone."""
    back = np.exp(-1j * np.radians(placement.angle_deg))
    centres = (columns + 0.5 - placement.x_px) + 1j * (rows + 0.5 - placement.y_px)
    points = centres / placement.scale * back + _MARGIN_PX * (1 + 1j)
    narrow = min(placement.scale, 1.0)
    steps = np.arange(-int(_LOBES / narrow) - 1, int(_LOBES / narrow) + 2)
    across, down = (np.floor(part).astype(np.intp)[:, None] + steps for part in (points.real, points.imag))
    weights = []
    for near, part in ((across, points.real), (down, points.imag)):
        away = (near + 0.5 - part[:, None]) * narrow
        weight = np.where(np.abs(away) < _LOBES, np.sinc(away) * np.sinc(away / _LOBES), 0)
        weights.append(weight / weight.sum(axis=1, keepdims=True))
    total = np.zeros((len(rows), 4))
    columns_in = across.clip(0, source.shape[1] - 1)
    for step in range(len(steps)):
        row = source[down[:, step].clip(0, source.shape[0] - 1)[:, None], columns_in]
        total += weights[1][:, step, None] * (row * weights[0][..., None]).sum(axis=1)
    return total.astype(np.float32)
