"""A person's marks on a photograph: what they say counts, and every pixel is the photograph's own."""

import time

import numpy as np
import pytest
from numpy.typing import NDArray

from gpu_workers.imaging.encoding import lossless
from gpu_workers.operations.cutout import retouching as strokes
from gpu_workers.operations.cutout.cutout import Cutout, NoSubject, cutout
from gpu_workers.operations.cutout.retouching import Retouching
from gpu_workers.pools.retouches import retouching_of
from schemas.retouching import Alike, BadRetouch, Box, Brush, Click, Mark, Retouch, Scribble, read, written
from streams.blobs import Blobs
from streams.runtime.errors import Refused
from tests.gpu_workers.cutouts import SIZE_PX, disc, photograph, sees_red
from tests.memory_store import MemoryStore

PRODUCT, STICKER = (80, 120, 45), (190, 120, 25)


@pytest.fixture(scope="module")
def picture() -> NDArray[np.uint8]:
    """Two red discs: the product, and what lies beside it."""
    return photograph(np.maximum(disc(*PRODUCT), disc(*STICKER)))


def cut(picture: NDArray[np.uint8], *marks: Mark, mask: NDArray[np.float32] | None = None) -> Cutout:
    digest = None if mask is None else "a" * 64
    return cutout(picture, sees_red, retouching=Retouching(Retouch(marks=list(marks), mask=digest), mask))


def at(result: Cutout, x: int, y: int) -> int:
    return int(result.rgba[y, x, 3])


def share(x: float, y: float) -> tuple[float, float]:
    return x / SIZE_PX, y / SIZE_PX


def test_a_click_takes_away_what_hangs_together_about_it(picture: NDArray[np.uint8]) -> None:
    plain = cutout(picture, sees_red)
    assert (at(plain, 80, 120), at(plain, 190, 120)) == (255, 255)
    x, y = share(190, 120)
    made = cut(picture, Click(x=x, y=y, keep=False))
    assert not made.rgba[:, 150:, 3].any()
    product = disc(*PRODUCT) == 1
    assert (made.rgba[..., 3][product] == 255).mean() > 0.97


def test_a_box_says_where_the_product_is(picture: NDArray[np.uint8]) -> None:
    left, top = share(20, 60)
    right, bottom = share(140, 180)
    made = cut(picture, Box(left=left, top=top, right=right, bottom=bottom, keep=True))
    assert (at(made, 80, 120), at(made, 190, 120)) == (255, 0)


def test_a_brush_is_exact_and_shows_the_photographs_own_pixels(picture: NDArray[np.uint8]) -> None:
    strokes = [Brush(points=[share(40, 40), share(100, 40)], radius=5 / SIZE_PX, keep=True)]
    strokes.append(Brush(points=[share(80, 120)], radius=8 / SIZE_PX, keep=False))
    made = cut(picture, *strokes)
    assert (made.rgba[38:43, 45:95, 3] == 255).all()
    assert not made.rgba[117:124, 77:84].any()
    solid = made.rgba[..., 3] == 255
    np.testing.assert_array_equal(made.rgba[solid][:, :3], picture[solid])
    assert made.rgba.tobytes() == cut(picture, *strokes).rgba.tobytes(), "equal strokes, equal bytes"


def test_a_scribble_is_known_and_what_is_about_it_is_solved(picture: NDArray[np.uint8]) -> None:
    only_product = np.zeros((SIZE_PX, SIZE_PX), np.float32)
    only_product[disc(*PRODUCT) > 0.5] = 1
    assert at(cut(picture, mask=only_product), 190, 120) == 0
    made = cut(
        picture, Scribble(points=[share(182, 120), share(198, 120)], radius=14 / SIZE_PX, keep=True), mask=only_product
    )
    assert at(made, 190, 120) == 255
    assert at(made, 225, 120) == 0, "the ground beside it is none of the product"
    edge = [at(made, x, 120) for x in range(212, 220)]
    assert edge == sorted(edge, reverse=True)


def test_a_later_mark_counts_over_an_earlier_one(picture: NDArray[np.uint8]) -> None:
    x, y = share(190, 120)
    keep = Brush(points=[(x, y)], radius=6 / SIZE_PX, keep=True)
    assert at(cut(picture, Click(x=x, y=y, keep=False), keep), 190, 120) == 255
    assert at(cut(picture, keep, Click(x=x, y=y, keep=False)), 190, 120) == 0


def test_what_a_supplier_cut_out_is_retouched_too(picture: NDArray[np.uint8]) -> None:
    alpha = np.rint(np.maximum(disc(*PRODUCT), disc(*STICKER)) * 255).astype(np.uint8)
    x, y = share(190, 120)
    made = cut(np.dstack([picture, alpha]), Click(x=x, y=y, keep=False))
    assert made.measures["has_own_alpha"] == 1
    assert (at(made, 80, 120), at(made, 190, 120)) == (255, 0)


def test_strokes_are_read_from_their_blob_for_their_photograph_alone() -> None:
    blobs = Blobs(MemoryStore())
    grey = np.full((70, 80), 128, np.uint8)
    mask = blobs.put(lossless(grey), "image/png")
    retouch = Retouch(marks=[Click(x=0.5, y=0.5, keep=True)], mask=mask, source="b" * 64)
    digest = blobs.put(written(retouch))
    found = retouching_of({"retouch": digest}, "b" * 64, blobs)
    assert found is not None
    assert found.retouch == retouch
    assert found.mask is not None
    assert (found.mask.shape, round(float(found.mask.mean()), 2)) == ((70, 80), 0.5)
    assert retouching_of({"retouch": digest}, "c" * 64, blobs) is None
    assert retouching_of({}, "b" * 64, blobs) is None
    with pytest.raises(Refused) as caught:
        retouching_of({"retouch": "d" * 64}, "b" * 64, blobs)
    assert (caught.value.code, caught.value.field) == ("input_lost", "retouch")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"{}", "marks"),
        (b'{"marks": [{"type": "click", "x": 2, "y": 0, "keep": true}]}', "x"),
        (b'{"marks": [{"type": "box", "left": 0.5, "top": 0, "right": 0.5, "bottom": 1, "keep": true}]}', "left"),
        (b'{"marks": [{"type": "paint", "colour": "red"}]}', "paint"),
        (b"nothing", "malformed"),
        (b'{"marks": [{"points": ' + b"[" * 100_000, "recursion"),
    ],
)
def test_a_bad_retouch_names_its_field(text: bytes, message: str) -> None:
    with pytest.raises(BadRetouch, match=message):
        read(text)


def test_what_looks_alike_goes_wherever_it_is_in_the_product(picture: NDArray[np.uint8]) -> None:
    """A blue grid shows through a red disc: a stroke over each, and all of the grid is gone."""
    grid = np.zeros((SIZE_PX, SIZE_PX), np.bool_)
    grid[:, 45:115:20] = grid[:, 46:116:20] = grid[:, 47:117:20] = grid[:, 48:118:20] = grid[:, 49:119:20] = True
    meshed = picture.copy()
    meshed[grid & (disc(*PRODUCT) == 1)] = (30, 60, 200)
    keep = Alike(points=[share(50 + 3, 100), share(60, 100)], radius=3 / SIZE_PX, keep=True)
    remove = Alike(points=[share(66, 105), share(68, 135)], radius=3 / SIZE_PX, keep=False)
    made = cut(meshed, keep, remove)
    inside = disc(80, 120, 38) == 1
    alpha = made.rgba[..., 3].astype(int)
    before = cutout(meshed, sees_red).rgba[..., 3]
    assert before[inside & grid].mean() > 200
    assert alpha[inside & grid].mean() < 40
    assert alpha[inside & ~grid].mean() > 215
    assert alpha[inside].tobytes() == cut(meshed, remove, keep).rgba[..., 3].astype(int)[inside].tobytes()


def test_the_network_is_asked_the_same_with_marks_as_without(picture: NDArray[np.uint8]) -> None:
    fields: dict[bool, list[bytes]] = {}
    marks = Retouching(Retouch(marks=[Box(left=0.1, top=0.2, right=0.6, bottom=0.8, keep=True)]))
    for retouching in (None, marks):
        pictures = fields.setdefault(retouching is None, [])

        def sees(rgb: NDArray[np.uint8], pictures: list[bytes] = pictures) -> NDArray[np.float32]:
            pictures.append(rgb.tobytes())
            return sees_red(rgb)

        cutout(picture, sees, retouching=retouching)
    assert fields[True] == fields[False]


def test_a_person_sees_what_the_network_does_not() -> None:
    plain = np.full((SIZE_PX, SIZE_PX, 3), 230, np.uint8)
    plain[60:180, 60:180] = (40, 120, 60)
    made = cut(plain, Brush(points=[share(70, 120), share(170, 120)], radius=60 / SIZE_PX, keep=True))
    assert at(made, 120, 120) == 255
    assert made.measures["agreement"] == 0
    with pytest.raises(NoSubject):
        cut(plain, Brush(points=[share(70, 120)], radius=10 / SIZE_PX, keep=False))


def test_strokes_of_as_many_points_as_may_be_are_drawn_at_once() -> None:
    places = np.random.default_rng(0).integers(0, 11, (20, 5000, 2)) / 10
    marks: list[Mark] = [Brush(points=[(x, y) for x, y in each], radius=0.5, keep=True) for each in places.tolist()]
    mask = np.zeros((1500, 2000), np.float32)
    began_s = time.process_time()
    Retouching(Retouch(marks=marks)).seeds(np.zeros((1500, 2000, 3), np.uint8), mask)
    assert time.process_time() - began_s < 15.0  # point by point it is 25 s, where nobody else is at work


@pytest.mark.parametrize("count", [1, 2, 30, 150])
def test_a_long_stroke_is_that_which_is_drawn_point_by_point(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    places = np.random.default_rng(count).random((count, 2)).tolist()
    mark = Brush(points=[(x, y) for x, y in places], radius=0.03, keep=True)
    for shares in (strokes.WHOLE, (0.2, 0.3, 0.7, 0.6)):
        drawn = strokes._stroke(mark, (400, 600), shares)
        with monkeypatch.context() as patch:
            patch.setattr(strokes, "_DRAWN_POINTS_MAX", 0)
            near = strokes._stroke(mark, (400, 600), shares)
        assert np.count_nonzero(drawn != near) <= 0.03 * drawn.sum()


def test_a_stroke_thicker_than_can_be_drawn_covers_a_narrow_strip() -> None:
    stroke = Retouch(marks=[Brush(points=[(0.0, 0.5)], radius=0.4, keep=True)])
    mask = np.zeros((40, 65_535), np.float32)
    found = Retouching(stroke).seeds(np.zeros((40, 65_535, 3), np.uint8), mask).keep
    assert found.all(axis=0).sum() == pytest.approx(0.4 * 65_535, rel=0.01)
