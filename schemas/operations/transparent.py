"""A transparent cut-out: the parameters of a packshot, as far as they have no ground."""

from schemas.operations.base import Operation
from schemas.operations.packshot import REQUIRED, PackshotParameters

OPERATION = Operation(
    name="transparent",
    summary="the cut-out on nothing",
    pool="compose",
    parameters=PackshotParameters,
    takes=frozenset({"cutout"}),
    makes="transparent",
    ground="asked",
    extent="fill",
    required=REQUIRED,
)
