"""What the commands write on: a console on which text from outside is text, and nothing else.

A `str` is shown as it is: it is no markup, makes no link, and a character that steers a terminal is shown as its
escape. What has a style is a `Text`, made here. Columns are as wide as their longest word: codes, digests and addresses
are never broken.
"""

import json
import re
import sys
from typing import Any

import msgspec
from rich import box
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.style import Style
from rich.table import Table
from rich.text import Text

from schemas.text import UNSHOWN, printable

UNBOUNDED = 1_000_000  # columns, for what is not read on a terminal: a line is a line, however long
_UNFIT = re.compile(f"(?!\n)[{UNSHOWN}]")


class Screen(Console):
    """A console on which a `str` is shown as it is."""

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, markup=False, emoji=False, highlight=False)

    def render_str(self, text: str, *, style: str | Style = "", **_: Any) -> Text:
        """The text as it is, whatever it looks like."""
        return styled(text, style)

    def say(self, *parts: str | Text) -> None:
        """One line, never broken by us."""
        self.print(line(*parts), soft_wrap=True)

    def show(self, shown: Table) -> None:
        """A table; on a terminal that is too narrow it runs over rather than break a word."""
        self.print(_Unbroken(shown), crop=False, no_wrap=True, overflow="ignore")


class _Unbroken:
    def __init__(self, shown: Table) -> None:
        self._shown = shown

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        unbounded = options.update(max_width=UNBOUNDED, no_wrap=False, overflow="fold")
        for column in self._shown.columns:
            cells = [column.header, *column.cells]
            column.min_width = max(Measurement.get(console, unbounded, cell).minimum for cell in cells)
        wide = options.max_width if console.is_terminal else UNBOUNDED
        yield from console.render(self._shown, unbounded.update(max_width=wide))


def styled(text: str, style: str | Style) -> Text:
    """A text from anywhere, in a style of ours."""
    return Text(fit(text), style=style)


def fit(text: str) -> str:
    """A text as it may stand on a screen: one line, nothing in it that steers a terminal."""
    return printable(text, UNBOUNDED)


def line(*parts: str | Text) -> Text:
    """One line of parts, those that are `str` shown as they are."""
    return Text.assemble(*(styled(part, "") if isinstance(part, str) else part for part in parts))


def table(*columns: str) -> Table:
    """An empty table in the house style."""
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for column in columns:
        made.add_column(column, overflow="fold")
    return made


def _plain(value: object) -> str:
    """A text of a kind of its own, such as an address of the settings, as any other."""
    if isinstance(value, str):
        return str(value)
    raise NotImplementedError  # so msgspec names the type itself


def print_json(value: object) -> None:
    """A value as JSON, indented."""
    try:
        _write(msgspec.json.format(msgspec.json.encode(value, enc_hook=_plain), indent=2))
    except UnicodeEncodeError:
        _write(_with_halves(value, indent=2))


def print_json_line(value: object) -> None:
    """A value as one line of JSON."""
    try:
        _write(msgspec.json.encode(value, enc_hook=_plain))
    except UnicodeEncodeError:
        _write(_with_halves(value))


def _with_halves(value: object, indent: int | None = None) -> bytes:
    """JSON of what holds half characters, as the names of files may, and texts that are no UTF-8: as their escapes."""
    return json.dumps(msgspec.to_builtins(value, enc_hook=_plain), indent=indent).encode()


def _write(text: bytes) -> None:
    sys.stdout.write(_UNFIT.sub(_escaped, text.decode()) + "\n")
    sys.stdout.flush()


def _escaped(found: re.Match[str]) -> str:
    pairs = found[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{pairs[at : at + 2].hex()}" for at in range(0, len(pairs), 2))


console = Screen()
errors = Screen(stderr=True)
