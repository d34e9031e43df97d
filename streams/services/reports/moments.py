"""Moments as people write them: a date, a time, or an age."""

import re
import time
from datetime import datetime, timedelta

import click

_AGE = re.compile(r"(\d+)([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


class Moment(click.ParamType):
    """An option that is a Unix time in ms: `2026-11-24T18:00` (local unless it says otherwise), or `2h` ago."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The moment in ms. Raises click.BadParameter."""
        if isinstance(value, int):
            return value
        text = str(value)
        try:
            return _before_now(text) if _AGE.fullmatch(text) else round(datetime.fromisoformat(text).timestamp() * 1000)
        except (ValueError, OverflowError):
            return self.fail(f"{text!r} is neither like 2026-11-24T18:00 nor like 90s, 15m, 2h or 3d", param, ctx)


class Age(click.ParamType):
    """An option that is a time in seconds, `min_s` at least: `15m`, `2h` or `30d`."""

    name = "age"

    def __init__(self, min_s: float = 0.0) -> None:
        self._min_s = min_s

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The seconds. Raises click.BadParameter."""
        if isinstance(value, float):
            return value
        text = str(value)
        try:
            found_s = age_s(text)
        except ValueError as error:
            return self.fail(str(error), param, ctx)
        if found_s < self._min_s:
            return self.fail(f"{text!r} is less than {self._min_s:.0f}s", param, ctx)
        return found_s


def age_s(text: str) -> float:
    """The seconds of `15m`, `2h` or `30d`. Raises ValueError."""
    if not _AGE.fullmatch(text):
        raise ValueError(f"{text!r} is not like 90s, 15m, 2h or 3d")
    return _seconds(text)


def _seconds(age: str) -> float:
    return timedelta(seconds=int(age[:-1]) * _SECONDS[age[-1]]).total_seconds()


def _before_now(age: str) -> int:
    return round((time.time() - _seconds(age)) * 1000)
