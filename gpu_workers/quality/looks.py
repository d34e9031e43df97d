"""How a picture looks beside others: what a shopper sees differ on a shelf, measured on a small copy of it.

The product is what is not the colour of the picture's border, or what is not see-through. In a scene that is most of
it: scenes are held against scenes.

| measure | says |
|---|---|
| `look_ground` | L* of the border, 0..100; not of a see-through picture |
| `look_ground_warmth` | its b*: bluish below 0, yellowish above |
| `look_margin` | the least room beside the product, as a share of that side |
| `look_scale` | how much of the picture the product takes, 0..1 |
| `look_light_x`, `look_light_y` | in L*: how much lighter the product is on the right, and below |
| `look_tone` | the product's median L*, 0..100 |
| `look_warmth` | its median b* |
"""

import cv2
import numpy as np

from gpu_workers.imaging.colour_difference import srgb_to_lab
from gpu_workers.imaging.linear_light import eight_bit
from gpu_workers.imaging.types import HALF, Code, Codes, Flags, Plane

# Set by hand, none is fitted.
_SIDE_PX = 192  # of the copy: what is smaller is not seen on a shelf
_BORDER_PX = 3
_APART = 6.0  # of L*, a* and b* together, from which what is beside the border's colour is the product
_SPECK_PX = 12  # of the copy: a product of less cannot be told from noise


def look_measures(pixels: Codes) -> dict[str, float]:
    """The measures of a picture (h, w, 3) or with straight alpha (h, w, 4); empty where there is no product to see."""
    small = _shrunk(pixels)
    lab = srgb_to_lab(np.ascontiguousarray(small[..., :3]))
    if small.shape[2] == 4:
        return _product(lab, small[..., 3] >= HALF)
    border = np.median(np.concatenate([*_rim(lab)]), axis=0)
    product = np.linalg.norm(lab - border, axis=2) > _APART
    found = _product(lab, product)
    return {"look_ground": float(border[0]), "look_ground_warmth": float(border[2]), **found} if found else {}


def _shrunk(pixels: Codes) -> Code:
    height, width = pixels.shape[:2]
    scale = min(1.0, _SIDE_PX / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return eight_bit(np.asarray(small, np.uint16) if pixels.dtype == np.uint16 else np.asarray(small, np.uint8))


def _rim(lab: Plane) -> tuple[Plane, ...]:
    """The lines of the border, (n, 3) each."""
    lines = (lab[:_BORDER_PX], lab[-_BORDER_PX:], lab[:, :_BORDER_PX], lab[:, -_BORDER_PX:])
    return tuple(line.reshape(-1, 3) for line in lines)


def _product(lab: Plane, product: Flags) -> dict[str, float]:
    if product.sum() < _SPECK_PX:
        return {}
    colours = lab[product]
    return {
        "look_margin": _margin(product),
        "look_scale": float(product.mean()),
        **_light(lab[..., 0], product),
        "look_tone": float(np.median(colours[:, 0])),
        "look_warmth": float(np.median(colours[:, 2])),
    }


def _margin(product: Flags) -> float:
    rooms = []
    for axis in (0, 1):
        there = np.flatnonzero(product.any(axis=axis))
        rooms += [there[0] / product.shape[1 - axis], 1 - (there[-1] + 1) / product.shape[1 - axis]]
    return float(min(rooms))


def _light(lightness: Plane, product: Flags) -> dict[str, float]:
    """By how much the halves of the product beyond its middle differ."""
    found = {}
    for name, where in zip(("look_light_y", "look_light_x"), np.nonzero(product), strict=True):
        values, beyond = lightness[product], where > np.median(where)
        found[name] = float(values[beyond].mean() - values[~beyond].mean()) if beyond.any() else 0.0
    return found
