"""`packshot demo`: the whole system over a catalogue and an urgent campaign, a table and a contact sheet at the end."""

import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote, urlsplit

from msgspec import structs
from rich.live import Live
from rich.table import Table
from rich.text import Text

from schemas.records import CatalogChanged, Submission
from streams.blobs import Blobs, NotFound, open_store
from streams.commands.running import announce, tell_death
from streams.commands.tables import COLOUR, coloured
from streams.commands.tables.points import show_points
from streams.commands.tables.shelf import show_shelves
from streams.commands.tables.submit import show_submission
from streams.facts import Asset, Database, Facts
from streams.flow.processors.intake import content
from streams.runtime.errors import Refused
from streams.runtime.exits import Exit
from streams.runtime.screen import console, line, styled, table
from streams.runtime.settings import Settings
from streams.services.display import shelves
from streams.services.display.contact_sheet import ContactCell, ContactEntry, contact_sheet_html, contact_sheet_png
from streams.services.operating import local
from streams.services.reports.status import open_database
from streams.services.review import cases
from streams.services.submitting import submission
from streams.services.submitting.event_files import read_events
from streams.services.submitting.fates import Fate
from streams.services.submitting.submission import Submitted

TIMEOUT_S = 900.0
REFRESH_S = 0.5
SQUARE = "■"


def run_demo(settings: Settings, catalogue_file: Path, campaign_file: Path) -> int:
    """Runs everything; 0 when every asset is published or in review."""
    settings = replace(settings, data_folder=settings.data_folder / "demo")
    events = _events(catalogue_file) + _events(campaign_file)
    began = time.monotonic()
    console.say(
        styled("Packshot", "bold"), ": starting a broker, the streams, two workers, the publisher and a local CDN …"
    )
    with local.running_system(settings, console.say, tell_death) as (running, supervisor):
        supervisor.wait_until_ready(threading.Event())
        announce(running)
        with local.connect(running) as (database, producer):
            with database.read() as facts:
                events = [as_news(event, facts) for event in events]
            submitted = submission.send(events, producer)
            console.say(f"{len(submitted)} events sent, as a PIM and a marketing tool would; the campaign is urgent.")
            fates = _watch(submitted, database)
            entries = contact_entries(submitted, database, running)
            took_s = time.monotonic() - began
            show_submission(submitted, fates, [], as_json=False)
            _write_sheets(entries, running.data_folder)
        _show_quality(running)
        decisions = _decisions(running)
    _sum_up(fates, took_s, decisions)
    return Exit.OK if all(fate.state in ("done", "superseded") for fate in fates) else Exit.FOUND


def _show_quality(running: Settings) -> None:
    """What the gates say, point by point; and the shelves, against which pictures are held from now on."""
    looked = shelves.look(running, None, "packshot demo", dry_run=False)
    with open_database(running) as database, database.read() as facts:
        show_points(facts.assets.every())
    show_shelves(looked, dry_run=False, as_json=False)


def as_news(event: Submission, facts: Facts) -> Submission:
    """The event as it goes on from what an earlier demo left: where a product is known otherwise, as its next version.

    A product's version stands for one content. Its sample picture may have moved since.
    """
    if not isinstance(event, CatalogChanged):
        return event
    known = facts.products.get(event.tenant, event.sku)
    if known is None:
        return event
    is_known = content(structs.replace(event, version=known.version)) == content(known.event)
    return structs.replace(event, version=known.version if is_known else known.version + 1)


def contact_entries(submitted: Sequence[Submitted], database: Database, settings: Settings) -> list[ContactEntry]:
    """A row for every product of the catalogue events, with the pictures of its assets."""
    products = [each.event for each in submitted if isinstance(each.event, CatalogChanged)]
    blobs = Blobs(open_store(settings.blobs, s3_endpoint=settings.s3_endpoint))
    return [_entry(event, database, blobs, settings) for event in products]


def _events(file: Path) -> list[Submission]:
    events, bad = read_events(file)
    for wrong in bad:
        raise Refused("bad_line", f"{file}, line {wrong.line}: {wrong.message}", field=wrong.field)
    return [each.event for each in events]


def _watch(submitted: Sequence[Submitted], database: Database) -> list[Fate]:
    give_up_at = time.monotonic() + TIMEOUT_S
    began = time.monotonic()
    with Live(console=console, refresh_per_second=4, transient=True) as live:
        while True:
            with database.read() as facts:
                fates = [submission.fate(each, facts) for each in submitted]
            live.update(_picture(submitted, fates, time.monotonic() - began))
            if all(fate.state != "waiting" for fate in fates) or time.monotonic() > give_up_at:
                return fates
            time.sleep(REFRESH_S)


def _picture(submitted: Sequence[Submitted], fates: Sequence[Fate], took_s: float) -> Table:
    shown = table("event", "assets", "")
    for each, fate in zip(submitted, fates, strict=True):
        squares = line(*(_in_colour(SQUARE, asset.state, " ") for asset in fate.assets))
        shown.add_row(each.subject, squares or "…", coloured(fate.state))
    counted = Counter(asset.state for fate in fates for asset in fate.assets)
    legend = (_in_colour(f"  {SQUARE} {n} {state}", state) for state, n in sorted(counted.items()))
    shown.caption = line(f"{took_s:4.0f} s", *legend)
    return shown


def _in_colour(text: str, state: str, behind: str = "") -> Text:
    return line(styled(text, COLOUR.get(state, "white")), behind)


def _entry(event: CatalogChanged, database: Database, blobs: Blobs, settings: Settings) -> ContactEntry:
    with database.read() as facts:
        assets = facts.assets.of(event.tenant, event.sku)
        pending = {
            each.asset: each.request.completed.outputs[0].digest
            for each in facts.reviews.every()
            if each.request.completed.task.sku == event.sku
        }
    cells = [_cell(asset, pending.get(asset.asset), blobs, settings) for asset in assets]
    return ContactEntry(event.sku, event.title, _source_bytes(event.sources[0].uri), cells)


def _cell(asset: Asset, pending: str | None, blobs: Blobs, settings: Settings) -> ContactCell:
    picture: bytes | None = None
    if asset.live is not None:
        origin = open_store(settings.origin, s3_endpoint=settings.s3_endpoint)
        try:
            picture = origin.get(asset.live.file.key).data
        except NotFound:
            picture = None
    elif pending is not None:
        picture = blobs.get(pending)
    return ContactCell(asset.asset, asset.state, asset.reason, picture)


def _source_bytes(uri: str) -> bytes | None:
    parts = urlsplit(uri)
    return Path(unquote(parts.path)).read_bytes() if parts.scheme == "file" else None


def _write_sheets(entries: list[ContactEntry], folder: Path) -> None:
    page, picture = folder / "contact-sheet.html", folder / "contact-sheet.png"
    page.write_text(contact_sheet_html(entries))
    picture.write_bytes(contact_sheet_png(entries))
    console.say("contact sheet: ", styled(f"{page}", "bold"), " and ", styled(f"{picture}", "bold"))


def _decisions(running: Settings) -> tuple[int, int]:
    """How many assets wait for a person, and how many decisions that takes: one a case, whatever waits for it."""
    with open_database(running) as database, database.read() as facts:
        return len(facts.cases.waiting_assets()), cases.count(database, cases.Wanted())


def _sum_up(fates: Sequence[Fate], took_s: float, decisions: tuple[int, int]) -> None:
    counted = Counter(asset.state for fate in fates for asset in fate.assets)
    states = ", ".join(f"{number} {state}" for state, number in sorted(counted.items()))
    console.say(styled(states, "bold"), f" in {took_s:.0f} s, the start of the broker and of every role included")
    waiting, cases_count = decisions
    if cases_count:
        console.say(f"{waiting} assets wait for {cases_count} decisions, one a cause: {waiting / cases_count:.1f} each")
