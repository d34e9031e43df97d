"""What reads: networks that are open elsewhere, by what they are asked."""

from collections.abc import Callable
from dataclasses import dataclass

from gpu_workers.imaging.types import Code
from gpu_workers.imaging.writing import Points
from gpu_workers.reading.recognising import Recognised


@dataclass(frozen=True)
class Reader:
    """Finds and reads text. Safe to use from several threads; each call may raise EngineError.

    `find` gives the corners (4, 2) of each line in uint8 RGB (h, w, 3), the largest first; `recognise` what a line that
    was cut out of it says. `fingerprint` tells it from every other one.
    """

    find: Callable[[Code], list[Points]]
    recognise: Callable[[Code], Recognised]
    fingerprint: str
