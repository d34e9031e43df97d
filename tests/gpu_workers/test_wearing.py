"""Who wears a product: seen with it or not, cut off with it or alone, in photographs and in suppliers' own cutouts."""

from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from gpu_workers.imaging.encoding import encode
from gpu_workers.operations.cutout import uncertainty, wearing
from gpu_workers.operations.cutout.cutout import cutout
from gpu_workers.operations.packshot.measures import measure
from gpu_workers.operations.packshot.packshot import packshot
from gpu_workers.operations.packshot.placement import cut_off
from schemas import channels
from schemas.operations.cutout import CutoutParameters
from streams.flow.gates.edges import UNCERTAINTY_MAX
from streams.flow.processors.judging import judge
from tests.gpu_workers.products import block, mug
from tests.streams.flow import GOOD, OF_OPERATION

SKIN, CLOTH, WALL = (210, 160, 135), (40, 60, 140), (120, 135, 120)
HEIGHT_PX, WIDTH_PX = 480, 360
Picture = NDArray[np.uint8]


def wearer(hem: int) -> tuple[Picture, NDArray[np.float32]]:
    """Somebody in a blue shirt down to row `hem`, cut off at the neck and at the legs: RGB, and where they are."""
    people = np.zeros((HEIGHT_PX, WIDTH_PX), np.float32)
    people[:60, 150:210] = 1
    people[60:, 100:260] = 1
    rgb = np.full((HEIGHT_PX, WIDTH_PX, 3), WALL, np.uint8)
    rgb[people > 0] = SKIN
    rgb[60:hem, 100:260] = CLOTH
    return rgb, people


def own_cutout(rgb: Picture, alpha: NDArray[np.float32]) -> Picture:
    return np.dstack([rgb, (alpha * 255).astype(np.uint8)])


@pytest.mark.parametrize(("hem", "cropped"), [(400, 0), (HEIGHT_PX, 1)], ids=["the legs", "the shirt"])
def test_the_frame_may_cut_off_the_wearer_but_not_what_is_worn(hem: int, cropped: int) -> None:
    rgb, people = wearer(hem)
    assert wearing.cropped_edges(rgb, (people * 255).astype(np.uint8)) == cropped
    measures = {f"cutout.{name}": value for name, value in whole(rgb, people).items()}
    found = {**GOOD, **measures, "cropped_edges": 2.0, "floating_cuts": 0.0}
    assert (judge(found, channels.load("amazon", "Shirts"), "packshot").outcome == "pass") is (cropped == 0)
    assert judge({**found, "floating_cuts": 1.0}, channels.load("amazon", "Shirts"), "packshot").outcome == "review"
    assert judge(found, channels.load("amazon", "Kids > Shirts"), "packshot").outcome == "review"
    assert judge(found, channels.load("zalando", "Shirts"), "packshot").outcome == "review"


@pytest.mark.parametrize(
    ("channel", "category", "outcome"),
    [("amazon", "Shirts", "pass"), ("amazon", "Kids > Shirts", "review"), ("zalando", "Shirts", "review")],
)
def test_whether_people_may_be_seen_is_for_the_channel_to_say(channel: str, category: str, outcome: str) -> None:
    rules = channels.load(channel, category)
    found = {**GOOD, "cutout.uncertainty": 0.0, "cutout.person_share": 0.3}
    verdict = judge(found, rules, "packshot")
    assert {check.name: check.outcome for check in verdict.checks}["cutout.person_share"] == outcome


def whole(rgb: Picture, people: NDArray[np.float32]) -> dict[str, float]:
    """The measures of somebody with what they wear, cut out by a supplier."""
    return cutout(own_cutout(rgb, people), never, CutoutParameters(subject="everything"), lambda _: people).measures


def never(_picture: Picture) -> NDArray[np.float32]:
    raise AssertionError("what is cut out already is not cut out again")


@pytest.mark.parametrize(("subject", "unsure"), [("auto", True), ("product", True), ("everything", False)])
def test_people_are_looked_for_in_what_a_supplier_cut_out(subject: Any, unsure: bool) -> None:
    rgb, people = wearer(400)
    made = cutout(own_cutout(rgb, people), never, CutoutParameters(subject=subject), lambda _: people)
    assert made.measures["person_share"] > 0.1
    assert (made.measures["uncertainty"] > UNCERTAINTY_MAX) is unsure
    assert made.measures["worn"] == float(not unsure)


def test_a_hand_that_holds_something_is_seen() -> None:
    rgb = np.full((HEIGHT_PX, WIDTH_PX, 3), CLOTH, np.uint8)
    rgb[300:400, 40:120] = SKIN
    alpha, hand = np.zeros((2, HEIGHT_PX, WIDTH_PX), np.float32)
    alpha[80:400, 40:320] = 1
    hand[290:410, 30:130] = 1
    made = cutout(own_cutout(rgb, alpha), never, CutoutParameters(subject="product"), lambda _: hand)
    assert made.measures["person_share"] > wearing.PERSON_SHARE_MAX
    assert made.measures["uncertainty"] > UNCERTAINTY_MAX


def test_skin_of_nobody_who_wears_the_product_is_doubt_whatever_was_wanted() -> None:
    rgb = np.full((HEIGHT_PX, WIDTH_PX, 3), WALL, np.uint8)
    product = np.zeros((HEIGHT_PX, WIDTH_PX), np.float32)
    product[200:300, 150:210] = 1
    rgb[product > 0] = CLOTH
    rgb[200:225, 150:210] = SKIN
    made = cutout(
        rgb,
        _stands_out,
        CutoutParameters(subject="everything"),
        lambda seen: np.ones(seen.shape[:2], np.float32),
    ).measures
    assert (made["worn"], made["person_share"] > 0.1) == (0, True)
    assert uncertainty.uncertainty(made) < UNCERTAINTY_MAX < made["uncertainty"]


def _stands_out(seen: Picture) -> NDArray[np.float32]:
    return np.asarray((np.abs(seen.astype(int) - WALL).sum(axis=2) > 60).astype(np.float32))


def test_where_nobody_is_seen_a_supplier_s_cutout_is_sure() -> None:
    measures = cutout(mug(), never, None, lambda picture: np.zeros(picture.shape[:2], np.float32)).measures
    assert (measures["person_share"], measures["uncertainty"], measures["worn"]) == (0, 0, 0)


def test_the_wearer_s_coarser_outline_adds_nothing_along_the_product() -> None:
    rgb, people = wearer(400)
    product = np.zeros_like(people)
    product[60:400, 106:254] = 1  # a sliver of six pixels is left out on either side
    found = wearing.wearers(rgb, people, product)
    assert found is not None
    assert found[100:380, 100:104].max() == 0
    assert found[420:470, 120:240].min() == 1  # the legs
    assert found[398:404, 120:240].min() == 1  # and no seam between


@pytest.mark.parametrize("margin_px", [0, 1, 2])
@pytest.mark.parametrize("edge", ["left", "top", "right", "bottom"])
def test_a_straight_cut_near_the_frame_is_a_cut(edge: str, margin_px: int) -> None:
    alpha = np.zeros((200, 300), np.uint8)
    alpha[60:140, 60:240] = 255
    rows, columns = {
        "left": (slice(60, 140), slice(margin_px, 240)),
        "top": (slice(margin_px, 140), slice(60, 240)),
        "right": (slice(60, 140), slice(60, 300 - margin_px)),
        "bottom": (slice(60, 200 - margin_px), slice(60, 240)),
    }[edge]
    alpha[rows, columns] = 255
    assert cut_off(alpha) == (edge,)


@pytest.mark.parametrize("radius_px", [60, 348])
def test_a_ball_near_the_frame_is_not_cut(radius_px: int) -> None:
    alpha = np.zeros((900, 900), np.uint8)
    cv2.circle(alpha, (450, 897 - radius_px), radius_px, 255, cv2.FILLED, cv2.LINE_AA)
    assert cut_off(alpha) == ()


@pytest.mark.parametrize(("name", "floating"), [("shopify", 0), ("zalando", 2)])
def test_who_is_cut_off_twice_reaches_across_the_canvas_or_is_said_to_float(name: str, floating: int) -> None:
    rgba = block(1400, 1500, (200, 0, 1200, 1500))
    channel = channels.load(name, "Shirts")
    rendered = packshot(rgba, channel)
    found = measure(encode(rendered.canvas, channel).data, rendered, channel)
    assert found["floating_cuts"] == floating


def edges_of_own_alpha(rgba: Picture) -> tuple[dict[str, float], set[str]]:
    """The measures of a supplier's cut-out, and what of its edges waits for a person."""
    rendered = packshot(rgba, channels.load("web"))
    found = measure(encode(rendered.canvas, channels.load("web")).data, rendered, channels.load("web"))
    fields = {f"cutout.{name}": value for name, value in {**OF_OPERATION["cutout"], "has_own_alpha": 1.0}.items()}
    verdict = judge({**found, **fields}, channels.load("web"), "transparent")
    return found, {check.name for check in verdict.checks if check.point == "edges" and check.outcome != "pass"}


def test_panes_that_a_supplier_made_see_through_are_no_soft_edge() -> None:
    glasses = block(400, 200, (40, 60, 360, 140))
    glasses[68:132, 48:190, 3] = glasses[68:132, 210:352, 3] = 110
    haze = with_blur(block(400, 200, (100, 60, 300, 140)), 20)
    for rgba, waits in ((glasses, False), (haze, True)):
        found, doubtful = edges_of_own_alpha(rgba)
        assert found["alpha_partial_share"] > 0.5
        assert ("alpha_soft_share" in doubtful) is waits


@pytest.mark.parametrize("level", [140, 200, 245])
def test_a_ghost_is_no_pane(level: int) -> None:
    """See-through as evenly as a lens, but with nothing about it; a part of it may be solid."""
    mannequin = block(400, 200, (40, 40, 360, 160))
    mannequin[40:160, 40:360, 3] = level
    mannequin[80:120, 180:220, 3] = 255
    found, doubtful = edges_of_own_alpha(mannequin)
    assert found["alpha_soft_share"] < 0.5
    assert doubtful == {"alpha_open_rim_share"}


def with_blur(rgba: Picture, spread_px: float) -> Picture:
    rgba[..., 3] = cv2.GaussianBlur(rgba[..., 3], (0, 0), spread_px)
    rgba[..., :3] = 90
    return rgba
