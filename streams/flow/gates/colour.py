"""Colour: the product has the colours of its photograph."""

from schemas.channels import Channel
from schemas.records import Check
from streams.flow.gates import BY_EYE, BY_PLANTING, PLANTED, Measures, Threshold, held

POINT = "colour"

MEDIAN_MAX = 1.8  # ΔE00

THRESHOLDS = (
    Threshold(
        measure="product_difference_mean",
        bound="≤",
        limit=5,
        unit="of 255, file to canvas",
        otherwise="fail",
        data="cloth of the sample catalogue: JPEG at its best adds up to 4.3 to fine one",
        command=BY_EYE,
    ),
    Threshold(
        measure="colour_difference_median",
        bound="≤",
        limit=MEDIAN_MAX,
        unit="ΔE00 to the source",
        otherwise="review",
        fails=3,
        data="eight good rendered packshots: .85 at most; beyond, a buyer holds another colour in hand",
        command=BY_PLANTING,
    ),
    Threshold(
        measure="colour_difference_p95",
        bound="≤",
        limit=4,
        unit="ΔE00 to the source",
        otherwise="review",
        data="eight good rendered packshots: 3.0 at most; beyond, a part has another colour",
        command=BY_PLANTING,
    ),
    Threshold(
        measure="print_de00_median",
        bound="≤",
        limit=MEDIAN_MAX,
        unit="ΔE00 to what was sent to be printed",
        otherwise="review",
        where_measured=True,
        data="none of its own: what the colour of a packshot may be off",
        command=BY_EYE,
    ),
    Threshold(
        measure="product_delta_e_median",
        bound="≤",
        limit=2,
        unit="ΔE00; what a scene or a brand's style may do to a product",
        otherwise="fail",
        where_measured=True,
        data="none: more is seen by who compares it with the packshot beside it",
        command=BY_EYE,
    ),
    Threshold(
        measure="product_delta_e_p95",
        bound="≤",
        limit=4,
        unit="ΔE00; what a scene or a brand's style may do to a product",
        otherwise="review",
        where_measured=True,
        data="none of its own: what the colour of a packshot may be off",
        command=BY_EYE,
    ),
    Threshold(
        measure="light_divided_delta_e",
        bound="≤",
        limit=2,
        unit="ΔE00 to the photograph, what a virtual model's light does divided out",
        otherwise="review",
        where_measured=True,
        data="none: more is seen by who compares it with the packshot beside it",
        command=BY_EYE,
    ),
    Threshold(
        measure="block_delta_e_p95",
        bound="≤",
        limit=1.0,
        unit="ΔE00 of blocks' mean colours to the source's",
        otherwise="review",
        where_measured=True,
        data=PLANTED,
        command=BY_PLANTING,
    ),
    Threshold(
        measure="block_delta_e_max",
        bound="≤",
        limit=3.0,
        unit="ΔE00, of the block that differs the most",
        otherwise="review",
        where_measured=True,
        data=PLANTED,
        command=BY_PLANTING,
    ),
    Threshold(
        measure="hue_shift_deg",
        bound="≤",
        limit=1.5,
        unit="degrees, all to one side",
        otherwise="review",
        where_measured=True,
        data=PLANTED,
        command=BY_PLANTING,
    ),
    Threshold(
        measure="levels_kept",
        bound="≥",
        limit=0.9,
        unit="of the steps of grey that there should be; fewer are bands",
        otherwise="review",
        where_measured=True,
        data=PLANTED,
        command=BY_PLANTING,
    ),
    Threshold(
        measure="clipped_added",
        bound="≤",
        limit=0.005,
        unit="share of the product that became black or white",
        otherwise="review",
        where_measured=True,
        data=PLANTED,
        command=BY_PLANTING,
    ),
    Threshold(
        measure="chroma_error",
        bound="≤",
        limit=8.0,
        unit="of 255, where colours bleed the most",
        otherwise="review",
        where_measured=True,
        data=PLANTED,
        command=BY_PLANTING,
    ),
)


def checks(measures: Measures, _channel: Channel) -> list[Check]:
    """Of every picture; of artwork on a product; of a product in a scene or in a brand's style."""
    return held(POINT, THRESHOLDS, measures)
