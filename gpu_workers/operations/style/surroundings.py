"""What is around a product, in numbers: its colours, whether it is a plain ground, and how far it is from a brand's."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from gpu_workers.imaging.colour_difference import codes_to_lab
from gpu_workers.imaging.types import Codes, Mask
from gpu_workers.library.brands import DIRECTIONS, LEVELS, BrandProfile, Kind, Surroundings
from schemas.errors import InputError

Samples = NDArray[np.float32]

_SIDE_PX = 160  # noise and grain are averaged away: they are not a style
# Set by hand, none is fitted, but where a line says so.
_CLEAR = 8  # of an alpha of 255: ground
_LEAST_SHARE = 0.01  # of the picture: on less ground nothing is said
_BORDER = 0.03  # of the shorter side: the frame that a plain ground fills
_PLAIN_LAB, _PLAIN_SHARE = 12.0, 0.9  # of L*a*b*, and of the ground that must be as near to its own colour
_Z_SAMPLES_MIN = 20  # pictures, of which a deviation can be told
_Z_MAD_MIN = 0.25  # of L*a*b*: pictures that are more alike are rounding
_MAD_TO_DEVIATION = 1.4826  # of a normal distribution


class NoSurroundings(InputError, ValueError):
    """A picture in which the product leaves nothing else to see."""

    code = "no_surroundings"
    field = "inputs"


@dataclass(frozen=True)
class Seen:
    """A picture in small: `whole` (n, 3) and `around` (m, 3) are Lab colours of all of it and of what is around the
    product; `ground` (3,) is the median along its border."""

    whole: Samples
    around: Samples
    ground: Samples

    @property
    def kind(self) -> Kind:
        """Plain when nine tenths of the surroundings are nearly the ground's colour: a paper sweep, with its shadow."""
        near = np.linalg.norm(self.around - self.ground, axis=1) < _PLAIN_LAB
        return "plain" if near.mean() >= _PLAIN_SHARE else "scene"


def see(canvas: Codes, mask: Mask) -> Seen:
    """`canvas` (h, w, 3; uint8 sRGB or uint16 WIDE) in small, with the product where `mask` (h, w) is. Raises
    NoSurroundings."""
    scale = min(1.0, _SIDE_PX / max(mask.shape))
    size = (max(1, round(mask.shape[1] * scale)), max(1, round(mask.shape[0] * scale)))
    small = cv2.resize(canvas, size, interpolation=cv2.INTER_AREA)
    clear = cv2.resize(mask, size, interpolation=cv2.INTER_AREA) <= _CLEAR
    if clear.mean() < _LEAST_SHARE:
        raise NoSurroundings("the product fills the picture: there are no surroundings to speak of")
    lab = codes_to_lab(small)
    border = _border(clear)
    ground = np.median(lab[border] if border.any() else lab[clear], axis=0)
    return Seen(lab.reshape(-1, 3), lab[clear], ground.astype(np.float32))


def quantiles(samples: Samples) -> NDArray[np.float64]:
    """For every direction the LEVELS values that split the samples (n, 3) evenly: (len(DIRECTIONS), LEVELS)."""
    levels = (np.arange(LEVELS) + 0.5) / LEVELS
    return np.asarray(np.quantile(samples @ DIRECTIONS.T, levels, axis=0).T, np.float64)


def distance(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Sliced earth mover's distance, in Lab units: along each direction the work that turns one spread of colours into
    the other, by their `quantiles`; the mean over the directions."""
    return float(np.abs(first - second).mean())


def style_distance(seen: Seen, brand: BrandProfile) -> float:
    """How far a picture's surroundings are from those the brand has for pictures of their kind."""
    return distance_to(brand.surroundings(seen.kind), seen)


def distance_to(surroundings: Surroundings, seen: Seen) -> float:
    """How far a picture's surroundings are from these."""
    return distance(quantiles(seen.around), np.array(surroundings.colours.quantiles))


def style_z(distance: float, surroundings: Surroundings) -> float | None:
    """The robust z of a picture's distance among those of the brand's own examples; None for fewer than 20 of them.

    Above 3.5 it is an outlier. Spreads below a quarter of a Lab unit count as that much: nobody sees them.
    """
    if surroundings.count < _Z_SAMPLES_MIN:
        return None
    deviation = _MAD_TO_DEVIATION * max(surroundings.distance_mad, _Z_MAD_MIN)
    return (distance - surroundings.distance_median) / deviation


def _border(clear: NDArray[np.bool_]) -> NDArray[np.bool_]:
    width = max(1, round(_BORDER * min(clear.shape)))
    border = np.ones(clear.shape, np.bool_)
    border[width:-width, width:-width] = False
    return border & clear
