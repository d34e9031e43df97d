"""Light: shadows lie where their light says, touch what throws them, and are whole. Plain white has neither."""

from schemas.channels import Channel
from schemas.records import Check
from streams.flow.gates import BY_EYE, BY_PLANTING, PLANTED, Measures, Threshold, held

POINT = "light"

THRESHOLDS = (
    Threshold(
        measure="lighting_made",
        bound="≥",
        limit=1,
        unit="1 when the light that was asked for was made",
        otherwise="review",
        where_measured=True,
        data="none: what was asked for is there or not",
        command=BY_EYE,
    ),
    Threshold(
        measure="shadow_made",
        bound="≥",
        limit=1,
        unit="1 when the shadow that was asked for was made",
        otherwise="review",
        where_measured=True,
        data="none: what was asked for is there or not",
        command=BY_EYE,
    ),
    Threshold(
        measure="shadow_azimuth_error_deg",
        bound="≤",
        limit=20,
        unit="degrees",
        otherwise="review",
        fails=35,
        where_measured=True,
        data="eight good rendered packshots: 7.5 at most; shadows turned by 25 degrees: 22 at least",
        command=BY_PLANTING,
    ),
    Threshold(
        measure="shadow_edge_share",
        bound="≤",
        limit=0.05,
        unit="share of the product's width",
        otherwise="review",
        where_measured=True,
        data="none is kept: soft shadows that were seen to be cut off had .067 and more",
        command=BY_EYE,
    ),
    Threshold(
        measure="contact_darkening",
        bound="≥",
        limit=0.08,
        unit="share of the light of the ground, where the product stands",
        otherwise="review",
        where_measured=True,
        data="eight good rendered packshots: .34 at least; a product 1 % of its height above the ground: .007 at most",
        command=BY_PLANTING,
    ),
    Threshold(
        measure="contact_gap",
        bound="≤",
        limit=0.03,
        unit="share of the product's height; what hovers has its shadow below it",
        otherwise="review",
        where_measured=True,
        data="none: what is farther above its shadow hovers",
        command=BY_EYE,
    ),
    Threshold(
        measure="shadow_explained",
        bound="≥",
        limit=0.65,
        unit="of the shadow that one light explains; less where there are two, or one is cut off",
        otherwise="review",
        where_measured=True,
        data=PLANTED,
        command=BY_PLANTING,
    ),
    Threshold(
        measure="ground_difference",
        bound="≤",
        limit=3.0,
        unit="of 255, where the ground differs the most from what is to be behind",
        otherwise="review",
        where_measured=True,
        data=PLANTED,
        command=BY_PLANTING,
    ),
)


def checks(measures: Measures, _channel: Channel) -> list[Check]:
    """Of what there is of light and shadow."""
    return held(POINT, THRESHOLDS, measures)
