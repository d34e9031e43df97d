"""A review case as a page that needs nothing but itself: the photograph, its cutout, and what was made of it."""

import dataclasses

from schemas.records import Source
from streams.blobs import Blobs, StoreError, open_store
from streams.facts import Database
from streams.runtime.errors import Refused
from streams.runtime.fields import Commas
from streams.runtime.settings import Settings
from streams.services.display import photographs
from streams.services.display.contact_sheet import ContactCell, ContactEntry, contact_sheet_html
from streams.services.review import cases
from streams.services.review.case_views import CaseAsset, CaseView

SHOWN_PX = 1024


def case_page(database: Database, settings: Settings, case_id: str) -> str:
    """The page. Raises Refused `unknown_case`; a picture that is not there is left out."""
    case = cases.get(database, None, case_id)
    blobs = Blobs(open_store(settings.blobs, s3_endpoint=settings.s3_endpoint))
    summary = case.summary
    cells = [_cell(asset, blobs) for asset in case.assets]
    if summary.cutout is not None:
        cells.insert(0, ContactCell("cutout", summary.about, _complaints(case), _file(summary.cutout.digest, blobs)))
    title = f"{summary.title or summary.sku}: {summary.about} in doubt"
    return contact_sheet_html([ContactEntry(summary.sku, title, _photograph(summary.source, settings), cells)])


def _cell(asset: CaseAsset, blobs: Blobs) -> ContactCell:
    also = f"; waits for {len(asset.also_in)} more" if asset.also_in else ""
    return ContactCell(asset.asset, asset.state, asset.reason + also, _file(asset.picture.digest, blobs))


def _complaints(case: CaseView) -> str:
    return "; ".join(f"{each.name} {each.measured} {each.unit}, the limit {each.limit}" for each in case.checks)


def _file(digest: str, blobs: Blobs) -> bytes | None:
    try:
        return blobs.get(digest)
    except StoreError:
        return None


def _photograph(source: Source | None, settings: Settings) -> bytes | None:
    """Whoever asks may read this machine's files anyway, where no folder is named."""
    if source is None:
        return None
    here = settings if settings.source_file_roots else dataclasses.replace(settings, source_file_roots=Commas("/"))
    try:
        return photographs.shown(here, source, SHOWN_PX)
    except Refused:
        return None
