"""How figures and moments are told on pages."""

import json
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from schemas.records import Check
from streams.runtime.clock import now_ms

NANOS = 1_000_000_000
OUTCOMES = ("fail", "review", "not_run", "pass")
UNITS = ((86_400, "d"), (3600, "h"), (60, "min"))
# The states of an asset as pages call them, in the order in which they are shown.
STATES = {
    "published": "live",
    "publishing": "going live",
    "planned": "in the making",
    "review": "to review",
    "rejected": "rejected",
    "failed": "failed",
    "leaving": "leaving",
}
# What the checks say, for people; one that is not here is told by its own name.
CHECKS = {
    "cutout.uncertainty": "The cutout may be wrong",
    "alpha_partial_share": "Much of the edge is half see-through",
    "alpha_soft_share": "Much of the product is see-through",
    "alpha_open_rim_share": "The outline is see-through",
    "alpha_coverage": "There is hardly any product",
    "cropped_edges": "The product is cut off",
    "canvas_difference_max": "The ground is not even",
    "product_difference_mean": "The file differs from what was made",
    "colour_difference_median": "The colour is off",
    "colour_difference_p95": "Some colours are off",
    "product_delta_e_median": "The scene changes the product's colour",
    "product_delta_e_p95": "The scene changes some of the product's colours",
    "width_px": "The width",
    "height_px": "The height",
    "fill": "How much of the frame the product fills",
    "scale": "The product is enlarged",
    "size_bytes": "The file's size",
    "format_allowed": "The file's format",
    "background_as_channel": "The background is not the channel's",
    "background_exact_share": "The background is not pure",
    "background_near_share": "The background is not as asked for",
    "cutout.person_share": "A person is in the picture",
    "has_scene": "The channel takes no scenes",
    "has_srgb_profile": "The colour profile",
    "has_source_type": "What the file says of its making",
    "upscaled_by": "The picture is enlarged",
    "effective_dpi": "The print is too coarse",
    "print_ssim": "The print is not as sent",
    "height_error": "The product's size in the scene",
    "in_frame": "The product leaves the frame",
    "visible_share": "The product is hidden",
}


def ago(at_ms: int | None) -> str:
    """How long ago a moment was, or how far away it is."""
    if not at_ms:
        return "–"
    seconds = (now_ms() - at_ms) / 1000
    told = span(abs(seconds))
    return "just now" if told == "0 s" else f"{told} ago" if seconds > 0 else f"in {told}"


def span(seconds: float) -> str:
    """A time as people say it: the largest unit that fits."""
    for size, unit in UNITS:
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def moment(at_ms: int | None) -> str:
    """A moment, to the minute, in UTC."""
    return "–" if not at_ms else f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d %H:%M}"


def stamp(at_ms: int | None) -> str:
    """A moment for machines, of an HTML time."""
    return "" if not at_ms else f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"


def price(nanos: float | None) -> str:
    """Billionths of a currency as its whole units, with as many digits as say something."""
    if nanos is None:
        return "–"
    value = nanos / NANOS
    return f"{value:,.2f}" if value >= 1 else f"{value:.5f}" if value else "0"


def share(part: float, whole: float) -> str:
    """A part of a whole, in per cent."""
    return f"{part / whole:.0%}" if whole else "–"


def figure(value: float | None) -> str:
    """A measured figure, with three significant digits."""
    if value is None:
        return "not measured"
    return f"{value:,.0f}" if abs(value) >= 1000 or value == int(value) else f"{value:.3g}"


def check(name: str) -> str:
    """What a check is about, for people."""
    return CHECKS.get(name, name.replace("_", " ").replace(".", ": "))


def size(count: int) -> str:
    """Bytes, in kB or MB."""
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.0f} kB"


def tally(values: Iterable[str]) -> dict[str, int]:
    """How often each value is there."""
    return dict(Counter(values))


def worst_first(checks: Iterable[Check]) -> list[Check]:
    """Checks as people want to see them: what failed, what is doubtful, what was not run, what passed."""
    return sorted(checks, key=lambda each: OUTCOMES.index(each.outcome))


def readable(value: Any) -> str:
    """A value as JSON that people can read."""
    return json.dumps(value, indent=2, ensure_ascii=False)


FILTERS: dict[str, Callable[..., Any]] = {
    each.__name__: each
    for each in (ago, span, moment, stamp, price, share, figure, check, size, tally, worst_first, readable)
}
