"""What `packshot render` and `preview` show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from streams.commands.tables import coloured
from streams.runtime.screen import console, errors, line, print_json, styled, table

if TYPE_CHECKING:
    from streams.services.ordering.local_render import RenderView, Summary
    from streams.services.releases.preview_page import Entry

SHOWN_MAX = 20  # refused pictures on the screen; the report has them all


def show_render(made: RenderView, *, as_json: bool) -> None:
    """What `packshot render` wrote, and what the gates say of it."""
    if as_json:
        print_json(made)
        return
    console.say(styled(made.file, "bold"), " written")
    if made.words is not None:
        _show_words(made)
    if made.verdict is None:
        shown = table("measure", "value")
        for name, value in sorted(made.measures.items()):
            shown.add_row(name, f"{value:.4g}")
        console.show(shown)
        return
    shown = table("check", "outcome", "measured", "limit", "rule")
    for check in made.verdict.checks:
        measured = "" if check.measured is None else f"{check.measured:.4g}"
        shown.add_row(f"{check.point}: {check.name}", coloured(check.outcome), measured, check.limit, check.rule)
    console.show(shown)


def _show_words(made: RenderView) -> None:
    """What of the words for a scene is in the picture, what the scene cannot show, and what is not known."""
    assert made.words is not None
    shown = table("words", "say", "in the picture")
    for words, terms in made.words.used.items():
        for says in terms:
            is_met = made.measures.get(f"words.{says.removeprefix('without ')}")
            shown.add_row(words, says, "" if is_met is None else "yes" if is_met else "no: not in this scene")
    for word in made.words.unknown:
        shown.add_row(word, "not known", "")
    console.show(shown)


def show_summary(summary: Summary, *, as_json: bool) -> None:
    """What became of many pictures."""
    if as_json:
        from streams.services.ordering.local_render import summary_view

        print_json(summary_view(summary))
        return
    for refusal in summary.refusals[:SHOWN_MAX]:
        show_refused(refusal.code, refusal.message)
    if len(summary.refusals) > SHOWN_MAX:
        console.say(f"and {len(summary.refusals) - SHOWN_MAX} more")
    shown = table("pictures", "", "of them")
    shown.add_row("done", str(summary.done), f"{summary.known} were there already" if summary.known else "")
    shown.add_row("wait for a person", str(summary.waiting), _counted(summary.waits))
    shown.add_row("refused", str(summary.refused_total), _counted(summary.refused))
    if summary.left_out:
        shown.add_row("left out", str(summary.left_out), "no pictures")
    console.show(shown)
    mean = "" if summary.mean_s is None else f", {summary.mean_s:.2f} s a picture"
    console.say(f"{summary.seconds:.1f} s{mean}; each is in {summary.report}")


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(
        f"{count} × {name}" for name, count in sorted(counts.items(), key=lambda each: (-each[1], each[0]))
    )


def show_refused(code: str, message: str) -> None:
    """Why a picture was refused."""
    errors.say(styled(code, "red"), f": {message}")


def show_preview(target: Path, entries: Sequence[Entry], *, as_json: bool) -> None:
    """Which page was written, and what is on it."""
    if as_json:
        from streams.services.releases.preview_page import preview_view

        print_json(preview_view(target, entries))
        return
    outcomes: dict[str, int] = {}
    for entry in entries:
        for picture in entry.pictures:
            outcomes[picture.outcome] = outcomes.get(picture.outcome, 0) + 1
    counts = [line(f", {count} ", coloured("not made" if name == "none" else name)) for name, count in outcomes.items()]
    console.say(styled(f"{target}", "bold"), " written", *counts)
