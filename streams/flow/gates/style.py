"""Style: a picture looks as the others of its brand do."""

from schemas.channels import Channel
from schemas.records import Check
from streams.flow.gates import BY_EYE, Measures, Threshold, held

POINT = "style"

THRESHOLDS = (
    Threshold(
        measure="style_z",
        bound="≤",
        limit=3.5,
        unit="robust z-score of the distance to the brand",
        otherwise="review",
        where_measured=True,
        data="none: the usual bound of outliers (B. Iglewicz and D. Hoaglin, How to Detect and Handle Outliers, 1993)",
        command=BY_EYE,
    ),
)


def checks(measures: Measures, _channel: Channel) -> list[Check]:
    """Of a picture in a brand's style, where the brand was learnt from enough pictures."""
    return held(POINT, THRESHOLDS, measures)
