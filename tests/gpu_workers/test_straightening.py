"""A product photographed a little tilted stands upright, and is still the product."""

import cv2
import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from gpu_workers.imaging.encoding import encode
from gpu_workers.operations.packshot import straightening
from gpu_workers.operations.packshot.measures import measure
from gpu_workers.operations.packshot.packshot import packshot
from schemas import channels
from schemas.channels import Channel, Size
from schemas.operations.base import BadParameters
from schemas.operations.packshot import PackshotParameters
from tests.gpu_workers.products import block, mug

AUTO = PackshotParameters(straighten="auto")


def rules(scale_max: float = 4.0) -> Channel:
    return msgspec.structs.replace(
        channels.load("amazon"), canvas=Size(300, 300), smallest=Size(80, 80), scale_max=scale_max
    )


def bottle() -> NDArray[np.uint8]:
    """A bottle with a label, symmetrical, in the middle of 400 x 400."""
    rgba = np.zeros((400, 400, 4), np.uint8)
    cv2.rectangle(rgba, (150, 150), (249, 349), (30, 90, 50, 255), cv2.FILLED)
    cv2.ellipse(rgba, (199, 150), (50, 40), 0, 180, 360, (30, 90, 50, 255), cv2.FILLED)
    cv2.rectangle(rgba, (185, 50), (214, 150), (30, 90, 50, 255), cv2.FILLED)
    cv2.rectangle(rgba, (160, 200), (239, 300), (220, 210, 180, 255), cv2.FILLED)
    return rgba


def carton() -> NDArray[np.uint8]:
    """A carton seen from one corner: upright edges left and right, but no symmetry."""
    rgba = np.zeros((400, 400, 4), np.uint8)
    outline = np.array([[100, 120], [240, 80], [300, 110], [300, 300], [180, 340], [100, 310]])
    cv2.fillPoly(rgba, [outline], (170, 120, 70, 255))
    cv2.fillPoly(rgba, [np.array([[180, 150], [300, 110], [300, 300], [180, 340]])], (120, 80, 40, 255))
    return rgba


def tilted(rgba: NDArray[np.uint8], degrees: float) -> NDArray[np.uint8]:
    """`rgba` turned clockwise about its middle, in premultiplied colours."""
    alpha = rgba[..., 3:].astype(np.float32) / 255
    turn = cv2.getRotationMatrix2D(((rgba.shape[1] - 1) / 2, (rgba.shape[0] - 1) / 2), -degrees, 1.0)
    turned = cv2.warpAffine(np.dstack([rgba[..., :3] * alpha, alpha]), turn, rgba.shape[1::-1])
    colours = turned[..., :3] / np.maximum(turned[..., 3:], 1e-3)
    levels = np.rint(np.dstack([colours, turned[..., 3] * 255])).clip(0, 255)
    return np.asarray(levels, np.uint8)


@pytest.mark.parametrize("product", [bottle, carton])
@pytest.mark.parametrize("degrees", [-6.0, -1.5, 2.0, 5.0])
def test_a_tilt_is_undone(product, degrees: float) -> None:  # type: ignore[no-untyped-def]
    assert straightening.angle(tilted(product(), degrees)[..., 3]) == pytest.approx(-degrees, abs=0.25)


@pytest.mark.parametrize("product", [bottle, carton, mug])
def test_what_stands_upright_is_not_touched(product) -> None:  # type: ignore[no-untyped-def]
    assert straightening.angle(product()[..., 3]) == 0
    assert np.array_equal(packshot(product(), rules(), AUTO).canvas, packshot(product(), rules()).canvas)


def test_a_lean_that_is_meant_and_a_shape_that_says_nothing_stay() -> None:
    ball = np.zeros((300, 300), np.uint8)
    cv2.circle(ball, (150, 150), 100, 255, cv2.FILLED)
    shard = np.zeros((300, 300), np.uint8)
    cv2.fillPoly(shard, [np.array([[40, 60], [200, 30], [270, 220], [120, 280]])], 255)
    leaning = tilted(bottle(), 20)[..., 3]
    assert [straightening.angle(shape) for shape in (ball, shard, leaning)] == [0, 0, 0]


def test_what_the_photograph_cut_off_is_not_turned() -> None:
    cut = tilted(bottle(), 4)[:320]
    assert straightening.angle(cut[..., 3]) == 0


@pytest.mark.parametrize("scale_max", [0.4, 0.8, 4.0])
def test_a_product_that_was_turned_is_unchanged(scale_max: float) -> None:
    """By the gate's own measure, which undoes the turn: at most 2 of 255."""
    rendered = packshot(tilted(bottle(), 3), rules(scale_max), AUTO)
    found = measure(encode(rendered.canvas, rules(scale_max)).data, rendered, rules(scale_max))
    assert found["straightened_deg"] == pytest.approx(-3, abs=0.25)
    assert found["canvas_difference_max"] <= 2
    assert found["product_pixels"] > 1000
    assert abs(found["centre_offset_x"]) < 0.01
    assert found["fill"] == pytest.approx(rules().fill.target, abs=0.01)
    moved = np.roll(rendered.canvas, 1, axis=1)
    assert measure(encode(moved, rules()).data, rendered, rules())["product_difference_max"] > 20


def test_a_turned_block_has_the_same_colour_and_size() -> None:
    rendered = packshot(tilted(block(300, 300, (100, 60, 200, 240), 90), 4), rules(), AUTO)
    rows, columns = np.nonzero(rendered.mask >= 128)
    assert np.ptp(columns) / np.ptp(rows) == pytest.approx(100 / 180, abs=0.02)
    assert (rendered.canvas[150, 150] == 90).all()


@pytest.mark.parametrize("degrees", [-20.0, 3.0, 12.5])
def test_a_person_says_the_angle(degrees: float) -> None:
    """Whatever the shape says, and with the product unchanged, too."""
    requested = PackshotParameters(straighten="auto", straighten_angle=-degrees)
    rendered = packshot(tilted(bottle(), degrees), rules(), requested)
    found = measure(encode(rendered.canvas, rules()).data, rendered, rules())
    assert found["straightened_deg"] == -degrees
    assert found["canvas_difference_max"] <= 2
    rows, columns = np.nonzero(rendered.mask >= 128)
    assert np.ptp(columns) / np.ptp(rows) == pytest.approx(100 / 300, abs=0.03), "it stands"


def test_none_is_an_angle_too() -> None:
    rendered = packshot(tilted(bottle(), 3), rules(), PackshotParameters(straighten="auto", straighten_angle=0.0))
    assert rendered.placement.angle_deg == 0


def test_what_the_photograph_cut_off_is_not_turned_by_anybody() -> None:
    cut = block(300, 300, (100, 60, 200, 300), 90)
    with pytest.raises(BadParameters) as refused:
        packshot(cut, rules(), PackshotParameters(straighten_angle=5.0))
    assert refused.value.field == "straighten.angle"
    assert packshot(cut, rules(), PackshotParameters(straighten_angle=0.0)).placement.angle_deg == 0


@pytest.mark.parametrize("degrees", ["46", "-45.1", "nan", "auto", ""])
def test_no_other_side_comes_up(degrees: str) -> None:
    with pytest.raises(BadParameters) as refused:
        PackshotParameters.parse({"straighten.angle": degrees})
    assert refused.value.field == "straighten.angle"
