"""ICC profiles (version 4, ICC.1:2010): made of numbers, for files that say their colours otherwise; and looked into.

Each has a matrix and a curve, or, for grey, a curve alone.
"""

import struct
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Xy = tuple[float, float]
Primaries = tuple[Xy, Xy, Xy]
Matrix = NDArray[np.float64]

WHITE_XY: Xy = (0.3127, 0.3290)  # D65
SRGB_XY: Primaries = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06))
SRGB_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
"""A curve to light: (g,), a power; (g, a, b, c, d), ICC's parametric type 3; or a table of light at equal steps."""

_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
_D50 = np.array([0.9642, 1.0, 0.8249])
_PARAMETERS = {1: 0, 5: 3}  # by their number, the type of ICC's parametric curve
_TAGS_MAX = 200
_HEADER_BYTES = 128


def _xyz(xy: Xy) -> Matrix:
    return np.array([xy[0] / xy[1], 1.0, (1 - xy[0] - xy[1]) / xy[1]])


def xyz_of(primaries: Primaries, white: Xy = WHITE_XY) -> Matrix:
    """(3, 3) from linear light in these primaries to XYZ under their white."""
    columns = np.stack([_xyz(xy) for xy in primaries], axis=1)
    return np.asarray(columns * np.linalg.solve(columns, _xyz(white)))


def to_d50(white: Xy) -> Matrix:
    """(3, 3) from XYZ under `white` to XYZ under D50, by Bradford's cones."""
    cones = (_BRADFORD @ _D50) / (_BRADFORD @ _xyz(white))
    return np.asarray(np.linalg.inv(_BRADFORD) @ np.diag(cones) @ _BRADFORD)


def matrix_profile(name: str, primaries: Primaries, curve: Sequence[float], white: Xy = WHITE_XY) -> bytes:
    """The profile of RGB in these primaries, all three channels with one curve."""
    colorants = to_d50(white) @ xyz_of(primaries, white)
    tags = {
        b"chad": _tagged(b"sf32", b"".join(map(_fixed, to_d50(white).ravel()))),
        b"rXYZ": _tagged(b"XYZ ", b"".join(map(_fixed, colorants[:, 0]))),
        b"gXYZ": _tagged(b"XYZ ", b"".join(map(_fixed, colorants[:, 1]))),
        b"bXYZ": _tagged(b"XYZ ", b"".join(map(_fixed, colorants[:, 2]))),
        **dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), _curve(curve)),
    }
    return _written(name, b"RGB ", tags)


def grey_profile(name: str, curve: Sequence[float]) -> bytes:
    """The profile of grey with this curve."""
    return _written(name, b"GRAY", {b"kTRC": _curve(curve)})


def tag(profile: bytes, name: bytes) -> bytes:
    """The data of one of a profile's tags; nothing where it has none."""
    count = int.from_bytes(profile[_HEADER_BYTES : _HEADER_BYTES + 4])
    for entry in range(_HEADER_BYTES + 4, _HEADER_BYTES + 4 + 12 * min(count, _TAGS_MAX), 12):
        if profile[entry : entry + 4] == name:
            start, size = (int.from_bytes(profile[entry + at : entry + at + 4]) for at in (4, 8))
            return profile[start : start + size]
    return b""


def _written(name: str, space: bytes, own: Mapping[bytes, bytes]) -> bytes:
    tags = {
        b"desc": _text(name),
        b"cprt": _text("No copyright, use freely"),
        b"wtpt": _tagged(b"XYZ ", b"".join(map(_fixed, _D50))),
        **own,
    }
    table, body, start = b"", b"", _HEADER_BYTES + 4 + 12 * len(tags)
    for key, data in tags.items():
        table += key + struct.pack(">II", start + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    head = struct.pack(">I4xI4s4s4s12x4s", start + len(body), 0x04400000, b"mntr", space, b"XYZ ", b"acsp")
    light = b"".join(map(_fixed, _D50))
    return head.ljust(68, b"\0") + light + bytes(48) + struct.pack(">I", len(tags)) + table + body


def _curve(curve: Sequence[float]) -> bytes:
    if len(curve) in _PARAMETERS:
        return _tagged(b"para", struct.pack(">HH", _PARAMETERS[len(curve)], 0) + b"".join(map(_fixed, curve)))
    steps = np.rint(np.asarray(curve, np.float64) * 65535).astype(">u2")
    return _tagged(b"curv", struct.pack(">I", len(steps)) + steps.tobytes())


def _tagged(kind: bytes, data: bytes) -> bytes:
    return kind + bytes(4) + data


def _fixed(value: float) -> bytes:
    return struct.pack(">i", round(value * 65536))


def _text(words: str) -> bytes:
    data = words.encode("utf-16-be")
    return _tagged(b"mluc", struct.pack(">II2s2sII", 1, 12, b"en", b"US", len(data), 28) + data)
