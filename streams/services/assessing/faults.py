"""What is wrong with a picture as it is shown, by the rules of its channel; and with a product's pictures together.

A product's first picture is held to all that a channel wants of a main image. The others may show the product in use,
close by or worn: they are held to size, file and sharpness.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median_low
from types import MappingProxyType

from gpu_workers.local.looking import Seen
from gpu_workers.quality.found import bits_apart
from schemas.channels import Channel
from schemas.records import Check
from streams.flow.gates import BY_EYE, Threshold, channel, edges, held, product
from streams.flow.gates.text import BANS

USUAL_FROM = 5  # products of a category, by eye: among fewer no number of pictures is usual
ALIKE_BITS_MAX, ALIKE_COLOUR_MAX = 3, 6  # of 64 bits, and of 255: the same picture in another size or file
SOFT = dataclasses.replace(edges.DETAIL, measure="detail_scale")
DAMAGED = Threshold(
    measure="jpeg_quality",
    bound="≥",
    limit=60,
    unit="of the IJG's scale, 1 to 100",
    otherwise="review",
    where_measured=True,
    data="none: below it blocks and rings are seen about a product on white",
    command=BY_EYE,
)
LAID_OVER = Threshold(
    measure="words_over",
    bound="≤",
    limit=0,
    unit="lines of text that lie over the picture, and not on the product",
    otherwise="review",
    where_measured=True,
    data="none: channels ban it",
    command=BY_EYE,
)
THRESHOLDS = (SOFT, DAMAGED, LAID_OVER)


@dataclass(frozen=True)
class Kind:
    """A kind of fault, in people's words, and whether Packshot makes a picture without it of the same photograph."""

    text: str
    is_mended: bool


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "background": Kind("not on the channel's background", True),
        "fill": Kind("too small or too large in the frame", True),
        "file_size": Kind("the file is too large", True),
        "format": Kind("the channel does not take this format", True),
        "too_large": Kind("more pixels than the channel takes", True),
        "colours": Kind("the colours are not sRGB's", True),
        "too_small": Kind("fewer pixels than the channel takes", False),
        "cropped": Kind("the picture's edge cuts the product off", False),
        "person": Kind("somebody can be seen", False),
        "text": Kind("words are laid over it", False),
        "soft": Kind("blurred, or enlarged", False),
        "damaged": Kind("damaged by compression", False),
        "unreadable": Kind("cannot be fetched or read", False),
        "missing": Kind("the product has no picture", False),
        "views": Kind("fewer pictures than advised or usual", False),
        "twice": Kind("the product shows it twice", False),
        "shared": Kind("another product shows the same file", False),
    }
)
OF_PRODUCTS = frozenset({"missing", "views"})  # of no picture that is there
_OF_CHECK = {
    "background_as_channel": "background",
    "background_exact_share": "background",
    "fill": "fill",
    "size_bytes": "file_size",
    "format_allowed": "format",
    "cropped_edges": "cropped",
    "cutout.person_share": "person",
    "words_over": "text",
    "detail_scale": "soft",
    "jpeg_quality": "damaged",
}


def against(median: float | None, limit: str) -> str:
    """What was measured, and in brackets what is wanted; "" where there is nothing to measure."""
    if median is None:
        return ""
    return f"{median:,.0f} ({limit})" if median >= 100 else f"{median:.3g} ({limit})"


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong: its kind, the rule that says so, and what was measured against its limit."""

    kind: str
    rule: str = ""
    measured: float | None = None
    limit: str = ""
    text: str = ""


def of_picture(seen: Seen, rules: Channel, *, is_main: bool) -> list[Fault]:
    """What is wrong with one picture, a fault a kind."""
    measures = _measures(seen, rules, is_main=is_main)
    checks = [*channel.checks(measures, rules), *held("product", (product.CROPPED,), measures)]
    checks += held("edges", THRESHOLDS, measures)
    found = {kind: _fault(kind, check) for check in checks if (kind := _kind(check)) is not None}
    if not seen.is_srgb:
        found["colours"] = Fault("colours", rules.rule_version)
    return list(found.values())


def of_product(pictures: Mapping[int, Seen]) -> dict[int, Fault]:
    """Which of a product's pictures, by their places, are as good as an earlier one of them."""
    found = {}
    for place, each in pictures.items():
        earlier = next((other for other, one in pictures.items() if other < place and _are_alike(one, each)), None)
        if earlier is not None:
            found[place] = Fault("twice", text=f"as picture {earlier + 1}")
    return found


def usual(counts: Mapping[str, Sequence[int]]) -> dict[str, int]:
    """By category how many pictures half of its products show at least, by how many each shows; 1 of a few products."""
    return {each: median_low(many) if len(many) >= USUAL_FROM else 1 for each, many in counts.items()}


def of_views(shown: int, usual: int, rules: Channel) -> Fault | None:
    """What is missing of a product that is shown in so many different pictures, where `usual` are usual in its shop."""
    advised = rules.pictures_advised
    if not 0 < shown < max(advised, usual):
        return None
    if advised >= usual:
        return Fault("views", rules.rule_version, float(shown), f"≥ {advised}", "which the channel advises")
    return Fault("views", "", float(shown), f"≥ {usual}", "which half of the shop's others of its category have")


def _measures(seen: Seen, rules: Channel, *, is_main: bool) -> dict[str, float]:
    file = {
        "width_px": float(seen.width_px),
        "height_px": float(seen.height_px),
        "size_bytes": float(seen.size_bytes),
        "format_allowed": float(seen.media_type.removeprefix("image/") in rules.formats),
    }
    own = {name: seen.measures[name] for name in ("detail_scale", "jpeg_quality")}
    if not is_main:
        return file | own
    return file | own | _of_main(seen.measures, rules)


def _of_main(measures: Mapping[str, float], rules: Channel) -> dict[str, float]:
    found = {
        "fill": measures["fill"],
        "cropped_edges": measures["cropped_edges"],
        "cutout.person_share": measures["person_share"],
    }
    if not BANS.isdisjoint(rules.bans):
        found["words_over"] = measures["words_over"]
    if rules.background_required and rules.background is not None:
        wanted = [int(rules.background[place : place + 2], 16) for place in (1, 3, 5)]
        shown = [measures.get(f"ground_{name}", -1.0) for name in ("red", "green", "blue")]
        found["background_as_channel"] = float(shown == wanted)
        found["background_exact_share"] = measures.get("ground_exact_share", 0.0)
    return found


def _kind(check: Check) -> str | None:
    if check.outcome not in ("fail", "review") or check.measured is None:
        return None
    if check.name in ("width_px", "height_px"):
        return "too_small" if check.limit.startswith("≥") else "too_large"
    return _OF_CHECK.get(check.name)


def _fault(kind: str, check: Check) -> Fault:
    return Fault(kind, check.rule, check.measured, check.limit)


def _are_alike(one: Seen, other: Seen) -> bool:
    if one.sha256 == other.sha256:
        return True
    is_near = max(abs(a - b) for a, b in zip(one.colour, other.colour, strict=True)) <= ALIKE_COLOUR_MAX
    return is_near and bits_apart(one.looks_like, other.looks_like) <= ALIKE_BITS_MAX


def shared(by_product: Mapping[str, Mapping[int, Seen]]) -> dict[tuple[str, int], Fault]:
    """Which pictures, by SKU and place, are the very file that an earlier product shows."""
    first: dict[str, str] = {}
    found = {}
    for sku, pictures in by_product.items():
        for place, each in pictures.items():
            other = first.setdefault(each.sha256, sku)
            if other != sku:
                found[sku, place] = Fault("shared", text=f"as {other}")
    return found
