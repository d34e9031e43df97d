"""The artwork's pixel half."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gpu_workers.imaging.metadata import composite
from gpu_workers.imaging.types import Codes
from gpu_workers.library import digest, templates
from gpu_workers.library.templates import Template, UnknownTemplate
from gpu_workers.operations.artwork.artwork import Printed, artwork
from gpu_workers.operations.artwork.fidelity import print_fidelity
from gpu_workers.operations.base import ComposeRequest, Made, Memory, facts, metadata_of, only
from gpu_workers.sources.decoding import Picture
from schemas.operations.artwork import ArtworkParameters

MEMORY = Memory(250, 40, 120)


@dataclass(frozen=True, kw_only=True)
class Print(Made):
    """A print on a product, how it was rendered, and the artwork (h, w, 4) that was printed."""

    printed: Printed
    art: Codes


def run(inputs: Sequence[Picture], request: ComposeRequest) -> Print:
    """One picture, printed on a template."""
    source, parameters = only(inputs), ArtworkParameters.parse(request.parameters)
    art = source.pixels
    if art.shape[2] == 3:
        art = np.concatenate([art, np.full_like(art[..., :1], np.iinfo(art.dtype).max)], axis=2)
    printed = artwork(art, _template(request, parameters), parameters)
    metadata = metadata_of(source, composite(source.metadata.source_type))
    return Print(canvas=printed.canvas, mask=printed.mask, metadata=metadata, printed=printed, art=art)


def fingerprint(request: ComposeRequest) -> str:
    """The template's files."""
    template = _template(request, ArtworkParameters.parse(request.parameters))
    return digest(template.folder / name for name in (templates.FILE, *template.files()))


def measure(file: bytes, made: Print, request: ComposeRequest) -> dict[str, float]:
    """The file, how fine the artwork is, and how true its print."""
    return {**facts(file, request), **made.printed.measures, **print_fidelity(made.printed, made.art)}


def _template(request: ComposeRequest, parameters: ArtworkParameters) -> Template:
    if parameters.template not in request.library.templates:
        known = ", ".join(sorted(request.library.templates)) or "none"
        raise UnknownTemplate(f"no template is called {parameters.template!r}; there are: {known}")
    return templates.load(request.library.templates[parameters.template])
