"""Three-dimensional look-up tables of colours: read from and written to `.cube` files, made by formula, looked up.

Looking up is tetrahedral: of the cell's six tetrahedra the one that holds the colour, whose four corners are mixed;
greys stay on the cell's diagonal, so that a neutral table keeps them neutral.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpu_workers.imaging.colour_difference import lab_to_srgb, srgb_to_lab
from gpu_workers.imaging.compiled import compiled
from gpu_workers.imaging.types import Codes
from schemas.errors import InputError

Table = NDArray[np.float32]

SIZE = 33
_SIZE_MAX = 129


class BadLut(InputError, ValueError):
    """A `.cube` text that is not one; the message names the line and what is wrong with it."""

    code = "bad_lut"
    field = "lut"


@dataclass(frozen=True)
class Lut:
    """A table of colours: `table` (n, n, n, 3) float32 code values 0..1, its axes red, green and blue; of sRGB where it
    is a look's."""

    table: Table
    title: str = ""

    def of(self, rgb: NDArray[np.float32]) -> NDArray[np.float32]:
        """What the table says for code values 0..1 (…, 3)."""
        flat = np.require(rgb.reshape(-1, 3), np.float32, ["C", "W"])
        return np.asarray(_looked_up(flat, self.table), np.float32).reshape(rgb.shape)

    def applied(self, canvas: Codes, weight: NDArray[np.float32]) -> Codes:
        """`canvas` (h, w, 3; uint8 or uint16) moved by `weight` (h, w; 0..1) of the way to what the table says.

        Rounded to the nearest code value; a pixel whose weight is 0 is as it was.
        """
        code, share = np.require(canvas, None, ["C", "W"]), np.require(weight, np.float32, ["C", "W"])
        graded: Codes = _graded(code, share, self.table, np.float32(np.iinfo(canvas.dtype).max))
        return graded


def identity(size: int = SIZE) -> Table:
    """The table that changes nothing."""
    axis = np.linspace(0, 1, size, dtype=np.float32)
    return np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1)


def read_cube(text: str) -> Lut:
    """The table in a `.cube` file's text, its domain 0..1 and its values clipped to that. Raises BadLut."""
    size, title, rows = 0, "", []
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.split("#", maxsplit=1)[0].split() if not line.startswith("TITLE") else line.split(maxsplit=1)
        if not words:
            continue
        if words[0] == "TITLE":
            title = words[1].strip('"') if len(words) > 1 else ""
        elif words[0] == "LUT_3D_SIZE":
            size = _size(words, number)
        elif words[0] in ("DOMAIN_MIN", "DOMAIN_MAX"):
            if _numbers(words[1:], number) != [float(words[0] == "DOMAIN_MAX")] * 3:
                raise BadLut(f"line {number}: only a domain of 0 to 1 is read")
        else:
            rows.append(_numbers(words, number))
    if not size:
        raise BadLut("there is no LUT_3D_SIZE")
    if len(rows) != size**3:
        raise BadLut(f"there are {len(rows):,} colours, LUT_3D_SIZE {size} asks for {size**3:,}")
    blue_first = np.clip(np.array(rows, np.float32), 0, 1).reshape(size, size, size, 3)
    return Lut(np.ascontiguousarray(blue_first.transpose(2, 1, 0, 3)), title)


def write_cube(lut: Lut) -> str:
    """The text of a `.cube` file: red runs fastest, six decimals."""
    size = len(lut.table)
    rows = lut.table.transpose(2, 1, 0, 3).reshape(-1, 3)
    head = [f'TITLE "{lut.title}"'] if lut.title else []
    head += [f"LUT_3D_SIZE {size}", "DOMAIN_MIN 0.0 0.0 0.0", "DOMAIN_MAX 1.0 1.0 1.0"]
    return "\n".join([*head, *(f"{r:.6f} {g:.6f} {b:.6f}" for r, g, b in rows), ""])


def preset(name: str) -> Lut:
    """A look of our own, made by formula. Raises BadLut listing those that are there."""
    if name not in PRESETS:
        raise BadLut(f"no look is called {name!r}; there are: {', '.join(PRESETS)}")
    return Lut(lab_to_srgb(PRESETS[name](srgb_to_lab(identity()))), name)


@dataclass(frozen=True)
class _Look:
    """A look in Lab. `black` and `white` are the L* that 0 and 100 become; `contrast` bends the curve between about
    its middle, 0 being straight; `chroma` scales colour; `shadows` and `lights` are tints (a*, b*) that fade into each
    other over L*."""

    black: float
    white: float
    contrast: float
    chroma: float
    shadows: tuple[float, float]
    lights: tuple[float, float]

    def __call__(self, lab: NDArray[np.float32]) -> NDArray[np.float32]:
        share = lab[..., 0] / 100
        bent = share - self.contrast * np.sin(2 * np.pi * share) / (2 * np.pi)
        # Ink is black and paper white whatever the tint: it fades over the last tenth at either end.
        tinted = np.clip(10 * share, 0, 1) * np.clip(10 * (1 - share), 0, 1)
        split = [dark + share * (light - dark) for dark, light in zip(self.shadows, self.lights, strict=True)]
        colours = [self.chroma * lab[..., 1 + band] + tinted * split[band] for band in range(2)]
        return np.stack([self.black + (self.white - self.black) * bent, *colours], axis=-1).astype(np.float32)


PRESETS: Mapping[str, Callable[[NDArray[np.float32]], NDArray[np.float32]]] = {
    "warm": _Look(black=2, white=99, contrast=0.05, chroma=0.92, shadows=(2.0, 4.0), lights=(1.5, 7.0)),
    "cool": _Look(black=0, white=100, contrast=0.15, chroma=0.85, shadows=(-0.5, -5.0), lights=(-1.0, -3.0)),
    "earthy": _Look(black=4, white=90, contrast=0.1, chroma=0.8, shadows=(4.0, 8.0), lights=(4.0, 12.0)),
    "matte": _Look(black=9, white=96, contrast=0.0, chroma=0.85, shadows=(0.0, 0.0), lights=(0.0, 0.0)),
    "crisp": _Look(black=0, white=100, contrast=0.25, chroma=1.08, shadows=(0.0, 0.0), lights=(0.0, 0.0)),
}


def _size(words: list[str], number: int) -> int:
    if len(words) != 2 or not words[1].isdecimal() or not 2 <= int(words[1]) <= _SIZE_MAX:
        raise BadLut(f"line {number}: LUT_3D_SIZE must be a number from 2 to {_SIZE_MAX}")
    return int(words[1])


def _numbers(words: list[str], number: int) -> list[float]:
    try:
        values = [float(word) for word in words]
    except ValueError as error:
        raise BadLut(f"line {number}: {' '.join(words)!r} is no colour and no keyword that is read") from error
    if len(values) != 3 or not np.isfinite(values).all():
        raise BadLut(f"line {number}: a colour has three finite numbers")
    return values


@compiled("UniTuple(f4, 3)(f4, f4, f4, f4[:, :, :, ::1])")
def _mixed(red, green, blue, table):  # type: ignore[no-untyped-def]
    """The colour between four corners of the cell that holds (red, green, blue), 0..1."""
    last = table.shape[0] - 1
    x, y, z = red * last, green * last, blue * last
    i, j, k = min(int(x), last - 1), min(int(y), last - 1), min(int(z), last - 1)
    x, y, z = x - i, y - j, z - k
    # From the near corner to the far one along the axes, the one with the largest share first.
    if x >= y:
        if y >= z:
            a, b, large, middle, small = (1, 0, 0), (1, 1, 0), x, y, z
        elif x >= z:
            a, b, large, middle, small = (1, 0, 0), (1, 0, 1), x, z, y
        else:
            a, b, large, middle, small = (0, 0, 1), (1, 0, 1), z, x, y
    elif z >= y:
        a, b, large, middle, small = (0, 0, 1), (0, 1, 1), z, y, x
    elif z >= x:
        a, b, large, middle, small = (0, 1, 0), (0, 1, 1), y, z, x
    else:
        a, b, large, middle, small = (0, 1, 0), (1, 1, 0), y, x, z
    near, far = table[i, j, k], table[i + 1, j + 1, k + 1]
    first, second = table[i + a[0], j + a[1], k + a[2]], table[i + b[0], j + b[1], k + b[2]]
    w0, w1, w2 = np.float32(1) - large, large - middle, middle - small
    return (
        w0 * near[0] + w1 * first[0] + w2 * second[0] + small * far[0],
        w0 * near[1] + w1 * first[1] + w2 * second[1] + small * far[1],
        w0 * near[2] + w1 * first[2] + w2 * second[2] + small * far[2],
    )


@compiled("f4[:, ::1](f4[:, ::1], f4[:, :, :, ::1])")
def _looked_up(rgb, table):  # type: ignore[no-untyped-def]
    out = np.empty_like(rgb)
    for n in range(len(rgb)):
        out[n, 0], out[n, 1], out[n, 2] = _mixed(rgb[n, 0], rgb[n, 1], rgb[n, 2], table)
    return out


@compiled(
    "u1[:, :, ::1](u1[:, :, ::1], f4[:, ::1], f4[:, :, :, ::1], f4)",
    "u2[:, :, ::1](u2[:, :, ::1], f4[:, ::1], f4[:, :, :, ::1], f4)",
)
def _graded(canvas, weight, table, white):  # type: ignore[no-untyped-def]
    out = np.empty_like(canvas)
    for y in range(canvas.shape[0]):
        for x in range(canvas.shape[1]):
            pixel, share = canvas[y, x], weight[y, x]
            wanted = _mixed(pixel[0] / white, pixel[1] / white, pixel[2] / white, table)
            for band in range(3):
                code = np.float32(pixel[band])
                out[y, x, band] = int(min(max(code + share * (wanted[band] * white - code), 0), white) + 0.5)
    return out
