"""Text: what is written on a product is legible and as it was, and nothing is written over the picture.

An artwork's print has no text that is compared; verdicts say so, and that the point was not measured.
"""

from schemas.channels import Channel
from schemas.records import Check
from streams.flow.gates import BY_EYE, GATES, Measures, Threshold, at_most, held

POINT = "text"

BANS = frozenset({"text", "overlay", "watermark"})
OVERLAY_SHARE_MAX = 0.0005  # of a picture: a word of 60 by 20 px in one of 1,600 px

THRESHOLDS = (
    Threshold(
        measure="cutout.overlay_words",
        bound="≤",
        limit=0,
        unit="lines of text beside the product on its plain ground",
        otherwise="review",
        where_measured=True,
        data="none: a supplier's picture with words laid over it is for a person",
        command=BY_EYE,
    ),
    Threshold(
        measure="cutout.watermark_words",
        bound="≤",
        limit=0,
        unit="lines of text across the product's outline, or repeated over the picture",
        otherwise="review",
        where_measured=True,
        data="none: the picture may be another's",
        command=BY_EYE,
    ),
    Threshold(
        measure="same_marks",
        bound="≤",
        limit=2,
        unit="other products of the tenant with the same words at the same place of their photographs",
        otherwise="review",
        where_measured=True,
        data="none: of three products it is chance or a set's name",
        command=BY_EYE,
    ),
    Threshold(
        measure="text_lost",
        bound="≤",
        limit=0,
        unit="lines that cannot be read any more",
        otherwise="fail",
        where_measured=True,
        data="none: what was written on a product is there or not",
        command=BY_EYE,
    ),
    Threshold(
        measure="text_edit_distance",
        bound="≤",
        limit=0,
        unit="characters of a line, read as small in the photograph",
        otherwise="review",
        where_measured=True,
        data="none: the same words",
        command=BY_EYE,
    ),
    Threshold(
        measure="text_x_height_px",
        bound="≥",
        limit=8,
        unit="px, of the largest line",
        otherwise="review",
        where_measured=True,
        data="none: smaller letters are read by guessing",
        command=BY_EYE,
    ),
    Threshold(
        measure="text_contrast_kept",
        bound="≥",
        limit=0.75,
        unit="of the contrast that a line has in the photograph",
        otherwise="review",
        where_measured=True,
        data="none",
        command=BY_EYE,
    ),
    Threshold(
        measure="codes_lost",
        bound="≤",
        limit=0,
        unit="codes that could be read at that size",
        otherwise="fail",
        where_measured=True,
        data="none: a code says the same or not",
        command=BY_EYE,
    ),
)


def checks(measures: Measures, channel: Channel) -> list[Check]:
    """Of every picture of a cutout; of what a scene or a template may bring in, where the channel bans text."""
    return [*held(POINT, THRESHOLDS, measures), *_beside(measures, channel)]


def _beside(measures: Measures, channel: Channel) -> list[Check]:
    """Text beside the product, where something may have brought it in; not looked for there, it did not pass."""
    name, is_brought_in = "text_overlay_share", measures.get("has_scene") == 1 or "print_ssim" in measures
    if BANS.isdisjoint(channel.bans) or not (is_brought_in or name in measures):
        return []
    if name not in measures:
        return [Check(point=POINT, name=name, outcome="review", limit="measured", rule=GATES)]
    return [at_most(POINT, name, measures, OVERLAY_SHARE_MAX, "fail", channel.rule_version)]
