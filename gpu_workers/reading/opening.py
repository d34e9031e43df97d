"""PP-OCR's networks, open on our engines."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import onnx
from msgspec.structs import replace

from gpu_workers.engines import Engine, Preference, open_engine
from gpu_workers.imaging.types import Code, Plane
from gpu_workers.imaging.writing import Points
from gpu_workers.models.contract import tensor_of
from gpu_workers.models.graph import BadGraph
from gpu_workers.models.loader import model_path
from gpu_workers.models.manifest import Model, load_manifest
from gpu_workers.reading.finding import found_lines
from gpu_workers.reading.reader import Reader
from gpu_workers.reading.recognising import HEIGHT_PX, WIDTHS_PX, Recognised, recognised, set_up

DETECTOR, RECOGNISER = "pp-ocr-detector@6", "pp-ocr-recogniser@6"
READ_BY = f"{DETECTOR}/{RECOGNISER}"
STEP_PX = 8  # of a line that a step of the recogniser's answer stands for
SIDE_PX = 736  # at which a photograph is looked at
SMALL_SIDE_PX = 480  # at which a finished picture is, where only what is meant to be read matters


@contextmanager
def open_reader(
    folder: Path, preference: Preference = "auto", side_px: int = SIDE_PX, threads: int = 0
) -> Iterator[Reader]:
    """The reader with its weights in `folder`, open for as long as the block lasts; its detector works at `side_px`.

    `threads` as open_engine takes it.
    Raises ModelError, EngineError.
    """
    detector = _sized(load_manifest(DETECTOR), side_px, side_px)
    recogniser = load_manifest(RECOGNISER)
    by_width = {width: _sized(recogniser, HEIGHT_PX, width) for width in WIDTHS_PX}
    characters = _characters(model_path(recogniser, folder))
    with ExitStack() as open_ones:

        def opened(model: Model) -> Engine:
            engine = open_engine(model, folder, preference, threads)
            open_ones.callback(engine.close)
            return engine

        finds, reads = opened(detector), {width: opened(model) for width, model in by_width.items()}

        def find(rgb: Code) -> list[Points]:
            return found_lines(rgb, side_px, lambda frame: _answer(finds, frame, detector)[0])

        def recognise(line: Code) -> Recognised:
            frame = set_up(line)
            return recognised(_answer(reads[frame.shape[1]], frame, by_width[frame.shape[1]]), characters)

        engines = (finds, *reads.values())
        yield Reader(find, recognise, "+".join(each.fingerprint[:16] for each in engines))


def _answer(engine: Engine, frame: Code, model: Model) -> Plane:
    """A network's answer for uint8 RGB (h, w, 3) of its size; PP-OCR's were taught with blue first."""
    return np.asarray(engine.infer(tensor_of(frame[..., ::-1], model.input)[None])[0], np.float32)


def _sized(model: Model, height_px: int, width_px: int) -> Model:
    """The model for inputs of this size, which the published graphs leave open."""
    answer = (
        (1, height_px, width_px) if model.output.kind == "mask" else (1, width_px // STEP_PX, model.output.shape[2])
    )
    return replace(
        model, input=replace(model.input, shape=(3, height_px, width_px)), output=replace(model.output, shape=answer)
    )


def _characters(graph: Path) -> tuple[str, ...]:
    """The characters that the recogniser knows, in its order, by its file; a space is the last. Raises BadGraph."""
    properties = {each.key: each.value for each in onnx.load(str(graph)).metadata_props}
    if "character" not in properties:
        raise BadGraph(f"{graph.name} does not say which characters it knows")
    return (*properties["character"].split("\n"), " ")
