"""Text: what is written on a product is legible and as it was. Nothing measures it yet, and verdicts say so."""

from schemas.channels import Channel
from schemas.records import Check
from streams.flow.gates import Measures, Threshold

POINT = "text"
THRESHOLDS: tuple[Threshold, ...] = ()


def checks(_measures: Measures, _channel: Channel) -> list[Check]:
    """None: the point is told as not measured."""
    return []
