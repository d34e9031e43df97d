"""`make looks FROM=…`: what becomes of all pictures in folders or files of events, at full size, by the gates' verdict.

A folder's pictures are products of the categories that their names tell ("blue-hoodie.webp" is of "blue hoodie"); a
file of events is taken as it is. `live/` and `waits/` hold the assets as their channels get them, `contact-sheet.png`
all of them at a glance, `index.html` each beside its photograph with what the gates say.
"""

import argparse
import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from schemas import channels
from streams.flow.processors.judging import reasons
from streams.runtime.settings import Settings
from streams.services.display.contact_sheet import ContactCell, ContactEntry, contact_sheet_png
from streams.services.releases.preview import Wanted, preview
from streams.services.releases.preview_page import Entry, Shown

ROOT = Path(__file__).parents[1]
PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".avif", ".tif", ".tiff")
OURS = "web"  # the transparent cutout, which the recipe makes of every product anyway


def main() -> None:
    """Writes `.packshot/looks/`, or the folder given, and tells how many assets would go live."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("places", nargs="+", type=Path, help="folders of pictures, files of events")
    parser.add_argument("--out", type=Path, default=ROOT / ".packshot" / "looks")
    parser.add_argument("--channel", action="append", default=[], help="only these channels")
    parser.add_argument("--recipe", default="marketplace")
    wanted = parser.parse_args()
    console = Console()
    events = [event for place in wanted.places for event in events_of(place, wanted.channel)]
    wanted.out.mkdir(parents=True, exist_ok=True)
    file = wanted.out / "events.jsonl"
    file.write_text("".join(f"{json.dumps(event)}\n" for event in events))
    request = Wanted(wanted.recipe, [event["sku"] for event in events], file)
    with console.status("making pictures") as status:
        entries = preview(
            Settings(), request, wanted.out / "index.html", lambda done, total: status.update(f"{done} of {total}")
        )
    outcomes = Counter(keep(entry, shown, wanted.out) for entry in entries for shown in entry.pictures)
    (wanted.out / "contact-sheet.png").write_bytes(contact_sheet_png([contact_entry(entry) for entry in entries]))
    console.print(f"{dict(outcomes)} in {wanted.out}")


def events_of(place: Path, named: Sequence[str] = ()) -> Iterator[dict[str, Any]]:
    """The catalogue's events of a folder of pictures, or of a file; for the channels `named`, or for all."""
    if place.is_file():
        for line in filter(str.strip, place.read_text().splitlines()):
            event = json.loads(line)
            if event["type"] == "CatalogChanged":
                sources = [{**each, "uri": _absolute(each["uri"], place.parent)} for each in event["sources"]]
                yield {**event, "sources": sources, "channels": list(named or event["channels"])}
        return
    for file in sorted(each for each in place.rglob("*") if each.suffix.lower() in PICTURES):
        yield {
            "type": "CatalogChanged",
            "change": "upsert",
            "tenant": "looks",
            "sku": re.sub(r"[^A-Za-z0-9._-]", "-", str(file.relative_to(place).with_suffix(""))),
            "version": 1,
            "title": file.stem,
            "category": re.sub(r"[-_\d]+", " ", file.stem).strip(),
            "sources": [{"uri": str(file.resolve())}],
            "channels": list(named) or [name for name in channels.names() if name != OURS],
        }


def _absolute(uri: str, folder: Path) -> str:
    return uri if "://" in uri else str((folder / uri).resolve())


def keep(entry: Entry, shown: Shown, out: Path) -> str:
    """Writes an asset into the folder of its outcome, and returns that."""
    outcome = state_of(shown)
    if shown.made is not None:
        folder = out / outcome
        folder.mkdir(exist_ok=True)
        suffix = shown.made.media_type.rpartition("/")[2]
        (folder / f"{entry.product.sku}.{shown.asset}.{suffix}").write_bytes(shown.made.file)
    return outcome


def state_of(shown: Shown) -> str:
    """`live`, `waits` for a person, or `fails`."""
    if shown.made is None:
        return "fails"
    return {"pass": "live", "review": "waits", "fail": "fails"}[shown.made.verdict.outcome]


def contact_entry(entry: Entry) -> ContactEntry:
    """A product's row on the contact sheet."""
    source = entry.photograph if isinstance(entry.photograph, bytes) else None
    return ContactEntry(entry.product.sku, entry.product.title, source, [_cell(each) for each in entry.pictures])


def _cell(shown: Shown) -> ContactCell:
    if shown.made is None:
        return ContactCell(shown.asset, "failed", shown.why or "", None)
    state = {"live": "published", "waits": "review", "fails": "failed"}[state_of(shown)]
    return ContactCell(shown.asset, state, reasons(shown.made.verdict), shown.made.file)


if __name__ == "__main__":
    main()
