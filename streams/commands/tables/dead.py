"""What `packshot dead` shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from schemas import topics
from streams.commands.tables import coloured, moment
from streams.consumer import letters as header
from streams.runtime.screen import console, errors, print_json, table
from streams.services.reports.views import letter_content, letter_view

if TYPE_CHECKING:
    from streams.services.recovery.dead import DeadLetter, Replayed


def show_letters(letters: Sequence[DeadLetter], *, as_json: bool, done: str = "") -> None:
    """Dead letters; `done` says what was just done about them."""
    if as_json:
        print_json([letter_view(each) for each in letters])
        return
    if not letters:
        console.say("no letter is meant" if done else "no letter is open")
        return
    shown = table("id", "state", "died", "came from", "product", "code", "why")
    for each in letters:
        died = moment(each.failed_at_ms)
        origin = each.origin.removeprefix(topics.PREFIX)
        code, why = each.header(header.ERROR_CODE), each.header(header.ERROR_MESSAGE)
        shown.add_row(each.name, coloured(done or each.state), died, origin, "|".join(each.product), code, why)
    console.show(shown)


def show_replayed(replayed: Replayed, *, as_json: bool) -> None:
    """The letters that went back and, by why, those that cannot."""
    show_letters(replayed.sent, as_json=as_json, done="replayed")
    for letter, why in replayed.left:
        errors.say(f"{letter.name} stays open: {why.code}: {why.message}")


def show_letter(letter: DeadLetter, *, as_json: bool) -> None:
    """One dead letter: its story, the event that it holds, its headers."""
    content: dict[str, Any] = msgspec.to_builtins(letter_content(letter))
    about = content.pop("letter")
    if as_json:
        print_json(about | content)
        return
    show_letters([letter], as_json=False, done=letter.state)
    if letter.resolved is not None:
        reason = f": {letter.resolved.reason}" if letter.resolved.reason else ""
        console.say(f"{letter.state} by {letter.resolved.resolved_by or 'nobody named'}{reason}")
    tries = table("try", "at", "code", "why")
    for each in letter.record.history:
        tries.add_row(str(each.attempt + 1), moment(each.at_ms, "milliseconds"), each.code, each.message)
    console.show(tries)
    print_json(content)
