"""Parameters of operations: one file an operation, and here which operation has which."""

from schemas.parameters.artwork import ArtworkParameters
from schemas.parameters.base import BadParameters, Parameters
from schemas.parameters.cutout import CutoutParameters
from schemas.parameters.packshot import PackshotParameters

OF_OPERATION: dict[str, type[Parameters]] = {
    "artwork": ArtworkParameters,
    "cutout": CutoutParameters,
    "packshot": PackshotParameters,
    "transparent": PackshotParameters,
}

__all__ = ["OF_OPERATION", "ArtworkParameters", "BadParameters", "CutoutParameters", "PackshotParameters", "Parameters"]
