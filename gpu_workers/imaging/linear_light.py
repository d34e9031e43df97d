"""Between code values and linear light, where light adds up; tables, since every picture passes here twice.

Linear light is always that of sRGB's primaries. Codes of eight bits are sRGB's and give 0..1; codes of sixteen are
those of `gpu_workers.imaging.wide_gamut`, whose more vivid colours give less than 0 in one channel and more than 1 in
another.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import DTypeLike, NDArray

from gpu_workers.imaging.compiled import compiled
from gpu_workers.imaging.types import Codes
from gpu_workers.imaging.wide_gamut import SRGB_OF_WIDE, WIDE_OF_SRGB, in_srgb


def _decode(code: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4)


def _encode(light: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)


_LIGHT_OF_CODE = _decode(np.arange(256) / 255).astype(np.float32)
_LIGHT_OF_DEEP_CODE = _decode(np.arange(65536) / 65535).astype(np.float32)
_FINE_LIGHT = _decode(np.arange(4096) / 4095).astype(np.float32)
# 65,536 steps: even in the darkest tones twenty of them make one code value.
_CODE_OF_LIGHT = np.rint(_encode(np.arange(65536) / 65535) * 255).astype(np.uint8)
_SRGB_OF_WIDE = SRGB_OF_WIDE.T.astype(np.float32)
_WIDE_OF_SRGB = WIDE_OF_SRGB.T.astype(np.float32)
_STRIP_SAMPLES = 1 << 20


def to_linear(code: Codes) -> NDArray[np.float32]:
    """Code values to linear light: uint8 (any shape) to 0..1, uint16 (..., 3) to -0.7..1.7."""
    return with_srgb_primaries(channels_light(code), code)


def channels_light(code: Codes) -> NDArray[np.float32]:
    """The linear light of each channel, 0..1, in the primaries of the codes' own depth: to resample and to clip in."""
    return (_LIGHT_OF_CODE if code.dtype == np.uint8 else _LIGHT_OF_DEEP_CODE)[code]


def premultiplied_light(code: Codes) -> NDArray[np.float32]:
    """`channels_light` times alpha, and alpha (0..1), of codes with straight alpha (h, w, 4); float32 (h, w, 4)."""
    out = np.empty(code.shape, np.float32)
    table = _LIGHT_OF_CODE if code.dtype == np.uint8 else _LIGHT_OF_DEEP_CODE
    _premultiplied(code, table, np.float32(np.iinfo(code.dtype).max), out)
    return out


# Compiled: numpy goes through a picture five times for it, and holds three of them.
@compiled(*[f"void({code}[:, :, :], f4[::1], f4, f4[:, :, ::1])" for code in ("u1", "u2")])
def _premultiplied(code, table, full, out):  # type: ignore[no-untyped-def]
    for row in range(code.shape[0]):
        for column in range(code.shape[1]):
            alpha = np.float32(code[row, column, 3]) / full
            for channel in range(3):
                out[row, column, channel] = table[code[row, column, channel]] * alpha
            out[row, column, 3] = alpha


def with_srgb_primaries(light: NDArray[np.float32], code: Codes) -> NDArray[np.float32]:
    """What `channels_light` made of `code`, or what was made of that (..., 3), as light of sRGB's primaries."""
    return light if code.dtype == np.uint8 else np.asarray(light @ _SRGB_OF_WIDE, np.float32)


def resampled_light(light: NDArray[np.float32], alpha: NDArray[np.float32], code: Codes) -> NDArray[np.float32]:
    """What was resampled of `channels_light` times alpha (..., 3), as premultiplied light of sRGB's primaries.

    Resampling overshoots: the light is held to 0..1 for each of sRGB's channels, or to what `code` (..., 4) has beyond.
    """
    low, high = _span(code)
    return np.clip(with_srgb_primaries(light, code), low * alpha, high * alpha)


def _span(code: Codes) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The least and the most light (3,) of each of sRGB's channels: 0 and 1, or beyond."""
    zero, one = np.zeros(3, np.float32), np.ones(3, np.float32)
    if code.dtype == np.uint8:
        return zero, one
    light = to_linear(code[..., :3][code[..., 3] > 0])
    return np.minimum(light.min(axis=0, initial=0), zero), np.maximum(light.max(axis=0, initial=1), one)


def to_srgb(light: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Linear light (any shape; clipped to 0..1) to the nearest sRGB code values; undoes `to_linear` exactly."""
    steps = np.clip(light, 0.0, 1.0)
    steps *= 65535  # in place: a picture of 12 MP takes 144 MB as light
    steps += 0.5
    return _CODE_OF_LIGHT[steps.astype(np.uint16)]


def light_of(code: NDArray[np.float32]) -> NDArray[np.float32]:
    """sRGB code values of any precision, 0..1 (any shape; clipped), to linear light, 0..1; to the nearest of 4,096."""
    return _FINE_LIGHT[(np.clip(code, 0, 1) * (len(_FINE_LIGHT) - 1) + 0.5).astype(np.uint16)]


def code_of(light: NDArray[np.float32]) -> NDArray[np.float32]:
    """Light of channels, 0..1 (any shape), to code values of any precision, 0..1; undoes `light_of`."""
    return _encode(light.astype(np.float64)).astype(np.float32)


def to_deep(light: NDArray[np.float32]) -> NDArray[np.uint16]:
    """What `channels_light` made of 16-bit codes, or what was made of that, as such codes again, to within one."""
    flat = light.reshape(-1)
    out = np.empty(flat.shape, np.uint16)
    for start in range(0, len(flat), _STRIP_SAMPLES):  # double precision of a whole picture would be far too large
        part = np.clip(flat[start : start + _STRIP_SAMPLES], 0.0, 1.0).astype(np.float64)
        out[start : start + _STRIP_SAMPLES] = _encode(part) * 65535 + 0.5
    return out.reshape(light.shape)


def coded(light: NDArray[np.float32], depth: DTypeLike) -> Codes:
    """Light of sRGB's primaries (..., 3) as codes of this depth: uint8 of sRGB, clipped, or uint16 of WIDE."""
    return to_srgb(light) if depth == np.uint8 else to_deep(np.asarray(light @ _WIDE_OF_SRGB, np.float32))


def eight_bit(pixels: Codes) -> NDArray[np.uint8]:
    """Pixels (..., 3), or with straight alpha (..., 4), as sRGB in eight bits, colours outside it brought in."""
    if pixels.dtype == np.uint8:
        return np.asarray(pixels, np.uint8)
    codes = np.empty(pixels.shape, np.uint8)
    for rows in strips(pixels):
        codes[rows][..., :3] = to_srgb(in_srgb(to_linear(pixels[rows][..., :3])))
        codes[rows][..., 3:] = np.rint(opacity(pixels[rows][..., 3:]) * 255)
    return codes


def strips(pixels: Codes) -> Iterator[slice]:
    """Rows of `pixels` (h, ...), some at a time: wider samples of a whole picture would be far too large."""
    step = max(1, _STRIP_SAMPLES // max(1, pixels[:1].size))
    return (slice(start, start + step) for start in range(0, len(pixels), step))


def levels(alpha: Codes) -> NDArray[np.uint8]:
    """Alpha of 8 or 16 bits in 8."""
    return np.asarray(alpha if alpha.dtype == np.uint8 else alpha >> 8, np.uint8)


def opacity(alpha: Codes) -> NDArray[np.float32]:
    """Alpha of 8 or 16 bits as 0..1."""
    return alpha.astype(np.float32) / np.float32(np.iinfo(alpha.dtype).max)


def colour(hex_code: str) -> NDArray[np.uint8]:
    """`#RRGGBB` as three sRGB code values."""
    return np.frombuffer(bytes.fromhex(hex_code.removeprefix("#")), np.uint8)
