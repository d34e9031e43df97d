"""What a capacity is counted by: measured figures and prices, as data in figures.yaml, each with its source."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
import yaml
from msgspec import Meta

from schemas.decoding import prepare
from streams.runtime.errors import Refused

FILE = Path(__file__).with_name("figures.yaml")
NO_GPU = "none"
_Amount = Annotated[float, Meta(ge=0)]
_Text = Annotated[str, Meta(min_length=1)]


class Range(msgspec.Struct, frozen=True):
    """From the least to the most that something may be; both are equal where it is known."""

    low: float
    high: float

    def __mul__(self, factor: "Range | float") -> "Range":
        other = factor if isinstance(factor, Range) else Range(factor, factor)
        return Range(self.low * other.low, self.high * other.high)

    def __add__(self, other: "Range") -> "Range":
        return Range(self.low + other.low, self.high + other.high)

    def whole(self) -> "Range":
        """In whole pieces, one at least."""
        return Range(max(1, math.ceil(self.low)), max(1, math.ceil(self.high)))


class Figure(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One figure: its range, its unit, and where it comes from; `read` is the day on which a price was read."""

    low: _Amount
    high: _Amount
    unit: _Text
    source: _Text
    read: str = ""

    def __post_init__(self) -> None:
        if not self.low <= self.high < math.inf:
            raise ValueError(f"low {self.low:g} and high {self.high:g} are no range")

    @property
    def range(self) -> Range:
        """From the least to the most."""
        return Range(self.low, self.high)


class Figures(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All of them: `measured` by name, `prices` by what is paid, `gpus` the price of an hour by the GPU's name."""

    measured: Mapping[str, Figure]
    prices: Mapping[str, Figure]
    gpus: Mapping[str, Figure]
    engine: Mapping[str, Figure] = {}
    """Seconds that a cutout takes of a GPU, by its name: of those on which it was measured."""


class _Own(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a file of somebody's own may say: any part of the figures."""

    measured: Mapping[str, Figure] = {}
    prices: Mapping[str, Figure] = {}
    gpus: Mapping[str, Figure] = {}
    engine: Mapping[str, Figure] = {}


def load(own: Path | None = None) -> Figures:
    """The figures, with those of a file of one's own in place of ours. Raises Refused, which names the file."""
    ours: Figures = _converted(FILE, Figures)
    if own is None:
        return ours
    theirs = _converted(own, _Own)
    for part in ("measured", "prices"):
        _check_known(own, part, getattr(theirs, part), getattr(ours, part))
    merged = {name: {**getattr(ours, name), **getattr(theirs, name)} for name in Figures.__struct_fields__}
    return Figures(**merged)


def _check_known(file: Path, part: str, theirs: Mapping[str, Figure], ours: Mapping[str, Figure]) -> None:
    for name, figure in theirs.items():
        if name not in ours:
            raise Refused("unknown_figure", f"{file}: there is no figure of this name", field=f"{part}.{name}")
        if figure.unit != ours[name].unit:
            told = f"{file}: it is in {figure.unit!r}, and has to be in {ours[name].unit!r}"
            raise Refused("wrong_unit", told, field=f"{part}.{name}.unit")


def _converted(file: Path, kind: type[Any]) -> Any:
    try:
        return msgspec.convert(yaml.safe_load(file.read_bytes()), kind)
    except (OSError, UnicodeDecodeError, yaml.YAMLError, msgspec.ValidationError, RecursionError) as error:
        raise Refused("bad_figures", f"{file}: {error}", field="prices") from error


prepare(Range, Figure, Figures, _Own)
