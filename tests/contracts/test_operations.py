"""What every operation keeps to, whichever there are: they are found, not listed."""

import inspect
import re
from dataclasses import replace
from pathlib import Path
from typing import cast, get_args

import msgspec
import numpy as np
import pytest

from gpu_workers.imaging.metadata import Metadata
from gpu_workers.imaging.writing import Writing
from gpu_workers.library import bodies, brands, scenes, templates
from gpu_workers.operations.base import (
    ComposeRequest,
    Library,
    Memory,
    SourceRequest,
    UnknownOperation,
    compose,
    pixel_half,
)
from gpu_workers.reading.reader import Reader
from gpu_workers.reading.recognising import Recognised
from gpu_workers.sources.decoding import Picture, decode
from schemas import channels
from schemas.channels import Channel, Size
from schemas.errors import InputError
from schemas.operations import OPERATIONS, required_measures
from schemas.operations.base import POOLS, Operation, Parameters, Point
from tests.gpu_workers import tees
from tests.gpu_workers.products import mug

ROOT = Path(__file__).parents[2]
LIBRARY = Library(
    scenes=scenes.find(scenes.shipped_folder()),
    brands=brands.find(brands.shipped_folder()),
    templates=templates.find(templates.shipped_folder()),
    bodies=bodies.find(bodies.shipped_folder()),
    reader=Reader(lambda _rgb: [], lambda _line: Recognised("", 0.0), "finds nothing"),
)
# What some cannot do without.
PARAMETERS = {
    "artwork": {"template": "poster"},
    "mockup": {"scene": "studio-podium", "height_cm": "12"},
    "showcase": {"scene": "studio-podium", "height_cm": "12", "size_px": "240", "duration_s": "1", "fps": "10"},
    "style": {"brand": "earthy"},
}
EVERY = pytest.mark.parametrize("operation", OPERATIONS.values(), ids=lambda operation: operation.name)
PICTURES = pytest.mark.parametrize(
    "operation", [each for each in OPERATIONS.values() if each.makes_pictures], ids=lambda operation: operation.name
)


def free() -> Channel:
    """A channel that leaves the ground open, and bans nothing."""
    return msgspec.structs.replace(channels.load("shopify"), background_required=False, bans=())


# the schema half


def test_each_operation_is_a_file_of_its_name() -> None:
    files = {file.stem for file in (ROOT / "schemas/operations").glob("*.py")}
    assert files - {"__init__", "base"} == OPERATIONS.keys()


@EVERY
def test_it_says_where_it_is_done_and_what_of(operation: Operation) -> None:
    made = {each.makes for each in OPERATIONS.values()}
    assert operation.pool in POOLS
    assert operation.takes <= made
    assert operation.takes or operation.makes, "what begins a recipe makes something"
    assert operation.summary[:1].islower()


@EVERY
def test_its_parameters_refuse_by_name(operation: Operation) -> None:
    assert issubclass(operation.parameters, Parameters)
    with pytest.raises(ValueError, match=r"`nobody\.has\.this` is no parameter"):
        operation.parameters.parse({"nobody.has.this": "1"})


@PICTURES
def test_its_pictures_must_be_measured(operation: Operation) -> None:
    required = operation.required_on(free())
    assert {"width_px", "height_px", "size_bytes", "format_allowed"} <= required.keys()
    assert set(required.values()) <= set(get_args(Point))
    assert required_measures(operation.name, free()) == required


@PICTURES
def test_a_ground_that_is_demanded_is_measured_and_another_one_of_its_own_is_banned(operation: Operation) -> None:
    demanding = msgspec.structs.replace(free(), background="#FFFFFF", background_required=True)
    assert {"background_as_channel", "background_exact_share"} <= operation.required_on(demanding).keys()
    assert operation.allowed_on(free())
    assert operation.allowed_on(demanding) == (operation.ground != "own")


@PICTURES
def test_a_channel_bans_it_in_its_own_words(operation: Operation) -> None:
    for word in operation.banned_by:
        assert not operation.allowed_on(msgspec.structs.replace(free(), bans=(word,)))


@pytest.mark.parametrize("name", ["unheard-of", *(each.name for each in OPERATIONS.values() if not each.required)])
def test_what_is_not_known_or_makes_no_asset_must_have_every_measure(name: str) -> None:
    every = {name for each in OPERATIONS.values() for name in each.required_on(free())}
    assert required_measures(name, free()).keys() == every


@EVERY
def test_the_documentation_has_it_with_its_parameters(operation: Operation) -> None:
    table = (ROOT / "gpu_workers/README.md").read_text()
    (row,) = re.findall(rf"^\| `{operation.name}` \|.*$", table, re.MULTILINE)
    assert row.split("|")[2].strip().startswith(operation.summary)


# the pixel half


def inputs(operation: Operation) -> list[Picture]:
    """Pictures of the first kind that an operation takes; a photograph for one that begins a recipe."""
    kind = next((kind for kind in ("cutout", "source", "picture") if kind in operation.takes), "photograph")
    if kind == "picture":
        before = ComposeRequest(small(), {"background.color": "#C8B090"}, is_asset=False, goes_on=True)
        return [decode(file.data) for file in compose("packshot", [cut_out()], before).files]
    return [cut_out(operation) if kind == "cutout" else photograph()]


def cut_out(operation: Operation | None = None) -> Picture:
    shown = tees.tee() if operation is not None and operation.name == "model" else mug()
    return Picture(shown, "image/png", 8, True, "", 1, 1, Metadata(writing=Writing()))


def photograph() -> Picture:
    rgba = mug()
    return replace(cut_out(), pixels=np.where(rgba[..., 3:] > 127, rgba[..., :3], np.uint8(255)), had_alpha=False)


def small(operation: Operation | None = None) -> Channel:
    """A channel for small pictures, without a background for an operation that makes none."""
    is_open = operation is not None and operation.makes == "transparent"
    rules = channels.load("web") if is_open else free()
    return msgspec.structs.replace(rules, canvas=Size(400, 400), smallest=Size(40, 40), formats=("png",))


def request(operation: Operation, *, is_asset: bool = True) -> ComposeRequest | SourceRequest:
    parameters = PARAMETERS.get(operation.name, {})
    if operation.pool == "cutout":
        return SourceRequest(parameters, "", lambda rgb: (rgb.min(axis=2) < 250).astype(np.float32))
    return ComposeRequest(small(operation), parameters, "", is_asset, not is_asset, LIBRARY)


@EVERY
def test_its_pixel_half_is_found(operation: Operation) -> None:
    half = pixel_half(operation.name, operation.pool)
    assert isinstance(half.MEMORY, Memory)
    assert half.MEMORY.input_bytes > 0
    takes = [len(inspect.signature(each).parameters) for each in (half.run, half.fingerprint, half.measure)]
    assert takes == [2, 1, 3]


@EVERY
def test_it_is_no_other_pools(operation: Operation) -> None:
    for pool in set(POOLS) - {operation.pool}:
        with pytest.raises(UnknownOperation, match=f"the {pool} pool has no"):
            pixel_half(operation.name, pool)


@EVERY
def test_no_or_too_many_pictures_are_refused_by_name(operation: Operation) -> None:
    half = pixel_half(operation.name, operation.pool)
    for count in (0, 5):
        with pytest.raises(InputError) as caught:
            half.run(inputs(operation)[:1] * count, request(operation))
        assert caught.value.code
        assert caught.value.field


@EVERY
def test_equal_inputs_give_equal_pictures_and_fingerprints(operation: Operation) -> None:
    half = pixel_half(operation.name, operation.pool)
    one, two = (half.run(inputs(operation), request(operation)) for _ in range(2))
    assert np.array_equal(one.canvas, two.canvas)
    assert one.metadata == two.metadata
    assert half.fingerprint(request(operation)) == half.fingerprint(request(operation))


@EVERY
def test_it_makes_what_it_says(operation: Operation) -> None:
    made = pixel_half(operation.name, operation.pool).run(inputs(operation), request(operation, is_asset=False))
    bands = {
        "cutout": 4,
        "source": 3,
        "picture": 3,
        "clip": 3,
        "transparent": 4,
        None: inputs(operation)[0].pixels.shape[2],
    }
    assert made.canvas.shape[2] == bands[operation.makes]
    if operation.makes in ("picture", "clip"):
        assert made.mask is not None, "a next step is to know where the product is"
        assert made.mask.shape == made.canvas.shape[:2]


@PICTURES
def test_it_measures_what_its_pictures_must_have(operation: Operation) -> None:
    composed = compose(operation.name, inputs(operation), cast(ComposeRequest, request(operation)))
    own = {
        name for name in operation.required_on(small(operation)) if "." not in name
    }  # others are those of steps before it
    assert own <= composed.measures.keys()
    assert all(np.isfinite(composed.measures[name]) for name in own)
    assert composed.files[0].role == operation.name
