"""Labels: shown where a rule demands one, read in the file, and beside the product."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import ImageFont

from gpu_workers.imaging.encoding import encode
from gpu_workers.imaging.linear_light import eight_bit
from gpu_workers.imaging.metadata import Metadata
from gpu_workers.operations import label
from gpu_workers.operations.base import BadInputs, ComposeRequest, compose
from gpu_workers.sources.decoding import Picture, decode
from schemas import channels
from schemas.operations.base import BadParameters
from streams.flow.gates import policy, product

COMPOSITE = "compositeWithTrainedAlgorithmicMedia"


def picture(source_type: str = COMPOSITE, side: int = 400, depth: type = np.uint8) -> list[Picture]:
    """A light ground with a dark product in its middle and to the right of it, down to the corner."""
    mask = np.zeros((side, side), np.uint8)
    mask[side // 4 :, side // 3 :] = 255
    level = np.iinfo(depth).max // 4
    canvas: NDArray[Any] = np.full((side, side, 3), 3 * level, depth)
    canvas[mask > 0] = level
    metadata = Metadata(source_type=source_type)
    return [Picture(each, "image/png", 8, True, "", 1, 1, metadata) for each in (canvas, mask[..., None])]


def made(source_type: str = COMPOSITE, channel: str = "instagram", **parameters: str) -> label.Labelled:
    return label.run(picture(source_type), ComposeRequest(channels.load(channel), parameters))


def inked(canvas: NDArray[np.uint8]) -> bool:
    return bool((canvas == 255).all(axis=2).any())


@pytest.mark.parametrize(
    ("source_type", "channel", "is_labelled"),
    [
        ("trainedAlgorithmicMedia", "instagram", True),
        (COMPOSITE, "tiktok", True),
        (COMPOSITE, "shopify", True),
        ("digitalCapture", "instagram", False),
        ("", "web", False),
        ("algorithmicallyEnhanced", "instagram", False),
    ],
)
def test_it_is_shown_where_a_rule_demands_it(source_type: str, channel: str, is_labelled: bool) -> None:
    found = made(source_type, channel)
    assert (found.plate is not None) == inked(eight_bit(found.canvas)) == is_labelled
    if not is_labelled:
        assert np.array_equal(found.canvas, picture()[0].pixels)


def test_who_wants_it_always_gets_it() -> None:
    assert made("digitalCapture", when="always").plate is not None


def test_its_corner_is_the_one_without_the_product_and_nothing_else_changes() -> None:
    found, before = made(), picture()[0].pixels
    assert found.plate is not None
    rows, columns = found.plate
    assert rows.stop <= 100 or columns.stop <= 133
    changed = (found.canvas != before).any(axis=2)
    changed[found.plate] = False
    assert not changed.any()
    assert label.measure(written(found), found, request())["label_over_product"] == 0


def test_a_label_on_the_product_that_somebody_asked_for_waits_for_a_person() -> None:
    found = made(corner="bottom-right")
    measures = label.measure(written(found), found, request())
    assert measures["label_over_product"] > 0
    checks = {each.name: each.outcome for each in product.checks(measures, channels.load("instagram"))}
    assert checks["label_over_product"] == "review"


def request() -> ComposeRequest:
    return ComposeRequest(channels.load("instagram"), {})


def written(found: label.Labelled, *, without: bool = False) -> bytes:
    canvas = picture()[0].pixels if without else found.canvas
    return encode(canvas, channels.load("instagram")).data


@pytest.mark.parametrize(("without", "outcome"), [(False, "pass"), (True, "fail")])
def test_a_file_without_the_label_that_was_made_fails(without: bool, outcome: str) -> None:
    found = made()
    measures = label.measure(written(found, without=without), found, request())
    checks = {each.name: each.outcome for each in policy.checks(measures, channels.load("instagram"))}
    assert checks["label_off"] == outcome


def test_every_language_has_letters_of_its_own_in_the_font() -> None:
    font = ImageFont.load_default(40)
    missing = bytes(font.getmask("\U0001f9ff"))
    letters = {letter for texts in label.TEXTS.values() for text in texts for letter in text if letter != " "}
    assert not [letter for letter in letters if bytes(font.getmask(letter)) == missing]


def test_all_texts_differ_and_say_what_was_made() -> None:
    plates = {
        made(kind, when="always", language=language).canvas.tobytes()
        for language in label.TEXTS
        for kind in (COMPOSITE, "trainedAlgorithmicMedia")
    }
    assert len(plates) == 2 * len(label.TEXTS)


@pytest.mark.parametrize("side", [12, 40, 3000])
def test_tiny_and_large_pictures_have_a_label_that_fits(side: int) -> None:
    found = label.run(picture(side=side), ComposeRequest(channels.load("instagram"), {}))
    assert found.canvas.shape == (side, side, 3)
    assert found.plate is not None
    assert found.plate[1].start >= 0


def test_sixteen_bits_stay_sixteen() -> None:
    found = label.run(picture(depth=np.uint16), ComposeRequest(channels.load("instagram"), {}))
    assert found.canvas.dtype == np.uint16
    assert inked(eight_bit(found.canvas))


def test_a_picture_with_holes_and_a_language_without_letters_are_refused() -> None:
    one, mask = picture()
    clear = Picture(np.zeros((40, 40, 4), np.uint8), "image/png", 8, True, "", 1, 1)
    for inputs in ([one], [clear, mask], []):
        with pytest.raises(BadInputs):
            label.run(inputs, request())
    with pytest.raises(BadParameters, match="language"):
        made(language="zh")


def test_the_file_says_what_the_picture_before_said() -> None:
    composed = compose("label", picture(), ComposeRequest(channels.load("shopify"), {}))
    assert decode(composed.files[0].data).metadata.source_type == COMPOSITE
    assert composed.measures["label_shown"] == 1
