"""How the commands show things, one file a group of commands: tables for people, JSON for programs."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from streams.runtime.screen import errors, styled

if TYPE_CHECKING:
    from rich.text import Text

CALENDAR_END_MS = 253_402_300_800_000  # the year 10,000

COLOUR = {
    "published": "green",
    "done": "green",
    "approved": "green",
    "pass": "green",
    "stable": "green",
    "recalled": "red",
    "review": "yellow",
    "pending": "yellow",
    "waiting": "yellow",
    "planned": "cyan",
    "publishing": "cyan",
    "failed": "red",
    "fail": "red",
    "rejected": "red",
    "superseded": "bright_black",
    "leaving": "bright_black",
    "not_run": "bright_black",
}
GOOD, WRONG = styled("✓", "green"), styled("✗", "red")


def coloured(state: str) -> Text:
    """A state in its colour."""
    return styled(state, COLOUR.get(state, "white"))


@contextlib.contextmanager
def progress(what: str, *, hidden: bool) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on standard error; the block is given a function of (done, total)."""
    with progresses(hidden=hidden) as tell:
        tell(what, 0, 0)
        yield partial(tell, what)


@contextlib.contextmanager
def progresses(*, hidden: bool) -> Iterator[Callable[[str, int, int], None]]:
    """A progress bar for each part of the work; the block is given a function of (part, done, total)."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        SpinnerColumn,
        TaskID,
        TextColumn,
        TimeElapsedColumn,
    )

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=errors, disable=hidden) as bars:
        tasks = defaultdict[str, TaskID](lambda: bars.add_task("", total=None))
        yield lambda part, done, total: bars.update(tasks[part], description=part, completed=done, total=total or None)


def moment(at_ms: int, precision: str = "seconds") -> str:
    """A time of the clock (Unix, ms) in UTC; one that no calendar has, which a foreign record may tell, as it is."""
    if not 0 <= at_ms < CALENDAR_END_MS:
        return f"{at_ms} ms"
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(" ", precision).removesuffix("+00:00")
