"""How good a mask or a cutout is, beside the rendered truth of the sample catalogue."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gpu_workers.engines import Tensor
from gpu_workers.imaging.encoding import lossless
from gpu_workers.models.contract import mask_of, tensor_of
from gpu_workers.models.manifest import Model
from gpu_workers.operations.cutout import cutout
from gpu_workers.quality import mattes
from gpu_workers.sources.decoding import decode

CATALOGUE = Path(__file__).parents[1] / "rendering" / "catalogue"
PHOTOGRAPHS = sorted((CATALOGUE / "photographs").glob("*.jpg"))

BAND_ERROR_MAX = 0.08
MISPLACED_MAX = 0.005

Alpha = NDArray[np.float64]


def predict(model: Model, infer: Callable[[Tensor], Tensor]) -> cutout.MaskPredictor:
    """What a cutout sees by, given what runs the network."""
    return lambda picture: mask_of(infer(tensor_of(picture, model.input)[None])[0], model.output)


def cut_out(data: bytes, see: cutout.MaskPredictor) -> bytes:
    """A photograph's file as a cutout's file, as the cutout pool makes it."""
    return lossless(cutout.cutout(decode(data).pixels, see).rgba)


def truth(photograph: str) -> Alpha:
    """The rendered alpha (h, w), 0..1, of a photograph by its name without an ending."""
    levels = cv2.imread(str(CATALOGUE / "truth" / f"{photograph}.png"), cv2.IMREAD_GRAYSCALE)
    assert levels is not None
    return alpha(levels)


def alpha_of(png: bytes) -> Alpha:
    """The alpha of a cutout's file."""
    pixels = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED)
    assert pixels is not None
    return alpha(pixels[..., 3])


def alpha(levels: NDArray[Any]) -> Alpha:
    """0..255 as 0..1."""
    return levels.astype(np.float64) / 255


def is_good(found: Alpha, true: Alpha) -> bool:
    """Whether a person would take the cutout: its edge is close, and nothing to speak of is missing or too much."""
    return mattes.band_error(found, true) <= BAND_ERROR_MAX and mattes.misplaced(found, true) <= MISPLACED_MAX
