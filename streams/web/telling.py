"""How figures and moments are told on pages."""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

import msgspec

from schemas.records import Check
from streams.runtime.clock import now_ms
from streams.services.reports.quality import UNMEASURED, is_held

NANOS = 1_000_000_000
OUTCOMES = ("fail", "not_run", "review", "pass")
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
# What the checks are about, for people; one that is not here is told by its own name.
CHECKS = {
    "cutout.uncertainty": "Doubt about the cutout",
    "cutout.ground_rim": "Rim in the ground's colour",
    "cutout.ground_taken": "Ground left at the product",
    "cutout.product_left": "Product left on the ground",
    "cutout.odd_part": "A second thing beside it",
    "cutout.detail_scale": "Detail that the photograph holds",
    "moire": "Moiré",
    "alpha_partial_share": "Edge that is half see-through",
    "alpha_soft_share": "Product that is see-through",
    "alpha_open_rim_share": "Outline that is see-through",
    "alpha_coverage": "Share of the picture that is product",
    "cropped_edges": "Sides at which the product is cut off",
    "canvas_difference_max": "Evenness of the ground",
    "product_difference_mean": "Loss by the file's compression",
    "colour_difference_median": "Colour, to the photograph",
    "colour_difference_p95": "Colour, where it is off the most",
    "light_divided_delta_e": "Colour, but for the light on a virtual model",
    "landmark_asymmetry": "Evenness of the garment as it lay",
    "neck_contrast": "How sure its neckline is",
    "drape_stretch_p99": "Cloth, where it is stretched the most",
    "seam_off_shoulder_cm": "Seam beside the shoulder in cm",
    "print_stretch_p5": "Print, where it is smaller than it was",
    "print_stretch_p95": "Print, where it is larger than it was",
    "let_out": "Sides that are wider than photographed",
    "through_body_mm": "Cloth within the body in mm",
    "bare_share": "Garment that the body shows through",
    "product_delta_e_median": "Colour, by the scene or the style",
    "product_delta_e_p95": "Colour by the scene, where it is off the most",
    "width_px": "Width in px",
    "height_px": "Height in px",
    "fill": "Share of the frame that the product fills",
    "scale": "Enlargement",
    "size_bytes": "Size of the file in bytes",
    "format_allowed": "Format of the file",
    "background_as_channel": "Background, as the channel wants it",
    "background_exact_share": "Background that is pure",
    "background_near_share": "Background, as asked for",
    "cutout.person_share": "People in the picture",
    "cutout.overlay_words": "Words beside the product in the photograph",
    "cutout.watermark_words": "A watermark in the photograph",
    "same_marks": "Other photographs with the same words there",
    "text_lost": "Lines on the product that are gone",
    "text_edit_distance": "Letters on the product that differ",
    "text_x_height_px": "Height of the product's largest letters in px",
    "text_contrast_kept": "Contrast of the product's lettering",
    "codes_lost": "Codes on the product that read otherwise",
    "text_overlay_share": "Text beside the product",
    "texts_in_doubt": "The title, by the content policy",
    "look_ground": "Lightness of the ground, beside the shelf",
    "look_ground_warmth": "Warmth of the ground, beside the shelf",
    "look_margin": "Room about the product, beside the shelf",
    "look_scale": "Size of the product, beside the shelf",
    "look_light_x": "Light from the side, beside the shelf",
    "look_light_y": "Light from above or below, beside the shelf",
    "look_tone": "Lightness of the product, beside the shelf",
    "look_warmth": "Warmth of the product, beside the shelf",
    "has_scene": "A scene",
    "has_srgb_profile": "Colour profile",
    "has_source_type": "Note of how it was made",
    "upscaled_by": "Enlargement",
    "effective_dpi": "Resolution of the print",
    "print_ssim": "Print, as it was sent",
    "height_error": "Size of the product in the scene",
    "in_frame": "Product within the frame",
    "visible_share": "Product that can be seen",
}
_REASON = re.compile(r"(?P<name>[a-z][\w.]*) (?P<rest>is -?[\d.,e+-]+,? the limit .*|was not measured.*)", re.DOTALL)
_NUMBER = re.compile(r"\d+(?:\.\d+)?e[+-]?\d+|\d{5,}")


def ago(at_ms: int | None) -> str:
    """How long ago a moment was, or how far away it is."""
    if not at_ms:
        return "–"
    seconds = (now_ms() - at_ms) / 1000
    text = span(abs(seconds))
    return "just now" if text == "0 s" else f"{text} ago" if seconds > 0 else f"in {text}"


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


def worded(reason: str) -> str:
    """Why an asset stands where it does, where that is a check: told by what the check is about."""
    found = _REASON.fullmatch(reason)
    return reason if found is None else f"{check(found['name'])} {found['rest']}"


def size(count: int) -> str:
    """Bytes, in kB or MB."""
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.0f} kB"


def tally(values: Iterable[str]) -> dict[str, int]:
    """How often each value is there."""
    return dict(Counter(values))


def subject(line: Check) -> str:
    """What a line of a verdict is about."""
    return f"{line.point.capitalize()}, as a whole" if line.name == UNMEASURED else check(line.name)


def limit(text: str) -> str:
    """A limit with its large numbers as people write them."""
    return _NUMBER.sub(lambda found: f"{float(found[0]):,.10g}", text)


def doubtful(checks: Iterable[Check]) -> list[Check]:
    """Those for which a person has to look."""
    return [each for each in checks if each.outcome != "pass" and is_held(each)]


def worst_first(checks: Iterable[Check]) -> list[Check]:
    """Checks as people want to see them: what failed, what is doubtful, what passed; what was not measured last."""
    return sorted(checks, key=lambda each: (each.name == UNMEASURED, OUTCOMES.index(each.outcome)))


def built_ins(records: Any) -> Any:
    """Records as what JSON is made of."""
    return msgspec.to_builtins(records)


def readable(value: Any) -> str:
    """A value as JSON that people can read."""
    return json.dumps(value, indent=2, ensure_ascii=False)


FILTERS: dict[str, Callable[..., Any]] = {
    each.__name__: each
    for each in (
        subject,
        limit,
        doubtful,
        ago,
        span,
        moment,
        stamp,
        price,
        share,
        figure,
        check,
        worded,
        size,
        tally,
        worst_first,
        built_ins,
        readable,
    )
}
