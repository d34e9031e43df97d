"""Style: a picture looks as the others of its brand do, and as those beside it on its shelf."""

from collections.abc import Iterator
from dataclasses import dataclass

from schemas.channels import Channel
from schemas.records import Check, CheckOutcome
from streams.flow.gates import BY_EYE, Measures, Threshold, held

POINT = "style"

Z_MAX = 3.5  # the usual bound of outliers: B. Iglewicz and D. Hoaglin, How to Detect and Handle Outliers, 1993
SHELF_MIN = 12  # pictures, by eye: of fewer the median deviation is a guess

THRESHOLDS = (
    Threshold(
        measure="style_z",
        bound="≤",
        limit=Z_MAX,
        unit="robust z-score of the distance to the brand",
        otherwise="review",
        where_measured=True,
        data="none: the usual bound of outliers (B. Iglewicz and D. Hoaglin, How to Detect and Handle Outliers, 1993)",
        command=BY_EYE,
    ),
)


@dataclass(frozen=True, kw_only=True)
class Look:
    """What of a picture is held against its shelf. `seen_from`, in `unit` and by eye, is the least spread that counts:
    where all are the same, what differs by less than a few of it is not seen."""

    measure: str
    seen_from: float
    unit: str


LOOKS = (
    Look(measure="look_ground", seen_from=0.5, unit="L*"),
    Look(measure="look_ground_warmth", seen_from=0.5, unit="b*"),
    Look(measure="look_margin", seen_from=0.01, unit="share of the side"),
    Look(measure="look_scale", seen_from=0.03, unit="share of the picture"),
    Look(measure="look_light_x", seen_from=3.0, unit="L*"),
    Look(measure="look_light_y", seen_from=3.0, unit="L*"),
    Look(measure="look_tone", seen_from=4.0, unit="L*"),
    Look(measure="look_warmth", seen_from=4.0, unit="b*"),
)


def checks(measures: Measures, _channel: Channel) -> list[Check]:
    """Of a picture in a brand's style, where the brand was learnt from enough pictures; of one on a shelf."""
    return [*held(POINT, THRESHOLDS, measures), *against_shelf(measures)]


def against_shelf(measures: Measures) -> Iterator[Check]:
    """How a picture looks beside those on its shelf; on one with too few it says so, and demands nothing."""
    version, pictures = measures.get("shelf.version", 0.0), measures.get("shelf.pictures", 0.0)
    for look in LOOKS:
        if look.measure in measures:
            yield _too_few(look, measures, pictures) if pictures < SHELF_MIN else _beside(look, measures, version)


def bounds(look: Look, median: float, spread: float) -> tuple[float, float]:
    """From where to where a measure is as on its shelf: the robust z-score is Z_MAX at both."""
    reach = Z_MAX * max(spread, look.seen_from)
    return median - reach, median + reach


def _too_few(look: Look, measures: Measures, pictures: float) -> Check:
    limit = f"{SHELF_MIN} pictures on the shelf; {pictures:.0f} are"
    return Check(point=POINT, name=look.measure, outcome="not_run", measured=measures[look.measure], limit=limit)


def _beside(look: Look, measures: Measures, version: float) -> Check:
    measured, rule = measures[look.measure], f"shelf@{version:.0f}"
    median, spread = (measures.get(f"shelf.{look.measure}.{name}") for name in ("median", "spread"))
    if median is None or spread is None:  # no picture on the shelf has it
        return Check(point=POINT, name=look.measure, outcome="not_run", measured=measured, rule=rule)
    least, most = bounds(look, median, spread)
    is_within = least <= measured <= most
    limit = f"{least:.3g}..{most:.3g} as on the shelf"
    outcome: CheckOutcome = "pass" if is_within else "review"
    return Check(point=POINT, name=look.measure, outcome=outcome, measured=measured, limit=limit, rule=rule)
