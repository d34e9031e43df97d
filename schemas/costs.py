"""Reckoning with costs."""

from collections.abc import Iterable

from schemas.records import Cost


def total(costs: Iterable[Cost]) -> Cost:
    """All of them together."""
    summed = Cost()
    for each in costs:
        summed = Cost(
            engine_ms=summed.engine_ms + each.engine_ms,
            cpu_ms=summed.cpu_ms + each.cpu_ms,
            bytes_in=summed.bytes_in + each.bytes_in,
            bytes_out=summed.bytes_out + each.bytes_out,
            price_nanos=summed.price_nanos + each.price_nanos,
        )
    return summed
