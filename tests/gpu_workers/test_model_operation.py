"""A garment on a mannequin, as it is asked for: what is given, what is refused by name, what its file says."""

from functools import cache

import msgspec
import numpy as np
import pytest

from gpu_workers.imaging.metadata import SYNTHETIC
from gpu_workers.imaging.types import Codes
from gpu_workers.library import bodies
from gpu_workers.library.bodies import BadModel
from gpu_workers.operations.base import BadInputs, ComposeRequest, Library
from gpu_workers.operations.model import operation
from gpu_workers.operations.model.operation import OnModel
from gpu_workers.operations.model.outline import UnsupportedGarment
from gpu_workers.sources.decoding import Picture
from schemas import channels
from schemas.operations.base import BadParameters
from schemas.operations.model import NOT_YET, ModelParameters
from tests.gpu_workers import tees

LIBRARY = Library(bodies=bodies.find(bodies.shipped_folder()))
SMALL = {"outputSize": "240x300"}
FIRST = min(LIBRARY.bodies)


def picture(pixels: Codes) -> Picture:
    return Picture(pixels, "image/png", 8, True, "", 1, 1)


def request(category: str = "", **parameters: str) -> ComposeRequest:
    channel = msgspec.structs.replace(channels.load("shopify"), background_required=False)
    return ComposeRequest(channel, {**SMALL, **parameters}, category, library=LIBRARY)


@cache
def made(**parameters: str) -> OnModel:
    return operation.run([picture(tees.tee())], request(**parameters))


@pytest.mark.parametrize("category", NOT_YET)
def test_garments_that_are_not_done_are_refused_with_the_reason(category: str) -> None:
    with pytest.raises(BadParameters, match="not supported yet") as caught:
        ModelParameters.parse({"category": category})
    assert caught.value.field == "category"
    assert NOT_YET[category] in str(caught.value)


def test_what_is_no_category_is_told_which_there_are() -> None:
    with pytest.raises(BadParameters, match="auto, top; not supported yet: long-sleeved-top"):
        ModelParameters.parse({"category": "spoon"})


@pytest.mark.parametrize("category", ["Lingerie", "women/swimwear", "Jackets", "mens_trousers"])
def test_what_the_catalogue_calls_so_is_not_tried(category: str) -> None:
    with pytest.raises(UnsupportedGarment, match="the catalogue has it as"):
        operation.run([picture(tees.tee())], request(category))


def test_a_t_shirt_is_no_shirt() -> None:
    with pytest.raises(UnsupportedGarment, match="no sleeves were found"):
        operation.run([picture(tees.trousers())], request("Men/T-Shirts"))


@pytest.mark.parametrize("pixels", [tees.tee(sleeve_cm=32), tees.trousers(), np.zeros((60, 60, 4), np.uint8)])
def test_what_is_seen_to_be_no_such_top_is_refused(pixels: Codes) -> None:
    with pytest.raises(UnsupportedGarment):
        operation.run([picture(pixels)], request())


def test_a_photograph_that_was_not_cut_out_is_refused() -> None:
    with pytest.raises(BadInputs, match="no alpha"):
        operation.run([picture(tees.tee()[..., :3])], request())


def test_mannequins_are_chosen_by_name_or_size_and_one_that_is_not_there_is_named() -> None:
    sizes = {bodies.load(folder).size for folder in LIBRARY.bodies.values()}
    for size in sizes:
        assert operation.chosen(request(), ModelParameters.parse({"body": size})).size == size
    with pytest.raises(BadModel, match="no mannequin has the size 5XL"):
        operation.chosen(request(), ModelParameters.parse({"body": "5XL"}))
    with pytest.raises(BadModel, match="no mannequin is called 'nobody'"):
        operation.chosen(request(), ModelParameters.parse({"model": "nobody"}))
    with pytest.raises(BadParameters, match="`model` excludes `body`"):
        ModelParameters.parse({"model": FIRST, "body": "S"})
    prints = {operation.fingerprint(request(model=name)) for name in LIBRARY.bodies}
    assert len(prints) == len(LIBRARY.bodies)


def test_a_frame_that_cuts_arms_off_is_refused() -> None:
    with pytest.raises(BadParameters, match="too narrow"):
        operation.run([picture(tees.tee())], request(model=FIRST, outputSize="100x300"))


def test_its_file_says_that_nobody_in_it_exists() -> None:
    its = made(model=FIRST)
    assert its.metadata.source_type == SYNTHETIC
    assert its.mask is not None
    assert its.mask.max() == 255
    assert not its.mask[:8].any(), "the frame ends at the chin, above the garment"


@pytest.mark.long
def test_surface_and_paper_are_as_asked_for() -> None:
    plain, painted = made(model=FIRST), made(model=FIRST, finish="skin", skin="brown", setting="paper-slate")
    assert plain.mask is not None
    ground = plain.canvas[:20, :20].mean(), painted.canvas[:20, :20].mean()
    assert ground[0] > ground[1] + 40
    neck = (slice(2, 12), slice(110, 130))
    assert plain.canvas[neck].mean() > painted.canvas[neck].mean() + 40
    inner = plain.mask == 255
    assert np.abs(plain.canvas[inner].astype(int) - painted.canvas[inner]).max() <= 2, "the garment is as it was"
