"""Where people are: the network as it was published, and what it has to do with doubt."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from gpu_workers.models.loader import WeightsCorrupt, WeightsMissing
from gpu_workers.models.people import PUBLISHED, People
from gpu_workers.operations.cutout import uncertainty
from schemas import channels
from streams.flow.gates import channel
from streams.flow.gates.channel import PERSON_SHARE
from tests.gpu_workers.mannequins import mannequins

WEIGHTS = Path(__file__).parents[2] / ".cache" / "weights"
SKIN, CLOTH = (210, 160, 135), (40, 60, 140)


def figure() -> NDArray[np.uint8]:
    """Someone from the front, roughly: head, shirt and arms before a grey wall."""
    picture = np.full((480, 360, 3), 200, np.uint8)
    cv2.ellipse(picture, (180, 380), (110, 190), 0, 0, 360, CLOTH, cv2.FILLED)
    cv2.rectangle(picture, (160, 150), (200, 220), SKIN, cv2.FILLED)
    cv2.ellipse(picture, (180, 110), (48, 64), 0, 0, 360, SKIN, cv2.FILLED)
    cv2.ellipse(picture, (180, 75), (56, 44), 0, 180, 360, (60, 40, 30), cv2.FILLED)
    for x in (162, 198):
        cv2.circle(picture, (x, 105), 6, (40, 30, 30), cv2.FILLED)
    cv2.ellipse(picture, (180, 140), (16, 6), 0, 0, 180, (150, 60, 60), cv2.FILLED)
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), 1.5), np.uint8)


def test_a_person_is_seen_and_a_box_is_not() -> None:
    people = People(WEIGHTS)
    box = np.full((300, 300, 3), 220, np.uint8)
    box[80:220, 90:210] = (30, 110, 60)
    answered = people(figure())
    seen = cv2.resize(answered, (360, 480))
    assert seen[90:130, 150:210].mean() > 0.8
    assert people(box).max() < 0.2
    np.testing.assert_array_equal(people(figure()), answered)


def test_a_file_that_is_not_the_published_one_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsMissing, match=PUBLISHED.file):
        People(tmp_path)
    (tmp_path / PUBLISHED.file).write_bytes(b"else")
    with pytest.raises(WeightsCorrupt, match=PUBLISHED.sha256):
        People(tmp_path)


@pytest.mark.parametrize(
    ("colour", "people", "share"),
    [(SKIN, 1.0, 0.5), (CLOTH, 1.0, 0.0), (SKIN, 0.0, 0.0)],
    ids=["worn", "a hoodie alone", "wood"],
)
def test_skin_counts_where_a_person_is(colour: tuple[int, int, int], people: float, share: float) -> None:
    picture = np.full((100, 100, 3), CLOTH, np.uint8)
    picture[:50] = colour
    solid = np.full((100, 100), 255, np.uint8)
    found = uncertainty.person_share(picture, np.full((100, 100), people, np.float32), solid)
    assert found == pytest.approx(share)


def alarms() -> set[str]:
    """The drawn mannequins on which a channel that takes nobody would have a person look."""
    people, found = People(WEIGHTS), set()
    for name, rgb, alpha in mannequins():
        seen = cv2.resize(people(rgb), rgb.shape[1::-1]).astype(np.float32)
        if uncertainty.person_share(rgb, seen, alpha) > PERSON_SHARE.limit:
            found.add(name)
    return found


def test_a_mannequin_is_no_person_but_where_it_has_the_colour_of_skin() -> None:
    assert {name for name in alarms() if not name.startswith("skin ")} == set()


@pytest.mark.parametrize("category", ["Bras", "Women's Swimwear", "Herren Underwear"])
def test_on_channels_that_show_clothes_worn_no_mannequin_is_an_alarm(category: str) -> None:
    takes_people = [name for name in channels.names() if channels.load(name, category).people]
    assert {"amazon", "google", "tiktok", "ebay"} <= {*takes_people}
    for name in takes_people:
        checks = channel.checks({"cutout.person_share": 1.0}, channels.load(name, category))
        assert [each.outcome for each in checks if each.name == "cutout.person_share"] == ["pass"]
