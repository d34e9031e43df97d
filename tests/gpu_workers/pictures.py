"""Pictures of a made-up house for the tests: a product on a plain ground, or in a room of blurred colours."""

import hashlib
from collections.abc import Sequence

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from gpu_workers.imaging.linear_light import eight_bit
from gpu_workers.operations.packshot.packshot import packshot
from gpu_workers.operations.style.brand_learning import Example
from schemas import channels
from schemas.channels import Size
from schemas.operations.packshot import PackshotParameters
from tests.gpu_workers.products import mug

Rgb = NDArray[np.uint8]


def on_ground(background: str = "#E7DFD0", shadow: str = "soft", padding: float = 0.15) -> tuple[Rgb, Rgb]:
    """The mug on a plain ground, 320 by 320, and its mask."""
    channel = msgspec.structs.replace(channels.load("instagram"), canvas=Size(320, 320), scale_max=4.0)
    texts = {"background.color": background, "shadow.mode": shadow, "padding": str(padding)}
    made = packshot(mug(), channel, PackshotParameters.parse(texts))
    return eight_bit(made.canvas), made.mask


def in_room(seed: int, tint: Sequence[int] = (20, 5, -15), contrast: float = 60.0) -> tuple[Rgb, Rgb]:
    """The mug before blurred patches, and its mask: `tint` is what the room's light adds to its colours."""
    random = np.random.default_rng(seed)
    light, hues = random.normal(0, 0.5, (6, 8, 1)), random.normal(0, 0.1, (6, 8, 3))
    patches = cv2.resize(light + hues, (240, 200), interpolation=cv2.INTER_CUBIC)
    room = 120 + contrast * patches + np.array(tint)
    rgba = mug()
    alpha = rgba[..., 3:] / 255
    return np.clip(rgba[..., :3] * alpha + room * (1 - alpha), 0, 255).astype(np.uint8), rgba[..., 3]


def example(rgb: Rgb, mask: Rgb) -> Example:
    """As an example of the house's brand."""
    return Example(rgb, mask, hashlib.sha256(rgb.tobytes()).hexdigest())
