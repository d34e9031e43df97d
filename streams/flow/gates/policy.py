"""Policy: nothing that must not be said. Titles are measured in the flow; who is seen is for the channel's rules."""

from schemas.channels import Channel
from schemas.records import Check
from streams.flow.gates import BY_EYE, Measures, Threshold, held

POINT = "policy"
THRESHOLDS = (
    Threshold(
        measure="texts_in_doubt",
        bound="≤",
        limit=0,
        unit="rules of the content policy that want a person to read the title",
        otherwise="review",
        where_measured=True,
        data="300 texts in six languages, tests/schemas/policy_cases.yaml",
        command=BY_EYE,
    ),
    Threshold(
        measure="cutout.picture_doubt",
        bound="≤",
        limit=0.5,
        unit="how likely a photograph is of a doubtful class, by a network of the operator's own",
        otherwise="review",
        where_measured=True,
        data="none: more likely than not; a network can only send to a person",
        command=BY_EYE,
    ),
    Threshold(
        measure="cutout.picture_doubt_bare",
        bound="≤",
        limit=0.9,
        unit="the same, of what is worn on the skin",
        otherwise="review",
        where_measured=True,
        data="none: photographs of underwear and swimwear show skin, or a mannequin of its colour",
        command=BY_EYE,
    ),
    Threshold(
        measure="label_off",
        bound="≤",
        limit=12,
        unit="of 255, in the mean, by which the label in the file differs from the one that was written",
        otherwise="fail",
        where_measured=True,
        data="none: JPEG 70 of one changes less, and one that is not there more than 100",
        command=BY_EYE,
    ),
)


def checks(measures: Measures, _channel: Channel) -> list[Check]:
    """Of the product's texts, where the flow knows them."""
    return held(POINT, THRESHOLDS, measures)
