"""Files that say their colours in every way, made here: spaces, their ICC profiles of version 2, and writers."""

import io
import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyvips
from numpy.typing import NDArray
from PIL import Image, TiffImagePlugin

Samples = NDArray[np.uint8]
XY = tuple[float, float]

D65, D50 = (0.3127, 0.3290), (0.3457, 0.3585)
BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
PCS_WHITE = np.array([0.9642, 1.0, 0.8249])


def xyz(xy: XY) -> NDArray[np.float64]:
    return np.array([xy[0] / xy[1], 1, (1 - xy[0] - xy[1]) / xy[1]])


@dataclass(frozen=True)
class Space:
    """RGB by primaries, white and curve; `gamma` None is sRGB's curve."""

    name: str
    points: tuple[XY, XY, XY]
    gamma: float | None
    white: XY = D65

    @property
    def colorants(self) -> NDArray[np.float64]:
        """(3, 3) of linear light to XYZ under D50."""
        columns = np.stack([xyz(each) for each in self.points], axis=1)
        light = columns * np.linalg.solve(columns, xyz(self.white))
        scale = np.diag((BRADFORD @ PCS_WHITE) / (BRADFORD @ xyz(self.white)))
        return np.asarray(np.linalg.inv(BRADFORD) @ scale @ BRADFORD @ light)

    def coded(self, light: NDArray[np.float64]) -> Samples:
        light = light.clip(0, 1)
        if self.gamma is None:
            code = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
        else:
            code = light ** (1 / self.gamma)
        return np.asarray(np.rint(code * 255), np.uint8)


SRGB = Space("sRGB", ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06)), None)
P3 = Space("Display P3", ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)), None)
ADOBE = Space("Adobe RGB", ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06)), 563 / 256)
PROPHOTO = Space("ProPhoto RGB", ((0.7347, 0.2653), (0.1596, 0.8404), (0.0366, 0.0001)), 1.8, D50)
LINEAR = Space("linear sRGB", SRGB.points, 1.0)
REC2020 = Space("Rec. 2020", ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)), None)
SPACES = (P3, ADOBE, PROPHOTO, LINEAR, REC2020)


def colours(space: Space, side_px: int = 72) -> Samples:
    """Samples of `space` that surfaces can have: random colours of Display P3, or of sRGB for its own primaries."""
    source = SRGB if space.points == SRGB.points else P3
    light = np.random.default_rng(3).random((side_px, side_px, 3)) ** 2.2
    light[: side_px // 4] = light[: side_px // 4, :, :1]
    return space.coded(light @ source.colorants.T @ np.linalg.inv(space.colorants).T)


def fixed(value: float) -> bytes:
    return struct.pack(">i", round(value * 65536))


def curve_tag(gamma: float | None) -> bytes:
    """`curv` of version 2: a power, linear, or a table of 1,024 steps of sRGB's curve."""
    if gamma == 1.0:
        return b"curv" + bytes(8)
    if gamma is not None:
        return b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256)) + bytes(2)
    code = np.linspace(0, 1, 1024)
    light = np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4)
    steps = bytes(np.rint(light * 65535).astype(">u2").tobytes())
    return b"curv" + bytes(4) + struct.pack(">I", 1024) + steps


def profile(tags: dict[bytes, bytes], space: bytes, name: str, *, kind: bytes = b"mntr", pcs: bytes = b"XYZ ") -> bytes:
    """A profile of version 2.4 with these tags beside its name and white."""
    text = name.encode() + b"\0"
    described = b"desc" + bytes(4) + struct.pack(">I", len(text)) + text + bytes(78)
    white = b"XYZ " + bytes(4) + b"".join(map(fixed, PCS_WHITE))
    every = {b"desc": described, b"cprt": b"text" + bytes(4) + b"none\0", b"wtpt": white, **tags}
    table, body, start = b"", b"", 132 + 12 * len(every)
    for key, data in every.items():
        table += key + struct.pack(">II", start + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    head = struct.pack(">I4xI4s4s4s12x4s", start + len(body), 0x02400000, kind, space, pcs, b"acsp")
    light = b"".join(map(fixed, PCS_WHITE))
    return head.ljust(68, b"\0") + light + bytes(48) + struct.pack(">I", len(every)) + table + body


def matrix(space: Space, name: str | None = None) -> bytes:
    tags = {
        key: b"XYZ " + bytes(4) + b"".join(map(fixed, column))
        for key, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), space.colorants.T, strict=True)
    }
    curves = dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve_tag(space.gamma))
    return profile({**tags, **curves}, b"RGB ", name or space.name)


def table(space: Space, steps: int = 17) -> bytes:
    """`space` by a table to Lab (`mft2`), without a matrix."""
    code = np.linspace(0, 1, steps)
    light = (
        code**space.gamma if space.gamma else np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4)
    )
    grid = np.stack(np.meshgrid(light, light, light, indexing="ij"), axis=-1)
    lab = to_lab(grid @ space.colorants.T)
    coded = np.stack([lab[..., 0] * 652.8, (lab[..., 1] + 128) * 256, (lab[..., 2] + 128) * 256], axis=-1)
    head = b"mft2" + bytes(4) + bytes([3, 3, steps, 0]) + b"".join(map(fixed, np.eye(3).ravel()))
    line = struct.pack(">HH", 0, 65535) * 3
    data = head + struct.pack(">HH", 2, 2) + line + np.rint(coded).clip(0, 65535).astype(">u2").tobytes() + line
    return profile({b"A2B0": data}, b"RGB ", f"{space.name} by a table", kind=b"scnr", pcs=b"Lab ")


def grey(gamma: float | None) -> bytes:
    return profile({b"kTRC": curve_tag(gamma)}, b"GRAY", "grey")


def inks() -> bytes:
    """The CMYK profile that libvips brings along."""
    return bytes(
        pyvips.Image.black(8, 8, bands=3).copy(interpretation="srgb").icc_transform("cmyk").get("icc-profile-data")
    )


def to_lab(xyz_d50: NDArray[np.float64]) -> NDArray[np.float64]:
    part = xyz_d50 / PCS_WHITE
    f = np.where(part > (6 / 29) ** 3, np.cbrt(part), part / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], axis=-1)


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(samples: Samples, *chunks: bytes, bits: int = 8) -> bytes:
    """A PNG of RGB or grey samples, at 16 bits each of them times 257, with these chunks before its pixels."""
    height, width = samples.shape[:2]
    rows = samples if bits == 8 else (samples.astype(np.uint16) * 257).astype(">u2")
    body = b"".join(b"\0" + np.ascontiguousarray(row).tobytes() for row in rows)
    header = struct.pack(">IIBBBBB", width, height, bits, 2 if samples.ndim == 3 else 0, 0, 0, 0)
    pixels = chunk(b"IDAT", zlib.compress(body, 1))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(chunks) + pixels + chunk(b"IEND", b"")


def iccp(data: bytes) -> bytes:
    return chunk(b"iCCP", b"icc\0\0" + zlib.compress(data))


def gama_chrm(space: Space) -> bytes:
    gamma = chunk(b"gAMA", struct.pack(">I", round(100_000 / (space.gamma or 2.2))))
    points = [value for xy in (space.white, *space.points) for value in xy]
    return gamma + chunk(b"cHRM", struct.pack(">8I", *(round(value * 100_000) for value in points)))


def exif(colour_space: int, index: str = "") -> bytes:
    """An EXIF block (little endian) with ColorSpace and, where given, InteroperabilityIndex."""

    def entries(at: int, *each: tuple[int, int, int, bytes]) -> bytes:
        assert at >= 8
        return (
            struct.pack("<H", len(each))
            + b"".join(
                struct.pack("<HHI", tag, kind, count) + value.ljust(4, b"\0") for tag, kind, count, value in each
            )
            + bytes(4)
        )

    first = entries(8, (34665, 4, 1, struct.pack("<I", 26)))
    inner = [(40961, 3, 1, struct.pack("<H", colour_space)), (40965, 4, 1, struct.pack("<I", 56))]
    second = entries(26, *(inner if index else inner[:1]))
    third = entries(56, (1, 2, 4, index.encode() + b"\0")) if index else b""
    return b"II*\0" + struct.pack("<I", 8) + first + second + third


def written(samples: Samples, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    mode = "CMYK" if samples.ndim == 3 and samples.shape[2] == 4 else None
    picture = (
        Image.fromarray(samples)
        if mode is None
        else Image.frombytes(mode, samples.shape[1::-1], np.ascontiguousarray(samples).tobytes())
    )
    lossless: dict[str, dict[str, Any]] = {
        "JPEG": {"quality": 100, "subsampling": "4:4:4"},
        "WEBP": {"lossless": True},
        "AVIF": {"quality": 100, "subsampling": "4:4:4"},
    }
    picture.save(stream, kind, **lossless.get(kind, {}), **options)
    return stream.getvalue()


def tiff(samples: Samples, data: bytes = b"", bits: int = 8) -> bytes:
    """A TIFF by libvips, at 16 bits each sample times 257, with this profile."""
    deep = bits == 16
    pixels = samples.astype(np.uint16) * 257 if deep else samples
    image = pyvips.Image.new_from_array(np.ascontiguousarray(pixels))
    kind = {1: ("b-w", "grey16"), 3: ("srgb", "rgb16"), 4: ("cmyk", "cmyk")}[image.bands]
    image = image.copy(interpretation=kind[deep])
    if data:
        image.set_type(pyvips.GValue.blob_type, "icc-profile-data", data)
    return bytes(image.tiffsave_buffer())


def tiff_tags(samples: Samples, space: Space) -> bytes:
    info = TiffImagePlugin.ImageFileDirectory_v2()
    info[318] = space.white
    info[319] = tuple(value for xy in space.points for value in xy)
    return written(samples, "TIFF", tiffinfo=info)


def nclx(samples: Samples, primaries: int, transfer: int) -> bytes:
    """An AVIF whose `colr` box has these numbers."""
    data = written(samples, "AVIF")
    at = data.index(b"colrnclx") + 8
    return data[:at] + struct.pack(">HH", primaries, transfer) + data[at + 4 :]


def bmp_v5(samples: Samples, *, icc: bytes = b"", space: Space | None = None) -> bytes:
    """A BMP with a header of version 5: with a profile in it, or calibrated."""
    height, width = samples.shape[:2]
    rows = np.zeros((height, (width * 3 + 3) // 4 * 4), np.uint8)
    rows[:, : width * 3] = samples[::-1, :, ::-1].reshape(height, -1)
    header = struct.pack("<IiiHHIIiiII16x", 124, width, height, 1, 24, 0, rows.size, 2835, 2835, 0, 0)
    if space is not None:
        columns = np.stack([xyz(each) for each in space.points], axis=1)
        ends = (columns * np.linalg.solve(columns, xyz(space.white))).T / xyz(space.white)[1]
        colours = struct.pack("<I", 0) + b"".join(struct.pack("<i", round(value * 2**30)) for value in ends.ravel())
        colours += struct.pack("<III", *[round((space.gamma or 2.2) * 65536)] * 3)
    else:
        colours = struct.pack("<I", 0x4D424544) + bytes(48)
    header += colours + struct.pack("<IIII", 4, 124 + rows.size, len(icc), 0)
    body = header + rows.tobytes() + icc
    return b"BM" + struct.pack("<IHHI", 14 + len(body), 0, 0, 14 + 124) + body


def strayed(jpeg: bytes) -> bytes:
    """With bytes between SOI and the first segment that belong to nothing."""
    return jpeg[:2] + b"\0\1\2 stray \xff\0" + jpeg[2:]


def in_parts(jpeg: bytes, data: bytes, order: Sequence[int]) -> bytes:
    """With a profile in as many segments as `order` has, which come in that order."""
    size = -(-len(data) // len(order))
    segments = b""
    for number in order:
        body = b"ICC_PROFILE\0" + bytes([number + 1, len(order)]) + data[number * size : (number + 1) * size]
        segments += b"\xff\xe2" + struct.pack(">H", len(body) + 2) + body
    return jpeg[:2] + segments + jpeg[2:]


Writer = Callable[[Samples], bytes]
