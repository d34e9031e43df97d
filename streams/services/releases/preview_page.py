"""The page of a preview: each product's photograph and, beside it, every picture that a recipe makes of it.

The page holds all that it needs. A picture's card shows the photograph in a corner; to touch the card swaps the two.
"""

import base64
import io
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gpu_workers.local.studio import Made
from schemas.decoding import prepare
from schemas.records import CatalogChanged, Check, Source, Verdict
from streams.runtime.errors import Refused
from streams.services.display.contact_sheet import escape, thumbnail
from streams.services.reports.views import View

BEFORE_PX = 640
AFTER_PX = 1080
OUTCOMES = {"pass": "passed", "review": "for review", "fail": "failed", "none": "not made"}


@dataclass(frozen=True)
class Shown:
    """An asset: what was made, or `why` nothing was; each parameter's value, and whether a recipe or tenant said so."""

    asset: str
    made: Made | None
    operation: str = ""
    parameters: dict[str, tuple[str, bool]] = field(default_factory=dict)
    why: str = ""

    @property
    def outcome(self) -> str:
        """pass, review or fail; none when there is no picture."""
        return "none" if self.made is None else self.made.verdict.outcome


@dataclass(frozen=True)
class Entry:
    """A product's photograph, or why it could not be had, and what is made of it."""

    product: CatalogChanged
    source: Source
    photograph: bytes | Refused
    pictures: list[Shown] = field(default_factory=list)


class PreviewPicture(View, frozen=True, kw_only=True):
    """What a page shows of an asset."""

    sku: str
    asset: str
    outcome: str
    why: str


class PreviewView(View, frozen=True, kw_only=True):
    """A page that was written, and what is on it."""

    page: str
    pictures: Sequence[PreviewPicture]


def preview_view(file: Path, entries: Sequence[Entry]) -> PreviewView:
    """A page as it is told."""
    shown = ((entry.product.sku, picture) for entry in entries for picture in entry.pictures)
    pictures = [PreviewPicture(sku=sku, asset=each.asset, outcome=each.outcome, why=each.why) for sku, each in shown]
    return PreviewView(page=str(file), pictures=pictures)


def page(recipe: str, entries: Sequence[Entry]) -> str:
    """The page, light or dark as its reader prefers. The same pictures give the same page."""
    outcomes = Counter(picture.outcome for entry in entries for picture in entry.pictures)
    legend = "".join(
        f'<li class="{outcome}"><b>{outcomes[outcome]}</b> {word}</li>'
        for outcome, word in OUTCOMES.items()
        if outcomes[outcome]
    )
    befores = [shrunk(entry.photograph, BEFORE_PX) for entry in entries]
    rules = "".join(f".b{number}{{background-image:url({_data(each)})}}" for number, each in enumerate(befores) if each)
    sections = "".join(_section(number, entry, befores[number] is not None) for number, entry in enumerate(entries))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(recipe)}: a preview</title><style>{_STYLE}{rules}</style></head><body>"
        f'<header><h1>{escape(recipe)}</h1><ul class="legend">{legend}</ul></header><main>{sections}</main>'
        f"<script>{_SCRIPT}</script></body></html>\n"
    )


def _section(number: int, entry: Entry, has_photograph: bool) -> str:
    product = entry.product
    attributes = ", ".join(f"{name} {value}" for name, value in sorted(product.attributes.items()))
    caption = " · ".join(filter(None, (product.sku, product.category, attributes)))
    photograph = f'<div class="frame b{number}" role="img" aria-label="The photograph"></div>'
    if not has_photograph:
        photograph = f'<div class="frame"><p class="none">{escape(_why(entry.photograph))}</p></div>'
    cards = "".join(_card(number if has_photograph else None, picture) for picture in entry.pictures)
    name = entry.source.uri.rpartition("/")[2]
    return (
        f"<section><div class='product'>{photograph}<div><h2>{escape(product.title or product.sku)}</h2>"
        f'<p>{escape(caption)}</p><p class="file">{escape(name)}</p></div></div>'
        f'<div class="cards">{cards}</div></section>'
    )


def _card(number: int | None, picture: Shown) -> str:
    verdict = f'<span class="verdict {picture.outcome}">{OUTCOMES[picture.outcome]}</span>'
    title = f"<h3>{escape(picture.asset)}</h3>{verdict}"
    if picture.made is None:
        why = f'<div class="frame"><p class="none">{escape(picture.why)}</p></div>'
        return f'<article>{why}<div class="title">{title}</div></article>'
    after = shrunk(picture.made.file, AFTER_PX)
    clear = " clear" if after is not None and after[0] == "image/webp" else ""
    corner = "" if number is None else f'<span class="corner b{number}"></span>'
    swap = ' tabindex="0" role="button" aria-label="Swap before and after"' if number is not None else ""
    image = "" if after is None else f'<img alt="{escape(picture.asset)}" loading="lazy" src="{_data(after)}">'
    return (
        f'<article><div class="frame{clear}"{swap}>{image}{corner}</div><div class="title">{title}</div>'
        f'<p class="size">{_size(picture.made)}</p>{_complaints(picture.made.verdict)}{_details(picture)}</article>'
    )


def _size(made: Made) -> str:
    measures = made.measures
    size = f"{measures['width_px']:.0f} × {measures['height_px']:.0f} px"
    kind = made.media_type.removeprefix("image/").upper()
    return f"{size} · {escape(kind)} · {measures['size_bytes'] / 1000:,.0f} kB"


def _complaints(verdict: Verdict) -> str:
    """What did not pass, always in sight."""
    wrong = [check for check in verdict.checks if check.outcome in ("review", "fail")]
    return "".join(
        f'<p class="complaint {check.outcome}">{escape(_named(check.name))} is {_measured(check)}, '
        f"the limit {escape(check.limit)}</p>"
        for check in wrong
    )


def _details(picture: Shown) -> str:
    assert picture.made is not None
    verdict = picture.made.verdict
    ran = [check for check in verdict.checks if check.outcome != "not_run"]
    silent = [check for check in verdict.checks if check.outcome == "not_run"]
    details = "".join(
        f"<tr{'' if is_said else ' class=ruled'}><th>{escape(name)}</th><td>{escape(value)}</td></tr>"
        for name, (value, is_said) in picture.parameters.items()
    )
    checks = "".join(
        f'<tr><th>{escape(_named(check.name))}</th><td class="{check.outcome}">{_measured(check)}</td>'
        f"<td>{escape(check.limit)}</td></tr>"
        for check in ran
    )
    not_run = ", ".join(sorted({check.point for check in silent})) or "nothing"
    return (
        f"<details><summary>{len(ran)} checks, {len(picture.parameters)} parameters</summary>"
        f"<h4>{escape(picture.operation)}</h4><table>{details}</table>"
        f"<h4>{escape(verdict.rules)}</h4><table>{checks}</table><p>not measured: {escape(not_run)}</p></details>"
    )


def _measured(check: Check) -> str:
    value = 0.0 if check.measured is None else check.measured
    if float(value).is_integer() or abs(value) >= 1000:
        return f"{value:,.0f}"
    digits = max(0, 3 - math.floor(math.log10(abs(value))) - 1)
    return f"{value:.{min(digits, 4)}f}"


def _named(name: str) -> str:
    return name.replace("_px", "").replace("_bytes", "").replace("_", " ").replace(".", ": ")


def _why(photograph: bytes | Refused) -> str:
    return f"{photograph.code}: {photograph}" if isinstance(photograph, Refused) else "not readable"


def shrunk(picture: bytes | Refused, side_px: int) -> tuple[str, bytes] | None:
    """A picture no larger than it is seen, and its media type: WebP where it is transparent, else JPEG."""
    small = None if isinstance(picture, Refused) else thumbnail(picture, side_px)
    if small is None:
        return None
    buffer = io.BytesIO()
    if small.mode == "RGBA":
        small.save(buffer, "WEBP", quality=88)
        return "image/webp", buffer.getvalue()
    small.save(buffer, "JPEG", quality=88)
    return "image/jpeg", buffer.getvalue()


def _data(file: tuple[str, bytes]) -> str:
    return f"data:{file[0]};base64,{base64.b64encode(file[1]).decode()}"


_SCRIPT = """
for (const frame of document.querySelectorAll('article .frame[tabindex]')) {
  const swap = () => frame.classList.toggle('before');
  frame.addEventListener('click', swap);
  frame.addEventListener('keydown', event => {
    if (event.key === 'Enter' || event.key === ' ') { event.preventDefault(); swap(); }
  });
}
"""

_STYLE = """
:root { color-scheme: light dark; --ink: #17181c; --soft: #62666f; --line: #e3e4e8; --page: #f5f5f6; --card: #fff;
  --pass: #17784a; --review: #9a5b00; --fail: #bb2f37; --none: #6a6e79; --check: #e9eaee; }
@media (prefers-color-scheme: dark) { :root { --ink: #edeef1; --soft: #9ca0aa; --line: #2b2e35; --page: #101216;
  --card: #191b20; --pass: #62cf97; --review: #efb45e; --fail: #ff8c8f; --none: #a2a6b1; --check: #25282e; } }
* { box-sizing: border-box; margin: 0; }
body { font: 15px/1.45 system-ui, -apple-system, "Segoe UI", sans-serif; color: var(--ink); background: var(--page);
  padding: clamp(1rem, 4vw, 3rem); max-width: 1600px; margin: auto; }
header { display: flex; flex-wrap: wrap; align-items: baseline; gap: .3rem 1.5rem; margin-bottom: 1.25rem; }
h1 { font-size: 1.5rem; font-weight: 650; letter-spacing: -.02em; overflow-wrap: anywhere; }
.legend { list-style: none; padding: 0; display: flex; flex-wrap: wrap; gap: .25rem 1.1rem; }
.legend b { font-variant-numeric: tabular-nums; }
.pass { color: var(--pass); } .review { color: var(--review); } .fail { color: var(--fail); }
.none { color: var(--none); }
section { display: grid; grid-template-columns: minmax(150px, 220px) 1fr; gap: 1.75rem; padding: 1.5rem 0;
  border-top: 1px solid var(--line); }
.product { align-self: start; position: sticky; top: 1rem; }
.product p { color: var(--soft); font-size: .85rem; overflow-wrap: anywhere; }
h2 { font-size: 1rem; font-weight: 600; margin-top: .6rem; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(230px, 1fr)); gap: 1.5rem 1.25rem; }
article { min-width: 0; }
.frame { position: relative; aspect-ratio: 1; display: grid; place-items: center; overflow: hidden;
  border-radius: 14px; background: var(--card) center / contain no-repeat; box-shadow: 0 0 0 1px var(--line); }
.frame p { padding: 1rem; font-size: .85rem; overflow-wrap: anywhere; }
.frame[tabindex] { cursor: pointer; }
.frame img { position: absolute; inset: 0; width: 100%; height: 100%; object-fit: contain; }
.frame.clear { background: repeating-conic-gradient(var(--check) 0 25%, var(--card) 0 50%) 0 0 / 22px 22px; }
.corner { position: absolute; left: 8px; bottom: 8px; width: 19%; aspect-ratio: 1; border-radius: 9px;
  background: var(--card) center / cover no-repeat; box-shadow: 0 0 0 2px var(--card), 0 1px 6px #0005; }
.before .corner { inset: 0; width: 100%; border-radius: 0; background-size: contain; box-shadow: none; }
.before img { z-index: 1; inset: auto auto 8px 8px; width: 19%; height: auto; aspect-ratio: 1; border-radius: 9px;
  background: var(--card); box-shadow: 0 0 0 2px var(--card), 0 1px 6px #0005; }
.title { display: flex; align-items: baseline; justify-content: space-between; gap: .75rem; margin-top: .6rem; }
h3 { font-size: .92rem; font-weight: 600; overflow-wrap: anywhere; }
.verdict { font-size: .82rem; white-space: nowrap; }
.verdict::before { content: ""; display: inline-block; width: .5rem; height: .5rem; border-radius: 50%;
  background: currentColor; margin-right: .4rem; }
.size, .complaint { font-size: .82rem; color: var(--soft); }
.complaint.review { color: var(--review); } .complaint.fail { color: var(--fail); }
details { font-size: .82rem; margin-top: .35rem; color: var(--soft); }
summary { cursor: pointer; padding: .3rem 0; }
h4 { font-size: .82rem; font-weight: 600; color: var(--ink); margin: .4rem 0 .15rem; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th { text-align: left; font-weight: 400; } td { text-align: right; color: var(--ink); }
th, td { padding: .13rem .4rem .13rem 0; border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }
td:last-child { padding-right: 0; } td + td { color: var(--soft); white-space: nowrap; }
.ruled td { color: var(--soft); }
@media (max-width: 680px) { section { grid-template-columns: 1fr; gap: 1.1rem; }
  .product { position: static; display: grid; grid-template-columns: 84px 1fr; gap: .9rem; align-items: center; }
  h2 { margin-top: 0; } .cards { grid-template-columns: 1fr; } summary { padding: .6rem 0; } }
@media (min-width: 430px) and (max-width: 680px) { .cards { grid-template-columns: 1fr 1fr; } }
@media print { section { break-inside: avoid; } .product { position: static; } }
"""


prepare(PreviewPicture, PreviewView)
