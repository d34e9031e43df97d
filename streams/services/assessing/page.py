"""The page of an assessment: what is wrong, how often, what of it was really mended, and what that would take.

The page holds all that it needs, and prints. Text of others is text.
"""

import base64
import io
from collections.abc import Callable, Iterable, Iterator, Sequence

from streams.services.assessing.assess import Assessment, Mended, Row, Shown
from streams.services.assessing.estimate import LOOK_MINUTES, Range
from streams.services.assessing.faults import KINDS, Fault, against
from streams.services.display.contact_sheet import escape, thumbnail

WORST_MAX = 40  # pictures on the page; the JSON beside it has them all
THUMBNAIL_PX = 360
_QUALITY = 82
Loader = Callable[[str], bytes | None]
OUTCOMES = {"pass": "goes live", "review": "a person looks", "fail": "would not go live", "none": "cannot be made"}


def page(found: Assessment, load: Loader) -> str:
    """The page. `load` gives the file of a picture by its address, or None."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Pictures of {escape(found.source)}</title><style>{_STYLE}</style></head><body>"
        f"<header><h1>What is wrong with the pictures</h1><p>{escape(found.source)}</p></header><main>"
        f"{_numbers(found)}{_table(found)}{_mended(found.mended)}{_money(found)}{_worst(found, load)}{_unread(found)}"
        "</main></body></html>\n"
    )


def _numbers(found: Assessment) -> str:
    share = f"{found.wrong / found.pictures:.0%}" if found.pictures else "0 %"
    numbers = (
        (f"{found.products:,}", "products"),
        (f"{found.pictures:,}", "pictures looked at"),
        (f"{found.wrong:,}", f"have a fault ({share})"),
        (f"{found.mendable:,}", "of them can be mended from the photograph that is there"),
    )
    return (
        '<ul class="numbers">'
        + "".join(f"<li><b>{number}</b>{escape(text)}</li>" for number, text in numbers)
        + "</ul>"
    )


def _table(found: Assessment) -> str:
    if not found.rows:
        return "<section><h2>Nothing is wrong</h2></section>"
    lines = "".join(_line(row) for row in found.rows)
    return (
        "<section><h2>By channel and rule</h2><table><thead><tr><th>channel</th><th>what is wrong</th>"
        "<th>typically (wanted)</th><th>pictures</th><th></th><th>mended by Packshot</th></tr></thead>"
        f"<tbody>{lines}</tbody></table></section>"
    )


def _line(row: Row) -> str:
    kind = KINDS[row.kind]
    mends = "yes" if kind.is_mended else "no: another photograph, or a person"
    bar = f'<span class="bar"><i style="width:{row.share:.1%}"></i></span>'
    return (
        f"<tr><th>{escape(row.channel)}</th><td>{escape(kind.text)}</td>"
        f"<td>{escape(against(row.median, row.limit))}</td><td class=n>{row.pictures:,}</td>"
        f"<td class=w>{bar} {row.share:.0%}</td><td>{mends}</td></tr>"
    )


def _mended(mended: Sequence[Mended]) -> str:
    if not mended:
        return ""
    passed = sum(each.outcome == "pass" for each in mended)
    cards = "".join(_pair(each) for each in mended)
    return (
        f"<section><h2>{len(mended)} of them, really made: {passed} would go live with nobody's look</h2>"
        f'<div class="pairs">{cards}</div></section>'
    )


def _pair(each: Mended) -> str:
    why = f'<p class="why">{escape(each.why)}</p>' if each.why else ""
    before, after = _image(each.before, "before"), _image(each.after, "after")
    return (
        f'<article><div class="pair">{before}{after}</div><h3>{escape(each.sku)}</h3>'
        f'<p class="{escape(each.outcome)}">{escape(each.channel)}: {OUTCOMES[each.outcome]}</p>{why}</article>'
    )


def _money(found: Assessment) -> str:
    estimate, its = found.estimate, found.business
    volume = "a month" if its.pictures_a_month is not None else "once, those above that can be mended"
    rows = (
        ("pictures", f"{estimate.pictures:,} {volume}"),
        ("hours by hand", _range(estimate.hours_by_hand)),
        ("hours here, of people who look", _range(estimate.hours_here)),
        (f"cost by hand, {estimate.currency}", _range(estimate.cost_by_hand)),
        (f"cost here, {estimate.currency}", _range(estimate.cost_here)),
        ("live with nobody's look", f"{estimate.passing.least:.0%} to {estimate.passing.most:.0%}"),
    )
    lines = "".join(f"<tr><th>{escape(name)}</th><td class=n>{escape(text)}</td></tr>" for name, text in rows)
    held = "".join(f"<li>{escape(each)}</li>" for each in its.bottlenecks)
    bottlenecks = f"<h3>What holds pictures up today</h3><ul>{held}</ul>" if held else ""
    note = (
        "By hand: the shop's own numbers where it gave them, else 30 to 120 minutes and 5 to 50 a picture. "
        f"Here: the 95 % interval of the sample above, {LOOK_MINUTES:g} minutes a look, which is assumed, an hour of "
        f"work at {its.hour_of_work:g}, and the processor's time as measured."
    )
    return (
        f"<section><h2>What it takes</h2><table>{lines}</table><p class=note>{escape(note)}</p>{bottlenecks}</section>"
    )


def _range(its: Range) -> str:
    least, most = f"{its.least:,.1f}", f"{its.most:,.1f}"
    return least if least == most else f"{least} to {most}"


def _worst(found: Assessment, load: Loader) -> str:
    worst = sorted(
        (each for each in found.shown if each.has_a_place), key=lambda each: (-_weight(each), each.sku, each.place)
    )
    cards = "".join(_card(each, load) for each in worst[:WORST_MAX] if _weight(each))
    left = sum(_weight(each) > 0 for each in worst) - WORST_MAX
    more = f"<p class=note>and {left:,} more, in assessment.json</p>" if left > 0 else ""
    return f'<section><h2>The worst</h2><div class="cards">{cards}</div>{more}</section>' if cards else ""


def _weight(shown: Shown) -> int:
    return sum(map(len, shown.faults.values()))


def _card(shown: Shown, load: Loader) -> str:
    picture = _image(load(shown.uri) if shown.seen is not None else None, f"{shown.sku}, picture {shown.place + 1}")
    lines = "".join(f"<li>{escape(each)}</li>" for each in _said(shown))
    return f"<article>{picture}<h3>{escape(shown.sku)} <small>{shown.place + 1}</small></h3><ul>{lines}</ul></article>"


def _said(shown: Shown) -> Iterable[str]:
    """Each fault in a line, with the channels that mind it."""
    channels: dict[Fault, list[str]] = {}
    for channel, faults in shown.faults.items():
        for fault in faults:
            channels.setdefault(fault, []).append(channel)
    for fault, names in channels.items():
        yield f"{', '.join(names)}: {_described(fault)}"


def _described(fault: Fault) -> str:
    measured = "" if fault.measured is None else f": {fault.measured:.4g}, the limit {fault.limit}"
    more = f" ({fault.text})" if fault.text else ""
    return f"{KINDS[fault.kind].text}{measured}{more}"


def _unread(found: Assessment) -> str:
    lines = "".join(f"<li>{escape(each)}</li>" for each in found.unread[:WORST_MAX])
    return f"<section><h2>{len(found.unread):,} lines could not be read</h2><ul>{lines}</ul></section>" if lines else ""


def _image(file: bytes | None, name: str) -> str:
    shrunk = small(file)
    if shrunk is None:
        return f'<div class="frame"><p>{escape(name)}: no picture</p></div>'
    data = base64.b64encode(shrunk).decode()
    return f'<div class="frame"><img alt="{escape(name)}" src="data:image/webp;base64,{data}"></div>'


def small(file: bytes | None) -> bytes | None:
    """A picture as the page shows it, WebP; None where there is none."""
    shrunk = thumbnail(file, THUMBNAIL_PX)
    if shrunk is None:
        return None
    buffer = io.BytesIO()
    shrunk.save(buffer, "WEBP", quality=_QUALITY)
    return buffer.getvalue()


def lines_of(found: Assessment) -> Iterator[dict[str, object]]:
    """Each picture with a fault, for programs."""
    for each in found.shown:
        if _weight(each):
            yield {"sku": each.sku, "place": each.place, "uri": each.uri, "seen": each.seen, "faults": each.faults}


_STYLE = """
:root { color-scheme: light dark; --ink: #17181c; --soft: #5f636d; --line: #e1e3e8; --page: #f6f6f7; --card: #fff;
  --pass: #17784a; --review: #8f5400; --fail: #bb2f37; --bar: #bb2f37; }
@media (prefers-color-scheme: dark) { :root { --ink: #edeef1; --soft: #a0a4ae; --line: #2b2e35; --page: #101216;
  --card: #191b20; --pass: #62cf97; --review: #efb45e; --fail: #ff8c8f; --bar: #ff8c8f; } }
* { box-sizing: border-box; margin: 0; }
body { font: 15px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif; color: var(--ink); background: var(--page);
  max-width: 1180px; margin: auto; padding: clamp(1rem, 4vw, 3rem); }
header p, .note, .why { color: var(--soft); overflow-wrap: anywhere; }
h1 { font-size: 1.7rem; letter-spacing: -.02em; } h2 { font-size: 1.15rem; margin-bottom: .7rem; }
h3 { font-size: .95rem; margin-top: .5rem; overflow-wrap: anywhere; } small { color: var(--soft); font-weight: 400; }
section { border-top: 1px solid var(--line); padding: 1.6rem 0; }
ul { padding-left: 1.1rem; }
.numbers { list-style: none; padding: 1.4rem 0; display: grid; gap: 1rem 2rem;
  grid-template-columns: repeat(auto-fit, minmax(170px, 1fr)); }
.numbers b { display: block; font-size: 2rem; line-height: 1.1; font-variant-numeric: tabular-nums; }
.numbers li { color: var(--soft); } .numbers b { color: var(--ink); }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th { text-align: left; font-weight: 500; } th, td { padding: .4rem .8rem .4rem 0; border-bottom: 1px solid var(--line);
  vertical-align: top; }
thead th { color: var(--soft); font-size: .85rem; } .n { text-align: right; } .w { white-space: nowrap; }
.bar { display: inline-block; width: 90px; height: .6rem; background: var(--line); border-radius: 4px;
  overflow: hidden; }
.bar i { display: block; height: 100%; background: var(--bar); }
.pairs { display: grid; gap: 1.4rem; grid-template-columns: repeat(auto-fill, minmax(330px, 1fr)); }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: .5rem; }
.cards { display: grid; gap: 1.4rem; grid-template-columns: repeat(auto-fill, minmax(215px, 1fr)); }
article { min-width: 0; } article ul, .why { font-size: .84rem; color: var(--soft); }
.frame { aspect-ratio: 1; display: grid; place-items: center; border-radius: 10px; overflow: hidden;
  background: var(--card); box-shadow: 0 0 0 1px var(--line); }
.frame img { width: 100%; height: 100%; object-fit: contain; }
.frame p { padding: .8rem; font-size: .8rem; color: var(--soft); }
.pass { color: var(--pass); } .review { color: var(--review); } .fail, .none { color: var(--fail); }
@media print { article, tr { break-inside: avoid; } body { background: none; } }
"""
