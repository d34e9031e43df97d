"""The model's pixel half: a top that lay flat, on a virtual mannequin."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gpu_workers import library
from gpu_workers.imaging.linear_light import eight_bit
from gpu_workers.imaging.metadata import SYNTHETIC
from gpu_workers.library import bodies
from gpu_workers.library.bodies import BadModel, Model
from gpu_workers.operations.base import BadInputs, ComposeRequest, Made, Memory, facts, metadata_of, only
from gpu_workers.operations.model import dressing, measures
from gpu_workers.operations.model.dressing import Colour, Look, Worn
from gpu_workers.operations.model.outline import UnsupportedGarment, outline
from gpu_workers.operations.model.sizing import cut_for
from gpu_workers.quality.files import read
from gpu_workers.sources.decoding import Picture
from schemas.operations.model import NOT_YET, ModelParameters, refused

# Measured, and room above it: 74 MB for 0.2 MP of canvas, 191 for 1, 541 for 3.2; 325 for 0.2 of 8.5 MP of input.
MEMORY = Memory(80, 40, 160)

_LAYER = (0.035, 0.036, 0.040)  # of the base layer, linear light; all below are
_PAPERS: dict[str, Colour] = {
    "paper-grey": (0.62, 0.615, 0.605),
    "paper-white": (0.86, 0.86, 0.86),
    "paper-sand": (0.60, 0.53, 0.44),
    "paper-slate": (0.17, 0.18, 0.195),
}
_SURFACES: dict[str, Colour] = {
    "white": (0.70, 0.70, 0.69),
    "grey": (0.30, 0.30, 0.30),
    "black": (0.035, 0.035, 0.036),
}
_SKINS: dict[str, Colour] = {
    "porcelain": (0.72, 0.54, 0.45),
    "light": (0.60, 0.40, 0.31),
    "olive": (0.47, 0.29, 0.20),
    "tan": (0.34, 0.19, 0.12),
    "brown": (0.18, 0.095, 0.058),
    "deep": (0.075, 0.040, 0.027),
}


@dataclass(frozen=True, kw_only=True)
class OnModel(Made):
    """A worn garment, and how it hangs."""

    worn: Worn


def run(inputs: Sequence[Picture], request: ComposeRequest) -> OnModel:
    """The garment of the one cutout on a mannequin."""
    source, parameters = only(inputs), ModelParameters.parse(request.parameters)
    if source.pixels.shape[2] != 4:
        raise BadInputs("a garment is worn as it was cut out, and this picture has no alpha")
    _refuse_catalogued(request.category)
    model, size = chosen(request, parameters), parameters.size or request.channel.canvas
    dressing.framed(model, size)  # what is too narrow is refused before any cloth hangs
    codes = eight_bit(source.pixels)
    found = outline(codes[..., :3], codes[..., 3])
    cut = cut_for(found, model, parameters.width_cm, parameters.fit)
    worn = dressing.dressed(source.pixels, found, cut, dressing.hung(cut, model), model, _look(parameters), size)
    return OnModel(canvas=worn.canvas, mask=worn.mask, metadata=metadata_of(source, SYNTHETIC), worn=worn)


def _look(parameters: ModelParameters) -> Look:
    surface = _SKINS[parameters.skin] if parameters.finish == "skin" else _SURFACES[parameters.finish]
    return Look(surface, _LAYER, _PAPERS[parameters.setting])


def _refuse_catalogued(category: str) -> None:
    """What the catalogue calls by the name of a garment that is not supported is not tried. Raises
    UnsupportedGarment."""
    words = " ".join(re.findall("[a-z]+", category.casefold()))
    words = re.sub(r"\bt shirts?\b", "top", words)
    for name in NOT_YET:
        if re.search(rf"\b{name.replace('-', ' ')}(s|es)?\b", words):
            raise UnsupportedGarment(f"the catalogue has it as {category!r}: {refused(name)}")


def chosen(request: ComposeRequest, parameters: ModelParameters) -> Model:
    """The mannequin that was asked for. Raises BadModel."""
    if parameters.model != "any":
        return bodies.load(_folder(request, parameters.model))
    models = [bodies.load(folder) for _, folder in sorted(request.library.bodies.items())]
    fitting = [each for each in models if parameters.body in ("any", each.size)]
    if not fitting:
        sizes = ", ".join(sorted({each.size for each in models}))
        raise BadModel(f"no mannequin has the size {parameters.body}; there are: {sizes or 'none'}")
    return fitting[parameters.seed % len(fitting)]


def _folder(request: ComposeRequest, name: str) -> Path:
    if name not in request.library.bodies:
        there = ", ".join(sorted(request.library.bodies)) or "none"
        raise BadModel(f"no mannequin is called {name!r}; there are: {there}")
    return request.library.bodies[name]


def fingerprint(request: ComposeRequest) -> str:
    """The mannequin's files."""
    model = chosen(request, ModelParameters.parse(request.parameters))
    return library.digest([model.folder / bodies.FILE, *(model.folder / file for file in model.files())])


def measure(file: bytes, made: OnModel, request: ComposeRequest) -> dict[str, float]:
    """The file, the cloth, and the product's pixels in it."""
    return {
        **facts(file, request),
        "virtual_model": 1.0,
        **measures.cloth_measures(made.worn),
        **measures.picture_measures(eight_bit(read(file).pixels)[..., :3], made.worn),
    }
