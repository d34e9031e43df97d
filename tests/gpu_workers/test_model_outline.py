"""A top's landmarks: found where they were drawn, and refused by name where there are none."""

import numpy as np
import pytest
from numpy.typing import NDArray

from gpu_workers.operations.model.outline import UnsupportedGarment, corners, outline
from tests.gpu_workers import tees

CM = tees.PX_PER_CM


def test_landmarks_are_where_they_were_drawn() -> None:
    picture = tees.tee()
    found = outline(picture[..., :3], picture[..., 3])
    middle = picture.shape[1] / 2
    for side, sign in ((found.left, -1), (found.right, 1)):
        for point, true in ((side.neck, tees.NECK), (side.armpit, tees.ARMPIT), (side.cuff[0], tees.CUFF_TOP)):
            at = ((point[0] - middle) / CM, 73 - point[1] / CM)
            assert np.hypot(at[0] - sign * true[0], at[1] - true[1]) < 1.5, (sign, true)
    assert found.chest_px / CM == pytest.approx(2 * tees.ARMPIT[0], abs=1.5)
    assert found.asymmetry < 0.03


def test_the_front_neckline_is_found_within_the_outline() -> None:
    picture = tees.tee()
    found = outline(picture[..., :3], picture[..., 3])
    deep_cm = (found.front_neck[:, 1].max() - found.left.neck[1]) / CM
    assert deep_cm == pytest.approx(tees.NECK_DEEP_CM, abs=1.0)


def test_one_sleeve_folded_away_shows_as_asymmetry() -> None:
    picture = tees.tee()
    whole = outline(picture[..., :3], picture[..., 3]).asymmetry
    picture[:, : picture.shape[1] // 2 - int(33 * CM)] = 0
    assert outline(picture[..., :3], picture[..., 3]).asymmetry > whole + 0.05


@pytest.mark.parametrize(
    ("picture", "says"),
    [
        (tees.trousers(), "no sleeves were found|outline's width"),
        (tees.tee(45.0), "long sleeves are not supported"),
        (np.zeros((300, 300, 4), np.uint8), "nothing is cut out"),
        (np.full((300, 300, 4), 255, np.uint8), "no sleeves were found"),
    ],
    ids=["trousers", "long sleeves", "nothing", "a square"],
)
def test_what_is_no_short_sleeved_top_is_refused_by_name(picture: NDArray[np.uint8], says: str) -> None:
    with pytest.raises(UnsupportedGarment, match=says) as caught:
        outline(picture[..., :3], picture[..., 3])
    assert (caught.value.code, caught.value.field) == ("unsupported_garment", "category")


def test_corners_of_a_bent_line() -> None:
    line = np.array([[x, 0.0] for x in range(20)] + [[19.0, y] for y in range(1, 20)])
    assert corners(line, 1) == [19]
