"""Product: what is shown is what was photographed, whole, as large as it is, and printed as it was sent."""

from typing import Literal

from schemas.channels import Channel
from schemas.records import Check
from streams.flow.gates import BY_EYE, BY_PLANTING, PLANTED, Measures, Threshold, held

POINT = "product"

CANVAS_DIFFERENCE = Threshold(
    measure="canvas_difference_max",
    bound="≤",
    limit=2,
    unit="of 255",
    otherwise="fail",
    data="none: it is the invariant that a product's pixels are not changed",
    command=BY_EYE,
)
CROPPED = Threshold(
    measure="cropped_edges",
    bound="≤",
    limit=0,
    unit="edges of the photograph that cut the product off",
    otherwise="review",
    data="none: nothing of a product may be cut off",
    command=BY_EYE,
)
GARMENT_CROPPED = Threshold(
    measure="cutout.garment_cropped_edges",
    bound="≤",
    limit=0,
    unit="edges of the photograph that cut off what is worn",
    otherwise="review",
    data="none: nothing of a product may be cut off",
    command=BY_EYE,
)
FLOATING_CUTS = Threshold(
    measure="floating_cuts",
    bound="≤",
    limit=0,
    unit="such edges that lie within the canvas",
    otherwise="review",
    data="none: who is cut off is so by the picture's edge",
    command=BY_EYE,
)
SCENE = (
    Threshold(
        measure="in_frame",
        bound="≥",
        limit=1,
        unit="1 when all of it is",
        otherwise="review",
        where_measured=True,
        data="none: nothing of a product may be cut off",
        command=BY_EYE,
    ),
    Threshold(
        measure="visible_share",
        bound="≥",
        limit=0.6,
        unit="share of the product",
        otherwise="review",
        where_measured=True,
        data="none: of what is hidden by more than four tenths a buyer does not see what it is",
        command=BY_EYE,
    ),
    Threshold(
        measure="height_error",
        bound="≤",
        limit=0.05,
        unit="share of the height that it should have",
        otherwise="review",
        where_measured=True,
        data="none: more, and a product looks larger or smaller than it is beside what it stands with",
        command=BY_EYE,
    ),
)
PRINT = (
    Threshold(
        measure="print_ssim",
        bound="≥",
        limit=0.9,
        unit="SSIM of L* to what was sent",
        otherwise="review",
        where_measured=True,
        data="none: less, and fine lines or letters of what was sent are not in the print",
        command=BY_EYE,
    ),
    Threshold(
        measure="effective_dpi",
        bound="≥",
        limit=100,
        unit="dots per inch in print",
        otherwise="review",
        where_measured=True,
        data="none: fewer, and pixels show in the print at arm's length",
        command=BY_EYE,
    ),
)
LABEL = (
    Threshold(
        measure="label_over_product",
        bound="≤",
        limit=0,
        unit="share of the product that a label lies on",
        otherwise="review",
        where_measured=True,
        data="none: a label belongs beside the product",
        command=BY_EYE,
    ),
)
KEPT = (
    Threshold(
        measure="structure_kept",
        bound="≥",
        limit=0.95,
        unit="of the product's detail that is where it was",
        otherwise="review",
        where_measured=True,
        data=PLANTED,
        command=BY_PLANTING,
    ),
    Threshold(
        measure="structure_worst",
        bound="≥",
        limit=0.9,
        unit="the same, of the block that differs the most",
        otherwise="review",
        where_measured=True,
        data="six good rendered packshots: .976 at least, 15 of a real store .957; rendered ones as JPEG 80 .937",
        command=BY_PLANTING,
    ),
)
CLIP = (
    Threshold(
        measure="clip_loop_difference",
        bound="≤",
        limit=0,
        unit="of 255, the first frame to the last of a loop",
        otherwise="review",
        where_measured=True,
        data="none: a loop that does not close jumps",
        command=BY_EYE,
    ),
)


def _worn(measure: str, bound: Literal["≤", "≥"], limit: float, unit: str, data: str) -> Threshold:
    return Threshold(
        measure=measure,
        bound=bound,
        limit=limit,
        unit=unit,
        otherwise="review",
        where_measured=True,
        data=data,
        command=BY_EYE,
    )


WORN = (
    _worn("landmark_asymmetry", "≤", 0.08, "of the chest's width", "none: more, and a sleeve is folded or hidden"),
    _worn("neck_contrast", "≥", 1.0, "to an ordinary place", "none: less, and no neckline was found"),
    _worn("drape_stretch_p99", "≤", 1.8, "of an edge's length", "none: more, and cloth was torn or caught"),
    _worn("seam_off_shoulder_cm", "≤", 3, "cm", "none: more, and it has slid off a shoulder"),
    _worn("print_stretch_p5", "≥", 0.85, "of its length in the photograph", "none: less, and a circle is seen as none"),
    _worn("print_stretch_p95", "≤", 1.2, "of its length in the photograph", "none: more, and a circle is seen as none"),
    _worn("let_out", "≤", 1.2, "of the sides' width", "none: more, and a pattern at the sides is seen to be wider"),
    _worn("through_body_mm", "≤", 5, "mm", "none: deeper, and the body is seen through the cloth"),
    _worn(
        "bare_share", "≤", 1e-5, "share of the garment", "none: no body is seen through one; less is part of a pixel"
    ),
)

THRESHOLDS = (CANVAS_DIFFERENCE, CROPPED, GARMENT_CROPPED, FLOATING_CUTS, *SCENE, *PRINT, *LABEL, *KEPT, *CLIP, *WORN)


def checks(measures: Measures, channel: Channel) -> list[Check]:
    """Of every picture; of a product in a scene; of artwork on a product; of what a virtual model wears.

    A style that is laid over a picture moves nothing in it: of that picture counts what was measured before.
    """
    measures = {**_before(measures), **measures}
    limits = (CANVAS_DIFFERENCE, *_cropping(measures, channel), *SCENE, *PRINT, *LABEL, *KEPT, *CLIP, *WORN)
    return held(POINT, limits, measures)


def _before(measures: Measures) -> Measures:
    """What the steps that put a product on its ground measured of it, by the names that it has here."""
    return {
        limit.measure: measures[f"{step}.{limit.measure}"]
        for step in ("packshot", "mockup", "model")
        for limit in THRESHOLDS
        if f"{step}.{limit.measure}" in measures
    }


def _cropping(measures: Measures, channel: Channel) -> tuple[Threshold, ...]:
    """Nothing of a product may be cut off; of its wearer, where people may be seen, what ends at the picture's edge."""
    worn = (GARMENT_CROPPED, FLOATING_CUTS)
    if not channel.people or measures.get("cutout.worn") != 1 or any(each.measure not in measures for each in worn):
        return (CROPPED,)
    return worn
