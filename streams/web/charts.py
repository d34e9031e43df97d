"""A share over days as lines of an SVG picture; the template draws them, and a table says the same in figures."""

from collections.abc import Sequence
from dataclasses import dataclass

from streams.services.reports.quality import Tally

WIDTH, HEIGHT = 600.0, 120.0  # of the picture, in its own units
_LEFT, _RIGHT, _TOP, _BOTTOM = 34.0, 8.0, 8.0, 18.0  # room about the lines, for the axis and the days
_BAR = 0.6  # of a day's room that its bar takes


@dataclass(frozen=True)
class Day:
    """A day: where its dot and its bar are, in the units of the picture, and what it says."""

    tally: Tally
    x: float
    y: float
    bar_x: float
    bar_y: float
    bar_width: float
    bar_height: float


@dataclass(frozen=True)
class Course:
    """The pass rate by day: the dots and `line`, the points of the polyline through them, over bars of how many."""

    days: Sequence[Day]
    line: str

    @classmethod
    def of(cls, tallies: Sequence[Tally]) -> "Course":
        """The course of tallies of days, in order."""
        most = max((each.judged for each in tallies), default=1)
        room = (WIDTH - _LEFT - _RIGHT) / max(1, len(tallies))
        days = [
            _day(each, _LEFT + room * (number + 0.5), room, each.judged / most) for number, each in enumerate(tallies)
        ]
        return cls(days, " ".join(f"{each.x:.1f},{each.y:.1f}" for each in days))

    @property
    def rules(self) -> list[tuple[float, str]]:
        """The heights of 0, 50 and 100 %, and their names."""
        return [(_height(share), f"{share:.0%}") for share in (0.0, 0.5, 1.0)]


def _height(share: float) -> float:
    return round(_TOP + (1 - share) * (HEIGHT - _TOP - _BOTTOM), 1)


def _day(tally: Tally, x: float, room: float, of_most: float) -> Day:
    width = min(24.0, _BAR * room)
    top = _height(of_most)
    return Day(
        tally=tally,
        x=round(x, 1),
        y=_height(tally.passed / tally.judged),
        bar_x=round(x - width / 2, 1),
        bar_y=top,
        bar_width=round(width, 1),
        bar_height=round(_height(0.0) - top, 1),
    )
