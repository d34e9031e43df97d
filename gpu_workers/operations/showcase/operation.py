"""The showcase's pixel half: a clip of a mockup that moves, its poster, and a small moving picture for letters.

The poster is the still that moves; the gates judge it as a mockup, and the clip by `clip_measures`.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from gpu_workers.imaging import clips
from gpu_workers.imaging.metadata import Metadata, composite, xmp
from gpu_workers.imaging.types import Code
from gpu_workers.library.scenes import Scene
from gpu_workers.operations.base import ComposeRequest, File, Memory, metadata_of, only
from gpu_workers.operations.mockup import operation as still
from gpu_workers.operations.mockup.mockup import mockup, scene_for
from gpu_workers.operations.mockup.operation import InScene
from gpu_workers.operations.mockup.scene_placing import Product
from gpu_workers.operations.showcase.clip_measures import Looked, clip_measures, looked_at
from gpu_workers.operations.showcase.motions import GROWTH, Shot, phases, shot_of
from gpu_workers.operations.showcase.stage import Stage, stage_of
from gpu_workers.sources.decoding import Picture
from schemas.operations.showcase import ShowcaseParameters

MEMORY = Memory(
    650, 40, 120
)  # a clip of 1080 by 1920 px; its own size is no `outputSize`, by which canvases are counted


@dataclass(frozen=True, kw_only=True)
class Showcase(InScene):
    """A poster as a mockup is, with the clip's files, and what was measured of them."""

    clip: Mapping[str, float]


def run(inputs: Sequence[Picture], request: ComposeRequest) -> Showcase:
    """The clip of the one cutout in a scene."""
    source, parameters = only(inputs), ShowcaseParameters.parse(request.parameters)
    product, scene = Product(source.pixels, parameters.height_cm), _scene(request, parameters)
    poster = mockup([product], scene, request.channel, parameters.still)
    metadata = metadata_of(source, composite(source.metadata.source_type))
    stage = stage_of(product, scene, request.channel, parameters, GROWTH[parameters.motion])
    files, measured = _files(stage, parameters, metadata)
    return Showcase(
        canvas=poster.canvas,
        mask=poster.mask,
        metadata=metadata,
        transform=poster.placement.matrix,
        rendered=poster,
        beside=files,
        clip=measured,
    )


def fingerprint(request: ComposeRequest) -> str:
    """What a mockup uses, and what encodes."""
    return f"{still.fingerprint(_as_still(request))}/{clips.encoder()}"


def measure(file: bytes, made: Showcase, request: ComposeRequest) -> dict[str, float]:
    """A mockup's measures of the poster, and the clip's."""
    return {**still.measure(file, made, _as_still(request)), **made.clip}


def _as_still(request: ComposeRequest) -> ComposeRequest:
    """What is asked of the mockup that the poster is."""
    still_of = ShowcaseParameters.parse(request.parameters).still_parameters
    return replace(request, parameters=still_of)


def _scene(request: ComposeRequest, parameters: ShowcaseParameters) -> Scene:
    return scene_for(request.library.scenes, parameters.still, request.category)


def _files(
    stage: Stage, parameters: ShowcaseParameters, metadata: Metadata
) -> tuple[tuple[File, ...], dict[str, float]]:
    """The clip and the picture for letters, and their measures."""
    values, shot = phases(parameters), shot_of(stage, parameters.motion)
    small: list[Code] = []
    packet = xmp(metadata.source_type, metadata.credits, metadata.marks)
    clip = clips.mp4(_planes(values, shot, small, clips.mail_step(parameters.fps)), parameters.fps, packet)
    letter = clips.mail(small, parameters.fps, packet)
    looked = [Looked(number, shot(values[number])) for number in looked_at(len(values))]
    measured = clip_measures(clip, looked, stage.cutout, parameters.fps, loop=parameters.loop)
    shape = (parameters.height_px, parameters.width_px, 3)
    files = (File("clip", clip, clips.MP4, shape), File("mail", letter, clips.WEBP, small[0].shape))
    return files, {**measured, "mail_bytes": float(len(letter))}


def _planes(values: Sequence[float], shot: Shot, small: list[Code], step: int) -> Iterator[Code]:
    """The frames as they are encoded; every `step`-th goes to `small`, too. What comes again is kept until then."""
    left, kept = Counter(values), dict[float, tuple[Code, Code]]()
    for number, value in enumerate(values):
        if value not in kept:
            rgb = shot(value).rgb
            kept[value] = clips.planes(rgb), clips.small(rgb)
        stacked, little = kept[value]
        left[value] -= 1
        if not left[value]:
            del kept[value]
        if number % step == 0:
            small.append(little)
        yield stacked
