"""Reckoning with costs."""

from collections.abc import Iterable

from schemas.records import Cost

WHOLE_MAX = 2**53  # of bytes and of nanos: far more than a task takes, and a thousand still add up in a database


def total(costs: Iterable[Cost]) -> Cost:
    """All of them together; whole numbers up to WHOLE_MAX."""
    summed = Cost()
    for each in costs:
        summed = Cost(
            engine_ms=summed.engine_ms + each.engine_ms,
            cpu_ms=summed.cpu_ms + each.cpu_ms,
            bytes_in=min(summed.bytes_in + each.bytes_in, WHOLE_MAX),
            bytes_out=min(summed.bytes_out + each.bytes_out, WHOLE_MAX),
            price_nanos=min(summed.price_nanos + each.price_nanos, WHOLE_MAX),
        )
    return summed
