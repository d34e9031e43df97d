"""Between sRGB's code values and linear light, where light adds up; tables, since every picture passes here twice."""

import numpy as np
from numpy.typing import NDArray


def _decode(code: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4)


def _encode(light: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)


_LIGHT_OF_CODE = _decode(np.arange(256) / 255).astype(np.float32)
_FINE_LIGHT = _decode(np.arange(4096) / 4095).astype(np.float32)
# 65,536 steps: even in the darkest tones twenty of them make one code value.
_CODE_OF_LIGHT = np.rint(_encode(np.arange(65536) / 65535) * 255).astype(np.uint8)


def to_linear(code: NDArray[np.uint8]) -> NDArray[np.float32]:
    """sRGB code values (any shape) to linear light, 0..1."""
    return _LIGHT_OF_CODE[code]


def to_srgb(light: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Linear light (any shape; clipped to 0..1) to the nearest sRGB code values; undoes `to_linear` exactly."""
    return _CODE_OF_LIGHT[(np.clip(light, 0.0, 1.0) * 65535 + 0.5).astype(np.uint16)]


def light_of(code: NDArray[np.float32]) -> NDArray[np.float32]:
    """sRGB code values of any precision, 0..1 (any shape; clipped), to linear light, 0..1; to the nearest of 4,096."""
    return _FINE_LIGHT[(np.clip(code, 0, 1) * (len(_FINE_LIGHT) - 1) + 0.5).astype(np.uint16)]


def opacity(alpha: NDArray[np.uint8]) -> NDArray[np.float32]:
    """8-bit alpha as 0..1."""
    return alpha.astype(np.float32) / np.float32(255)


def colour(hex_code: str) -> NDArray[np.uint8]:
    """`#RRGGBB` as three sRGB code values."""
    return np.frombuffer(bytes.fromhex(hex_code.removeprefix("#")), np.uint8)
