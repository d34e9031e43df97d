"""Parameters of operations: one file an operation, and here which operation has which."""

from schemas.decoding import prepare
from schemas.parameters.artwork import ArtworkParameters
from schemas.parameters.base import BadParameters, Parameters
from schemas.parameters.cutout import CutoutParameters
from schemas.parameters.mockup import MockupParameters
from schemas.parameters.packshot import PackshotParameters
from schemas.parameters.source import SourceParameters
from schemas.parameters.style import StyleParameters
from schemas.parameters.upscale import UpscaleParameters

OF_OPERATION: dict[str, type[Parameters]] = {
    "artwork": ArtworkParameters,
    "cutout": CutoutParameters,
    "mockup": MockupParameters,
    "packshot": PackshotParameters,
    "source": SourceParameters,
    "style": StyleParameters,
    "transparent": PackshotParameters,
    "upscale": UpscaleParameters,
}

__all__ = [
    "OF_OPERATION",
    "ArtworkParameters",
    "BadParameters",
    "CutoutParameters",
    "MockupParameters",
    "PackshotParameters",
    "Parameters",
    "SourceParameters",
    "StyleParameters",
    "UpscaleParameters",
]


prepare(*OF_OPERATION.values())
