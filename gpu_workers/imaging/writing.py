"""What is written on a product, as it was read off its photograph: lines of text and codes, with where they are.

It goes from step to step in the picture's own PNG, as what a cutout stood before does, and is in no file for a channel.
"""

import json
from collections.abc import Iterable
from typing import Annotated

import msgspec
import numpy as np
from msgspec import Meta
from msgspec.structs import replace
from numpy.typing import NDArray

from schemas.decoding import prepare

WRITING = "writing"

Quad = tuple[float, float, float, float, float, float, float, float]
"""Four corners, x and y in px: the start of the line on top, then clockwise as one reads it."""

Points = NDArray[np.float64]
"""(n, 2): x and y in px."""

_Text = Annotated[str, Meta(max_length=200)]
_MANY = 256


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A line of text. `confidence` 0..1 is the recogniser's; `inside` 0..1 how much of it lies on the product."""

    text: _Text
    confidence: float
    quad: Quad
    x_height_px: float
    inside: float


class Code(msgspec.Struct, frozen=True, kw_only=True):
    """A barcode or the like: what it says and of which kind it is, where it lies, and how much of it on the product."""

    text: Annotated[str, Meta(max_length=4000)]
    kind: Annotated[str, Meta(max_length=40)]
    quad: Quad
    inside: float


class Writing(msgspec.Struct, frozen=True, kw_only=True):
    """All that was read on a product; nothing is said of what was not looked for."""

    lines: Annotated[tuple[Line, ...], Meta(max_length=_MANY)] = ()
    codes: Annotated[tuple[Code, ...], Meta(max_length=_MANY)] = ()


def moved(writing: Writing, transform: NDArray[np.float64]) -> Writing:
    """It where a picture's `transform`, a (3, 3) matrix for points (x, y, 1), takes it."""
    scale = float(np.sqrt(abs(np.linalg.det(transform[:2, :2]))))
    return Writing(
        lines=tuple(
            replace(each, quad=quad_of(at(each.quad, transform)), x_height_px=round(each.x_height_px * scale, 2))
            for each in writing.lines
        ),
        codes=tuple(replace(each, quad=quad_of(at(each.quad, transform))) for each in writing.codes),
    )


def corners(quad: Quad) -> Points:
    """The four corners of a quad."""
    return np.array(quad, np.float64).reshape(4, 2)


def at(quad: Quad, transform: NDArray[np.float64]) -> Points:
    """Where the corners are that a (3, 3) matrix takes from a quad."""
    points = np.column_stack([corners(quad), np.ones(4)]) @ transform.T
    return np.asarray(points[:, :2] / points[:, 2:])


def quad_of(points: Points) -> Quad:
    """Four corners as a quad, to a tenth of a pixel."""
    x0, y0, x1, y1, x2, y2, x3, y3 = (round(float(value), 1) for value in points.reshape(-1))
    return x0, y0, x1, y1, x2, y2, x3, y3


def text_of(writing: Writing) -> str:
    """It as ASCII, which a PNG's text chunk takes."""
    return json.dumps(msgspec.to_builtins(writing), separators=(",", ":"))


def writing_in(texts: Iterable[str]) -> Writing | None:
    """What `text_of` wrote; None where no text is one of its own, for others' files have such notes, too."""
    for text in texts:
        try:
            return msgspec.json.decode(text, type=Writing)
        except (msgspec.DecodeError, ValueError, RecursionError):
            continue
    return None


prepare(Writing)
