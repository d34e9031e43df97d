"""What `packshot assess` shows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from streams.runtime.screen import console, errors, print_json, styled, table

if TYPE_CHECKING:
    from streams.services.assessing.assess import Assessment


def show_assessment(found: Assessment, written: Path, *, as_json: bool) -> None:
    """What was found, in short."""
    from streams.services.assessing.faults import KINDS, against
    from streams.services.assessing.report import summary

    if as_json:
        print_json(summary(found) | {"page": str(written)})
        return
    shown = table("channel", "what is wrong", "typically (wanted)", "pictures", "share", "mended by Packshot")
    for row in found.rows:
        kind = KINDS[row.kind]
        mended, typical = "yes" if kind.is_mended else "no", against(row.median, row.limit)
        shown.add_row(row.channel, kind.text, typical, str(row.pictures), f"{row.share:.0%}", mended)
    console.show(shown)
    for line in found.unread[:10]:
        errors.say(line)
    passed = sum(each.outcome == "pass" for each in found.mended)
    console.say(
        f"{found.wrong} of {found.pictures} pictures have a fault; {found.mendable} of them can be mended, and of "
        f"{len(found.mended)} really made {passed} would go live with nobody's look"
    )
    console.say(styled(f"{written}", "bold"), f" has all of it ({found.seconds:.0f} s)")
