"""An assessment as files: a page for people, sheets of paper, and every picture that is wrong for programs."""

from pathlib import Path

import msgspec

from gpu_workers.local import files
from streams.runtime.clock import now_ms
from streams.runtime.errors import Refused
from streams.runtime.settings import Settings
from streams.services.assessing import kept
from streams.services.assessing.assess import Assessment, Progress, Wanted, assess, fetched, reading_here
from streams.services.assessing.kept import PAGE, PAPER
from streams.services.assessing.page import lines_of, page
from streams.services.assessing.paper import pdf

FIGURES = "assessment.json"


def write(settings: Settings, wanted: Wanted, progress: Progress) -> tuple[Assessment, Path]:
    """Assesses, and writes the files; what was found, and the page. Raises Refused, and StoreError where the desk is to
    show it."""
    if wanted.tenant is not None:
        kept.check_tenant(wanted.tenant)
    found = assess(settings, wanted, progress)
    here = reading_here(settings)

    def load(uri: str) -> bytes | None:
        try:
            return fetched(here, uri).data
        except Refused:  # it was there a moment ago: the page says that there is no picture
            return None

    figures = summary(found) | {"wrong_pictures": list(lines_of(found))}
    files.write(wanted.folder / FIGURES, msgspec.json.format(msgspec.json.encode(figures), indent=1))
    written = {PAPER: pdf(found, load), PAGE: page(found, load).encode()}
    for name, data in written.items():
        files.write(wanted.folder / name, data)
    if wanted.tenant is not None:
        kept.keep(kept.place(settings), wanted.tenant, found, written, now_ms())
    return found, wanted.folder / PAGE


def summary(found: Assessment) -> dict[str, object]:
    """The figures without the pictures."""
    return {
        "source": found.source,
        "products": found.products,
        "pictures": found.pictures,
        "wrong": found.wrong,
        "mendable": found.mendable,
        "faults": found.rows,
        "made": [
            {"sku": each.sku, "channel": each.channel, "outcome": each.outcome, "why": each.why}
            for each in found.mended
        ],
        "estimate": found.estimate,
        "business": found.business,
        "unread": found.unread,
        "seconds": found.seconds,
    }
