"""How a picture looks beside others."""

import numpy as np
import pytest

from gpu_workers.quality.looks import look_measures


def picture(
    ground: int = 255, left: int = 60, top: int = 60, right: int = 60, bottom: int = 60, tone: int = 120
) -> np.ndarray:
    """A grey block on a plain ground, 300 px."""
    made = np.full((300, 300, 3), ground, np.uint8)
    made[top : 300 - bottom, left : 300 - right] = tone
    return made


def test_margin_and_scale_are_those_of_the_product() -> None:
    found = look_measures(picture(left=30))
    assert found["look_margin"] == pytest.approx(0.1, abs=0.01)
    assert found["look_scale"] == pytest.approx(180 * 210 / 300**2, abs=0.02)
    assert found["look_ground"] == pytest.approx(100, abs=0.1)


@pytest.mark.parametrize(("first", "last"), [("left", "right"), ("right", "left"), ("top", "bottom")])
def test_the_margin_is_the_least_room_on_any_side(first: str, last: str) -> None:
    assert look_measures(picture(**{first: 15, last: 90}))["look_margin"] == pytest.approx(0.05, abs=0.01)


def test_light_comes_from_where_the_product_is_lighter() -> None:
    lit = picture().astype(np.float32)
    lit[60:240, 60:240] += np.linspace(-60, 60, 180)[None, :, None]
    found = look_measures(lit.astype(np.uint8))
    assert found["look_light_x"] > 15
    assert abs(found["look_light_y"]) < 1
    mirrored = look_measures(np.ascontiguousarray(lit[:, ::-1].astype(np.uint8)))
    assert mirrored["look_light_x"] == pytest.approx(-found["look_light_x"], abs=1)


def test_a_warm_ground_is_reported() -> None:
    made = picture()
    made[(made == 255).all(axis=2)] = (250, 240, 220)
    assert look_measures(made)["look_ground_warmth"] > 5


def test_a_see_through_picture_has_no_ground() -> None:
    alpha = np.zeros((300, 300, 1), np.uint8)
    alpha[60:240, 60:240] = 255
    found = look_measures(np.concatenate([picture(), alpha], axis=2))
    assert "look_ground" not in found
    assert found["look_scale"] == pytest.approx(0.36, abs=0.02)


@pytest.mark.parametrize("shape", [(1, 1, 3), (300, 300, 3), (2, 5000, 3), (64, 64, 4)])
def test_a_picture_of_nothing_has_no_looks(shape: tuple[int, ...]) -> None:
    assert look_measures(np.zeros(shape, np.uint8)) == {}


def test_sixteen_bits_look_as_eight_do() -> None:
    wide = look_measures(picture().astype(np.uint16) * 257)
    assert wide["look_margin"] == look_measures(picture())["look_margin"]
