"""The mockup's pixel half."""

from collections.abc import Sequence
from dataclasses import dataclass

from gpu_workers.imaging.metadata import composite
from gpu_workers.library.scenes import Scene
from gpu_workers.operations.base import ComposeRequest, Made, Memory, metadata_of
from gpu_workers.operations.mockup import measures, scene_layers
from gpu_workers.operations.mockup.mockup import Mockup, mockup, scene_for
from gpu_workers.operations.mockup.scene_placing import Product
from gpu_workers.sources.decoding import Picture
from schemas import wording
from schemas.operations.base import BadParameters
from schemas.operations.mockup import MockupParameters

MEMORY = Memory(150, 40, 120)


@dataclass(frozen=True, kw_only=True)
class InScene(Made):
    """A mockup, and how it was rendered."""

    rendered: Mockup


def run(inputs: Sequence[Picture], request: ComposeRequest) -> InScene:
    """The product of the first cutout in a scene, those of the others beside it."""
    parameters = MockupParameters.parse(request.parameters)
    if parameters.others is not None:
        raise BadParameters(
            "`others` are products of the catalogue: the flow has their cut-outs, this has not", "others"
        )
    heights = [parameters.height_cm, *parameters.others_height_cm]
    if len(heights) != len(inputs):
        message = f"`others.height_cm` has {len(heights) - 1} heights for {len(inputs) - 1} other products"
        raise BadParameters(message, "others.height_cm")
    products = [Product(each.pixels, height) for each, height in zip(inputs, heights, strict=True)]
    rendered = mockup(products, _scene(request, parameters), request.channel, parameters)
    metadata = metadata_of(inputs[0], composite(*(each.metadata.source_type for each in inputs)))
    return InScene(
        canvas=rendered.canvas,
        mask=rendered.mask,
        metadata=metadata,
        transform=rendered.placement.matrix,
        rendered=rendered,
    )


def fingerprint(request: ComposeRequest) -> str:
    """The scene's files; and the vocabulary, where words were given."""
    parameters = MockupParameters.parse(request.parameters)
    scene = _scene(request, parameters)
    read_by = "" if parameters.prompt is None else wording.fingerprint()
    return scene_layers.fingerprint(scene.folder, scene) + read_by


def measure(file: bytes, made: InScene, request: ComposeRequest) -> dict[str, float]:
    """See `measures`."""
    found = {"has_scene": 1.0, **measures.measure(file, made.rendered, request.channel)}
    reading = MockupParameters.parse(request.parameters).reading
    if reading is not None:
        found["words_unknown"] = float(len(reading.unknown))
        found |= {f"words.{term}": float(is_met) for term, is_met in made.rendered.met.items()}
    return found


def _scene(request: ComposeRequest, parameters: MockupParameters) -> Scene:
    return scene_for(request.library.scenes, parameters, request.category)
