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
)


def checks(measures: Measures, _channel: Channel) -> list[Check]:
    """Of the product's texts, where the flow knows them."""
    return held(POINT, THRESHOLDS, measures)
