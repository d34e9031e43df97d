"""Edges: the cutout is good, its edge is neither a guess nor a ghost, and the picture as sharp as it should be."""

from schemas.channels import Channel
from schemas.records import Check
from schemas.uncertainty import Weights, weighed
from streams.flow.gates import BY_EYE, BY_PLANTING, PLANTED, Measures, Threshold, at_most, held

POINT = "edges"

UNCERTAINTY_MAX = 0.25  # the likelihood that a person would not take the cutout
PARTIAL_SHARE_MAX = 0.5  # of the solid pixels

UNCERTAINTY = Threshold(
    measure="cutout.uncertainty",
    bound="≤",
    limit=UNCERTAINTY_MAX,
    unit="likelihood that the cutout is no good, 0..1",
    otherwise="review",
    data="the sample catalogue's photographs and composites of its products, two of three; .96 of what passes is good. "
    "The limit was chosen by eye, and the weights of the measure were fitted to it",
    command="make calibrate-cutout",
)
PARTIAL_SHARE = Threshold(
    measure="alpha_partial_share",
    bound="≤",
    limit=PARTIAL_SHARE_MAX,
    unit="share of the solid pixels",
    otherwise="review",
    data="seven good rendered packshots: .15 at most; a glass 3.4, and is for a person",
    command=BY_PLANTING,
)
# A network's matte that is mostly partial is a guess; a supplier's says how see-through its panes are, which have a
# frame: what is see-through up to its outline is a ghost.
SOFT_SHARE = Threshold(
    measure="alpha_soft_share",
    bound="≤",
    limit=PARTIAL_SHARE_MAX,
    unit="share of the solid pixels",
    otherwise="review",
    data="seven good rendered packshots: .15 at most; a glass 3.0, and is for a person",
    command=BY_PLANTING,
)
OPEN_RIM_SHARE = Threshold(
    measure="alpha_open_rim_share",
    bound="≤",
    limit=PARTIAL_SHARE_MAX,
    unit="share of the outline",
    otherwise="review",
    data="eight good rendered packshots: .14 at most, of a glass",
    command=BY_PLANTING,
)
COVERAGE = Threshold(
    measure="alpha_coverage",
    bound="≥",
    limit=0.01,
    unit="share of the canvas that is solid",
    otherwise="review",
    data="none: less is a speck",
    command=BY_EYE,
)
# A photograph that is out of focus, or was enlarged: no picture of it can be sharper than it is.
DETAIL = Threshold(
    measure="cutout.detail_scale",
    bound="≥",
    limit=0.55,
    unit="of the photograph's size: it holds no more detail than one so much smaller",
    otherwise="review",
    where_measured=True,
    data="of 60 shop pictures and renders none is less; enlarged twice 50 are, 3 times or blurred by 2 px all",
    command=BY_EYE,
)
SHARPNESS = (
    DETAIL,
    Threshold(
        measure="detail_ratio",
        bound="≥",
        limit=0.85,
        unit="of the finest detail that there should be; less is blur",
        otherwise="review",
        where_measured=True,
        data=PLANTED,
        command=BY_PLANTING,
    ),
    Threshold(
        measure="blockiness",
        bound="≤",
        limit=0.2,
        unit="by how much steeper JPEG's blocks part than the source does there",
        otherwise="review",
        where_measured=True,
        data=PLANTED,
        command=BY_PLANTING,
    ),
    Threshold(
        measure="moire",
        bound="≤",
        limit=2.0,
        unit="of 255: the strongest wave that the source has not",
        otherwise="review",
        where_measured=True,
        data="three photographs of a real store: .17 at most; of drawn print JPEG 80 and noise of 5 leave less than "
        "1.5, a weave without a filter more than 10",
        command=BY_PLANTING,
    ),
)

PLANTED_IN_CUTOUTS = (
    "good cutouts of 14 rendered products, those held out among them, and of 15 pictures of a real store, and what "
    "faults of the third strength made of them; round numbers by eye, see Quality gates in loadtest"
)
LEFT = (
    Threshold(
        measure="cutout.ground_rim",
        bound="≤",
        limit=0.3,
        unit="of its outermost pixels that are the ground's colour: a halo",
        otherwise="review",
        where_measured=True,
        data=PLANTED_IN_CUTOUTS,
        command=BY_PLANTING,
    ),
    Threshold(
        measure="cutout.ground_taken",
        bound="≤",
        limit=1.0,
        unit="thousandths of it that are a patch of ground at its outline",
        otherwise="review",
        where_measured=True,
        data=PLANTED_IN_CUTOUTS,
        command=BY_PLANTING,
    ),
    Threshold(
        measure="cutout.product_left",
        bound="≤",
        limit=3.0,
        unit="thousandths of it that are a patch beside it which is neither ground nor shadow",
        otherwise="review",
        where_measured=True,
        data=PLANTED_IN_CUTOUTS,
        command=BY_PLANTING,
    ),
    Threshold(
        measure="cutout.odd_part",
        bound="≤",
        limit=0.0,
        unit="of its first part that a second one has, where they are no pair",
        otherwise="review",
        where_measured=True,
        data=PLANTED_IN_CUTOUTS,
        command=BY_PLANTING,
    ),
)

THRESHOLDS = (UNCERTAINTY, PARTIAL_SHARE, SOFT_SHARE, OPEN_RIM_SHARE, COVERAGE, *SHARPNESS, *LEFT)


def checks(measures: Measures, channel: Channel) -> list[Check]:
    """Of every picture; a supplier's own alpha is held to other limits than a network's."""
    has_own_alpha = measures.get("cutout.has_own_alpha") == 1
    shares = (SOFT_SHARE, OPEN_RIM_SHARE) if has_own_alpha else (PARTIAL_SHARE,)
    return [*_uncertainty(measures, channel), *held(POINT, (*shares, COVERAGE, *SHARPNESS, *LEFT), measures)]


def _uncertainty(measures: Measures, channel: Channel) -> list[Check]:
    """By the channel's own limit and weights where it has some, which people's decisions may have taught."""
    if channel.uncertainty_max is None and channel.uncertainty_weights is None:
        return held(POINT, (UNCERTAINTY,), measures)
    limit = UNCERTAINTY.limit if channel.uncertainty_max is None else channel.uncertainty_max
    shown = _weighed(measures, channel.uncertainty_weights)
    return [at_most(POINT, UNCERTAINTY.measure, shown, limit, UNCERTAINTY.otherwise, channel.rule_version)]


def _weighed(measures: Measures, weights: Weights | None) -> Measures:
    doubt = measures.get(UNCERTAINTY.measure)
    if weights is None or doubt is None:
        return measures
    return {**measures, UNCERTAINTY.measure: weighed(measures, doubt, weights)}
