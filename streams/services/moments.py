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


def _before_now(age: str) -> int:
    number, unit = int(age[:-1]), age[-1]
    return round((time.time() - timedelta(seconds=number * _SECONDS[unit]).total_seconds()) * 1000)
