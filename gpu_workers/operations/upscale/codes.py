"""Pictures as code values and as linear light, with or without alpha."""

import cv2
import numpy as np
from numpy.typing import NDArray

from gpu_workers.imaging.linear_light import channels_light, to_deep, to_srgb
from gpu_workers.imaging.types import LUMINANCE, Codes

Light = NDArray[np.float32]

_BESIDE_PX, _LITTLE = 2.0, 0.05  # how far colours reach where alpha is clear, and the weight that it leaves them


def white_of(image: Codes) -> float:
    """The highest sample that a picture of this type can have."""
    return float(np.iinfo(image.dtype).max)


def luma_of(image: Codes) -> Light:
    """Code values 0..1 of the picture's lightness, on mid-grey where it is clear."""
    code = image[..., :3].astype(np.float32) @ (LUMINANCE / white_of(image))
    if image.shape[2] == 3:
        return code
    alpha = image[..., 3].astype(np.float32) / white_of(image)
    return np.asarray(code * alpha + (1 - alpha) / 2, np.float32)


def code_of(image: Codes) -> Light:
    """Code values 0..1 of the colours (h, w, 3); where there is little of the product, those of the product beside."""
    code = image[..., :3].astype(np.float32) / white_of(image)
    if image.shape[2] == 3:
        return code
    alpha = image[..., 3:].astype(np.float32) / white_of(image)
    near = cv2.GaussianBlur(np.concatenate([code * alpha, alpha], axis=2), (0, 0), _BESIDE_PX)
    little = _LITTLE * (1 - alpha)
    beside = near[..., :3] / np.maximum(near[..., 3:], 1e-6)
    return np.asarray((code * alpha + little * beside) / (alpha + little), np.float32)


def premultiplied(image: Codes) -> Light:
    """Linear light, times alpha where the picture has one, which is then the fourth band."""
    light = channels_light(image[..., :3])
    if image.shape[2] == 3:
        return light
    alpha = image[..., 3:].astype(np.float32) / white_of(image)
    return np.concatenate([light * alpha, alpha], axis=2)


def straight(light: Light, kind: np.dtype) -> Codes:
    """Linear light, premultiplied, as codes of this kind with straight alpha."""
    encode = to_srgb if kind == np.uint8 else to_deep
    if light.shape[2] == 3:
        return encode(light)
    alpha = np.clip(light[..., 3:], 0, 1)
    code = (alpha * np.iinfo(kind).max + 0.5).astype(kind)
    colours = encode(np.asarray(light[..., :3] / np.maximum(alpha, 1e-6), np.float32))
    return np.concatenate([colours * (code > 0), code], axis=2)


def light_of(code: Light) -> Light:
    """The linear light of code values 0..1, which are clipped."""
    return channels_light((np.clip(code, 0, 1) * 65535 + 0.5).astype(np.uint16))
