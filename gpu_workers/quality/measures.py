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
| `alpha_coverage`, `alpha_partial_share` | solid share of the canvas; partial pixels as a share of the solid |
| `alpha_islands`, `alpha_holes` | parts beyond the first, and holes, larger than 0.1 % of the product |
| `own_shadow_share` | share of the cut-out that was the supplier's own shadow |
| `halo` | mean deviation from the background just outside the product, 0..255 |
| `edge_lightness`, `edge_chroma` | the soft edge against the product beside it: lighter (+), other colour |
| `product_difference_max`, `_p999`, `_p99`, `_mean` | the file's product against the source's, 0..255 |
| `canvas_difference_max` | the canvas before encoding against the source, 0..255 |
| `product_pixels` | how many pixels the differences were measured on |
"""

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gpu_workers.decoding import DecodeLimits, decode
from gpu_workers.linear_light import colour, opacity, to_linear, to_srgb
from gpu_workers.operations.packshot import EDGES, Placement, Rendered
from schemas.channels import Channel

Bool = NDArray[np.bool_]
Code = NDArray[np.uint8]

_HALF = 128
_NEAR = 2
_RING_PX = 8
ERODE_PX = 3
_MARGIN_PX = 8
_SPECK_SHARE = 0.001


def measure(file: bytes, rendered: Rendered, channel: Channel) -> dict[str, float]:
    """All measures of the packshot `file` that was `rendered` for `channel`. Raises a SourceError for no picture."""
    picture = decode(file, DecodeLimits(side_px_min=1))
    written = picture.pixels.astype(np.uint8, copy=False)
    height, width = written.shape[:2]
    return {
        "width_px": float(width),
        "height_px": float(height),
        "size_bytes": float(len(file)),
        "format_allowed": float(picture.media_type.removeprefix("image/") in channel.formats),
        "scale": rendered.placement.scale,
        "cropped_edges": float(len(rendered.placement.cropped)),
        "own_shadow_share": rendered.own_shadow,
        **_box(rendered.mask),
        **_alpha(rendered.mask),
        **_edge(rendered.product),
        "background_as_channel": float(_is_ground_of(channel, rendered.background)),
        **_background(written, rendered),
        **_product(written, rendered),
    }


def _box(mask: Code) -> dict[str, float]:
    solid = mask >= _HALF
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
    solid = mask >= _HALF
    area = int(solid.sum())
    return {
        "alpha_coverage": area / mask.size,
        "alpha_partial_share": float(((mask > 4) & (mask < 251)).sum() / area),
        "alpha_islands": float(_parts(solid, _SPECK_SHARE * area) - 1),
        "alpha_holes": float(_parts(np.pad(~solid, 1, constant_values=True), _SPECK_SHARE * area) - 1),
    }


def _parts(where: Bool, area_min: float) -> int:
    count, _, stats, _ = cv2.connectedComponentsWithStats(where.astype(np.uint8), connectivity=4)
    return int((stats[1:count, cv2.CC_STAT_AREA] > area_min).sum())


def _edge(product: Code) -> dict[str, float]:
    """How far the colours of the soft edge are from those of the product's inside beside it."""
    rows, columns = np.nonzero(product[..., 3])
    part = product[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    alpha, inside = part[..., 3], (part[..., 3] >= 250).astype(np.float32)
    weight = cv2.blur(inside, (15, 15))
    band = (alpha > 25) & (alpha < 230) & (weight > 0.1)
    if not band.any():
        return {"edge_lightness": 0.0, "edge_chroma": 0.0}
    beside = cv2.blur(part[..., :3] * inside[..., None], (15, 15))[band] / weight[band][:, None]
    difference = part[..., :3][band] - beside
    lightness = difference @ np.array([0.2126, 0.7152, 0.0722], np.float32)
    return {
        "edge_lightness": float(lightness.mean()),
        "edge_chroma": float(np.abs(difference - lightness[:, None]).mean()),
    }


def _is_ground_of(channel: Channel, background: Code | None) -> bool:
    if background is None or channel.background is None:
        return background is None and channel.background is None
    return bool((background == colour(channel.background)).all())


def _background(written: Code, rendered: Rendered) -> dict[str, float]:
    covered = ((rendered.mask > 0) | (rendered.shadow > 0)).astype(np.uint8)
    side = 2 * _RING_PX + 1
    ring = cv2.dilate(covered, np.ones((side, side), np.uint8)) > 0
    if rendered.background is None:
        deviation = written[..., 3].astype(np.int16)
    else:
        deviation = np.abs(written[..., :3].astype(np.int16) - rendered.background).max(axis=2)
    away, beside = deviation[~ring], deviation[ring & (covered == 0)]
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
    rows, columns = np.flatnonzero(core.any(axis=1)), np.flatnonzero(core.any(axis=0))
    if not len(rows):
        return {"product_pixels": 0.0}
    box = (slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1))
    expected = _expected(rendered, box)[core[box]].astype(np.int16)
    in_file, on_canvas = (
        np.abs(_flat(pixels[box])[core[box]] - expected).max(axis=1) for pixels in (written, rendered.canvas)
    )
    return {
        "product_difference_max": float(in_file.max()),
        "product_difference_p999": float(np.percentile(in_file, 99.9)),
        "product_difference_p99": float(np.percentile(in_file, 99)),
        "product_difference_mean": float(in_file.mean()),
        "canvas_difference_max": float(on_canvas.max()),
        "product_pixels": float(len(expected)),
    }


def _core(rendered: Rendered) -> Bool:
    """The product's pixels a few away from its edge, and from where the photograph cut it off."""
    solid = (rendered.mask >= _HALF).astype(np.uint8)
    side = 2 * ERODE_PX + 1
    core = cv2.erode(solid, np.ones((side, side), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return np.asarray(core > 0)


def _flat(pixels: Code) -> Code:
    """On white when `pixels` has alpha, so that colour and alpha are compared at once."""
    if pixels.shape[2] == 3:
        return pixels
    alpha = opacity(pixels[..., 3:])
    return to_srgb(to_linear(pixels[..., :3]) * alpha + (1 - alpha))


def _expected(rendered: Rendered, box: tuple[slice, slice]) -> Code:
    """What the source says that `box` (rows, columns) of the canvas looks like, by another resampler than ours."""
    source = padded(rendered.product, rendered.placement)
    alpha = opacity(source[..., 3])
    bands = [to_linear(source[..., band]) * alpha for band in range(3)] + [alpha]
    light = np.dstack([resized(band, rendered.placement, box) for band in bands])
    alpha = np.clip(light[..., 3:], 0, 1)
    white = np.full(3, 255, np.uint8)
    ground = to_linear(white if rendered.background is None else rendered.background)
    return to_srgb(np.clip(light[..., :3], 0, alpha) + (1 - alpha) * ground * (1 - rendered.shadow[box][..., None]))


def padded(product: Code, placement: Placement) -> Code:
    """The cut-out with a margin, continued where the photograph's frame cut it off; as `resized` wants it."""
    sides = [edge in placement.cropped for edge in EDGES]
    (left, top, right, bottom), pad = sides, _MARGIN_PX
    beyond = np.pad(product, ((pad * top, pad * bottom), (pad * left, pad * right), (0, 0)), mode="edge")
    return np.pad(beyond, ((pad * (not top), pad * (not bottom)), (pad * (not left), pad * (not right)), (0, 0)))


def resized(band: NDArray[np.float32], placement: Placement, box: tuple[slice, slice]) -> NDArray[np.float32]:
    """The part of the canvas in `box` (rows, columns) of a `padded` band (h, w) placed so, by Pillow's resampler."""
    rows, columns = box
    left, right = ((edge - placement.x_px) / placement.scale + _MARGIN_PX for edge in (columns.start, columns.stop))
    top, bottom = ((edge - placement.y_px) / placement.scale + _MARGIN_PX for edge in (rows.start, rows.stop))
    size = (columns.stop - columns.start, rows.stop - rows.start)
    resized = Image.fromarray(band).resize(size, Image.Resampling.LANCZOS, box=(left, top, right, bottom))
    return np.asarray(resized, np.float32)
