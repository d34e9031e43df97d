"""The cutout's pixel half."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np

from gpu_workers.imaging.linear_light import eight_bit
from gpu_workers.imaging.metadata import Metadata
from gpu_workers.imaging.types import HALF
from gpu_workers.models.people import People
from gpu_workers.operations.base import Made, Memory, SourceRequest, only
from gpu_workers.operations.cutout import cutout as cutting
from gpu_workers.operations.cutout.cutout import Cutout
from gpu_workers.operations.packshot.lighting import background_of
from gpu_workers.quality.found import detail_scale
from gpu_workers.quality.left import left_measures
from gpu_workers.reading.photograph import marks_of, measures_of, on_white, read_photograph
from gpu_workers.reading.reader import Reader
from gpu_workers.sources.decoding import Picture
from schemas.categories import groups
from schemas.operations.cutout import CutoutParameters
from schemas.policies.pictures import PREFIX as CLASS

MEMORY = Memory(300, 28, 0)
BARE = "bare"  # the group of categories that are worn on the skin


@dataclass(frozen=True, kw_only=True)
class CutOut(Made):
    """A cutout, and what was measured of it and of its photograph."""

    measures: Mapping[str, float]


def run(inputs: Sequence[Picture], request: SourceRequest) -> CutOut:
    """The product in one photograph. Raises CutoutError besides."""
    photograph, parameters = only(inputs), _parameters(request)
    made = cutting.cutout(photograph.pixels, request.predict, parameters, request.find_people, request.retouching)
    if request.leads_on:
        made = with_writing(photograph, made, request.reader)
    measures = {**made.measures, **photograph.measures, **_seen(photograph, request)}
    if parameters.retouch is not None:  # 0 where the strokes were made on another photograph
        measures["retouched"] = float(request.retouching is not None)
    return CutOut(canvas=made.rgba, metadata=metadata_of(photograph, made), measures=measures)


def fingerprint(request: SourceRequest) -> str:
    """Whether who wears the product stays, which the parameters leave to the product's category; and who reads it,
    where anything is made of it."""
    worn = " worn" if _parameters(request).subject == "everything" else ""
    if not request.leads_on:
        return f"{worn} alone"
    seen = "" if request.classifier is None else f" {request.classifier.fingerprint} {_doubt_name(request)}"
    return (worn if request.reader is None else f"{worn} {request.reader.fingerprint}") + seen


def _seen(photograph: Picture, request: SourceRequest) -> dict[str, float]:
    """What a network sees in a photograph: how likely a person should look first, and the classes that rules may speak
    of; nothing where nobody looks."""
    if request.classifier is None or not request.leads_on:
        return {}
    seen = request.classifier.look(np.ascontiguousarray(on_white(eight_bit(photograph.pixels))))
    classes = {f"{CLASS}{name}": score for name, score in seen.classes.items()}
    return classes if seen.doubt is None else {**classes, _doubt_name(request): seen.doubt}


def _doubt_name(request: SourceRequest) -> str:
    """Of what is worn on the skin another limit counts: its photographs show skin, or a mannequin of its colour."""
    return "picture_doubt_bare" if BARE in groups(request.category) else "picture_doubt"


def measure(_file: bytes, made: CutOut, _request: SourceRequest) -> dict[str, float]:
    """What was measured while it was made."""
    return {**made.measures}


def metadata_of(photograph: Picture, made: Cutout) -> Metadata:
    """What a cutout keeps of its photograph beside the pixels: how that was made, the plain ground it
    shows, and whether it shows who wears it."""
    plain = made.measures["plain_background"] == 1
    alpha = (made.rgba[..., 3] > 0).astype(np.uint8)
    ground = background_of(photograph.pixels, alpha) if plain else None
    return replace(photograph.metadata, background=ground, writing=made.writing, worn=made.measures["worn"] == 1)


def with_writing(photograph: Picture, made: Cutout, reader: Reader | None) -> Cutout:
    """A cutout with what its photograph says of it, and what is written in that. Raises EngineError."""
    rgb, product = on_white(eight_bit(photograph.pixels)), eight_bit(made.rgba)[..., 3] >= HALF
    found = left_measures(photograph.pixels, made.rgba) | {"detail_scale": detail_scale(rgb, product)}
    made = replace(made, measures={**made.measures, **found})
    if reader is None:
        return made
    writing = read_photograph(photograph.pixels, made.rgba, reader)
    plain = made.measures["plain_background"] == 1 or made.measures["has_own_alpha"] == 1
    height_px, width_px = photograph.pixels.shape[:2]
    text_measures = {**measures_of(writing, plain_ground=plain), **marks_of(writing, width_px, height_px)}
    return replace(made, measures={**made.measures, **text_measures}, writing=writing)


def cutout_picture(photograph: Picture, made: Cutout) -> Picture:
    """A cutout as the compose pool reads it."""
    return replace(
        photograph, pixels=made.rgba, media_type="image/png", had_alpha=True, metadata=metadata_of(photograph, made)
    )


@cache
def find_people(folder: Path) -> People:
    """The network that sees people, its file in `folder`; opened once. Raises WeightsMissing, WeightsCorrupt."""
    return People(folder)


def _parameters(request: SourceRequest) -> CutoutParameters:
    return CutoutParameters.parse(request.parameters).of(request.category)
