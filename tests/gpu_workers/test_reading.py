"""Reading what is written on products: found, read, the same in a picture, and told where it was laid over one."""

import io
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import zxingcpp
from numpy.typing import NDArray
from PIL import Image

from gpu_workers.imaging.encoding import lossless
from gpu_workers.imaging.metadata import Metadata
from gpu_workers.imaging.writing import Writing, moved, text_of, writing_in
from gpu_workers.models.fetch import fetch_all
from gpu_workers.reading.comparing import Shown, compared, edit_distance, likeness, overlaid
from gpu_workers.reading.opening import open_reader
from gpu_workers.reading.photograph import measures_of, read_photograph, words_over
from gpu_workers.reading.reader import Reader
from gpu_workers.reading.recognising import Recognised
from gpu_workers.sources.decoding import decode
from streams.runtime.settings import Settings
from tests.gpu_workers.labels import BOX, WORDS, Rgb, box_with, cut_out, warped, write

CATALOGUE = Path(__file__).parents[2] / "loadtest/rendering/catalogue/photographs"


@pytest.fixture(scope="module")
def reader() -> Iterator[Reader]:
    folder = Settings().weights_folder
    fetch_all(folder, print)
    with open_reader(folder) as opened:
        yield opened


@pytest.fixture(scope="module")
def label(reader: Reader) -> Writing:
    photograph = box_with()
    return read_photograph(photograph, cut_out(photograph), reader)


def shown(picture: Rgb, scale: float = 0.8) -> Shown:
    """A photograph's product on a canvas, as a packshot has it."""
    rgba = cut_out(picture)
    size = (round(rgba.shape[1] * scale), round(rgba.shape[0] * scale))
    small = cv2.resize(rgba, size, interpolation=cv2.INTER_AREA)
    alpha = small[..., 3:].astype(np.float32) / 255
    rgb = np.rint(small[..., :3] * alpha + 255 * (1 - alpha)).astype(np.uint8)
    return Shown(rgb, small[..., 3], np.diag([scale, scale, 1.0]))


def planted(change: Rgb) -> Shown:
    """A picture in which the label was changed on the way."""
    return shown(change)


def in_label() -> tuple[slice, slice]:
    left, top, right, bottom = BOX
    return slice(top, bottom + 1), slice(left, right + 1)


def mirrored() -> Rgb:
    changed = box_with().copy()
    part = in_label()
    changed[part] = changed[part][:, ::-1]
    return changed


def swapped_glyph() -> Rgb:
    return box_with(("OLIVABA", *WORDS[1:]))


def swapped_lines() -> Rgb:
    return box_with((WORDS[0], WORDS[2], WORDS[1]))


def wavy() -> Rgb:
    changed = box_with().copy()
    part = in_label()
    changed[part] = warped(np.ascontiguousarray(changed[part]), 0.02)
    return changed


def smeared() -> Rgb:
    changed = box_with().copy()
    part = in_label()
    changed[part] = cv2.GaussianBlur(changed[part], (0, 0), 14)
    return changed


def test_lines_are_read_with_where_they_are_and_how_high(label: Writing) -> None:
    assert {each.text for each in label.lines} >= {*WORDS}
    first = next(each for each in label.lines if each.text == WORDS[0])
    assert first.inside == 1
    assert first.confidence > 0.9
    assert 26 < first.x_height_px < 42, "an x of Pillow's font of 64 px is 34 px high"
    assert 330 < first.quad[0] < 365


def test_the_same_label_on_a_canvas_is_the_same(label: Writing, reader: Reader) -> None:
    for scale in (1.0, 0.8, 0.5):
        found = compared(label, box_with(), shown(box_with(), scale), reader)
        assert (found["text_edit_distance"], found["text_lost"], found["text_compared"]) == (0, 0, 3)
        assert found["text_contrast_kept"] > 0.8, "the gate wants 0.75"
    assert found["text_x_height_px"] > 8


@pytest.mark.parametrize("plant", [mirrored, swapped_glyph, swapped_lines, wavy, smeared])
def test_a_label_that_was_changed_is_caught(plant: object, label: Writing, reader: Reader) -> None:
    assert callable(plant)
    found = compared(label, box_with(), planted(plant()), reader)
    assert found["text_edit_distance"] > 0


def test_a_line_that_is_gone_is_lost_and_a_faded_one_has_lost_its_contrast(label: Writing, reader: Reader) -> None:
    gone = compared(label, box_with(), shown(box_with(("", *WORDS[1:]))), reader)
    assert gone["text_lost"] == 1
    faded = compared(label, box_with(), shown(box_with(ink=(150, 140, 120))), reader)
    assert faded["text_contrast_kept"] < 0.6


def test_letters_that_become_too_small_are_reported_by_their_height(label: Writing, reader: Reader) -> None:
    found = compared(label, box_with(), shown(box_with(), 0.15), reader)
    assert found["text_compared"] == 0
    assert found["text_x_height_px"] < 8


def test_words_beside_the_product_and_across_it_are_reported_of_the_source(reader: Reader) -> None:
    picture = Image.fromarray(box_with())
    write(picture, "SALE 50% OFF", (920, 40), 36, (200, 0, 0))
    over = np.asarray(picture, np.uint8)
    measures = measures_of(read_photograph(over, cut_out(over), reader), plain_ground=True)
    assert measures["overlay_words"] == 1
    assert measures["watermark_words"] == 0
    assert measures_of(read_photograph(over, cut_out(over), reader), plain_ground=False)["overlay_words"] == 0
    write(picture, "stockphotos", (640, 900), 90, (120, 120, 120))
    across = np.asarray(picture, np.uint8)
    assert measures_of(read_photograph(across, cut_out(across), reader), plain_ground=True)["watermark_words"] == 1


def test_a_cutout_of_its_own_alpha_brings_no_words_that_are_islands(reader: Reader) -> None:
    photograph = box_with()
    picture = Image.fromarray(photograph)
    write(picture, "NEW PRICE", (930, 60), 40, (200, 0, 0))
    rgba = cut_out(np.asarray(picture, np.uint8))
    words = np.asarray(picture, np.int16) - photograph
    rgba[np.abs(words).max(axis=2) > 30] = (200, 0, 0, 255)
    measures = measures_of(read_photograph(rgba, rgba, reader), plain_ground=True)
    assert (measures["overlay_words"], measures["words"]) == (1, 3)


def test_text_beside_the_product_in_a_picture_is_a_share_of_it(reader: Reader) -> None:
    clean = shown(box_with())
    assert overlaid(clean, reader)["text_overlay_share"] == 0
    picture = Image.fromarray(clean.rgb)
    write(picture, "LOWEST PRICE", (20, 20), 44, (200, 0, 0))
    assert (
        overlaid(Shown(np.asarray(picture, np.uint8), clean.mask, clean.transform), reader)["text_overlay_share"]
        > 0.005
    )


def qr(text: str) -> NDArray[np.uint8]:
    code = zxingcpp.create_barcode(text, zxingcpp.BarcodeFormat.QRCode)
    small = np.array(code.to_image(scale=1, add_quiet_zones=True))
    return np.asarray(cv2.resize(small, (240, 240), interpolation=cv2.INTER_NEAREST), np.uint8)


def with_code(text: str) -> Rgb:
    photograph = box_with().copy()
    photograph[760:1000, 480:720] = qr(text)[..., None]
    return photograph


def test_a_code_says_the_same_before_and_after(reader: Reader) -> None:
    photograph = with_code("https://shop.example/4006381333931")
    writing = read_photograph(photograph, cut_out(photograph), reader)
    assert [each.text for each in writing.codes] == ["https://shop.example/4006381333931"]
    assert compared(writing, photograph, shown(photograph), reader)["codes_lost"] == 0
    other = with_code("https://shop.example/0000000000000")
    assert compared(writing, photograph, shown(other), reader)["codes_lost"] == 1
    tiny = compared(writing, photograph, shown(photograph, 0.08), reader)
    assert tiny["codes_lost"] == 0, "what a size alone makes unreadable was not changed"


def test_writing_goes_with_a_picture_and_a_note_of_others_is_none(label: Writing) -> None:
    picture = decode(lossless(cut_out(box_with()), Metadata(writing=label)))
    assert picture.metadata.writing == label
    assert writing_in(["{", "[1]", '{"lines": 3}']) is None
    assert writing_in(["no", text_of(label)]) == label
    twice = moved(label, np.diag([2.0, 2.0, 1.0]))
    assert twice.lines[0].quad[0] == pytest.approx(2 * label.lines[0].quad[0], abs=0.1)


@pytest.mark.parametrize(
    ("one", "other", "distance"), [("", "", 0), ("abc", "abd", 1), ("abc", "", 3), ("ab", "ba", 2)]
)
def test_edit_distance(one: str, other: str, distance: int) -> None:
    assert edit_distance(one, other) == distance


def line_of(words: tuple[str, ...], quality: int) -> Rgb:
    """The first line of a label at half its size, as a JPEG has it."""
    part = Image.fromarray(box_with(words)[240:325, 340:830]).resize((245, 42), Image.Resampling.LANCZOS)
    stream = io.BytesIO()
    part.save(stream, "JPEG", quality=quality)
    return np.asarray(Image.open(stream), np.uint8)


@pytest.mark.parametrize("quality", [95, 85])
def test_a_misread_line_looks_alike_and_one_with_another_letter_does_not(quality: int) -> None:
    plain = np.asarray(cv2.resize(box_with()[240:325, 340:830], (245, 42), interpolation=cv2.INTER_AREA), np.uint8)
    assert likeness(line_of(WORDS, quality), plain) > 0.975
    for word in ("OLIVABA", "OLLVARA", "QLIVARA", "OLIVAR"):
        assert likeness(line_of((word, *WORDS[1:]), quality), plain) < 0.975
    assert likeness(np.full_like(plain, 200), np.full_like(plain, 90)) == 1


@pytest.mark.parametrize(("plain_ground", "count"), [(True, 2), (False, 1)])
def test_words_over_a_picture_lie_beside_its_product_on_a_plain_ground_or_across_its_outline(
    plain_ground: bool, count: int
) -> None:
    product = np.zeros((200, 200), np.uint8)
    product[60:140, 60:140] = 255
    places = {
        "beside": (10, 10, 90, 30),
        "across": (30, 90, 100, 110),
        "on it": (70, 70, 130, 90),
        "so": (10, 170, 90, 190),
    }
    boxes = [np.array([(x, y), (right, y), (right, low), (x, low)], float) for x, y, right, low in places.values()]
    words = iter([Recognised("SALE", 0.95), Recognised("WATER", 0.99), Recognised("no", 0.99)])
    reader = Reader(lambda _: boxes, lambda _: next(words), "")
    if not plain_ground:
        words = iter([Recognised("WATER", 0.99)])
    rgb = np.full((200, 200, 3), 255, np.uint8)
    for x, y, right, low in places.values():
        rgb[y:low:3, x:right] = 90
    assert words_over(rgb, product, reader, plain_ground=plain_ground) == count


def _never(_: object) -> list[np.ndarray[tuple[int, ...], np.dtype[np.float64]]]:
    raise AssertionError("it looks for text where none can be")


def test_where_nothing_beside_the_product_has_an_edge_no_text_is_looked_for() -> None:
    product = np.zeros((900, 900), np.uint8)
    product[300:600, 300:600] = 255
    rgb = np.full((900, 900, 3), 250, np.uint8)
    rgb[300:600, 300:600] = np.random.default_rng(1).integers(0, 255, (300, 300, 3))
    shadow = cv2.GaussianBlur(
        np.where(np.roll(product, 60, axis=1)[..., None] > 0, 120, 250).astype(np.float32), (0, 0), 35
    )
    soft = np.where(product[..., None] > 0, rgb, np.minimum(rgb, shadow[..., None])).astype(np.uint8)
    for bare in (rgb, soft):
        assert words_over(bare, product, Reader(_never, lambda _: Recognised("", 0), ""), plain_ground=True) == 0
    asked: list[object] = []

    def find(seen: object) -> list[np.ndarray[tuple[int, ...], np.dtype[np.float64]]]:
        asked.append(seen)
        return []

    reader = Reader(find, lambda _: Recognised("", 0), "")
    for number, (words, size, level) in enumerate((("SALE", 0.8, 0), ("studio", 1.2, 225), ("abc", 0.6, 200)), 1):
        marked = soft.copy()
        cv2.putText(marked, words, (40, 840), cv2.FONT_HERSHEY_DUPLEX, size, (level,) * 3, 1, cv2.LINE_AA)
        words_over(marked, product, reader, plain_ground=True)
        assert len(asked) == number, words
