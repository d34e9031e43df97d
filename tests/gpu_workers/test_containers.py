"""Which picture of a file is read, and what is refused by its real name."""

import io
import struct
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms

from gpu_workers.imaging.linear_light import eight_bit
from gpu_workers.sources.decoding import decode
from gpu_workers.sources.errors import CorruptPicture, NotAnImage, PictureError, TruncatedPicture, UnreadPicture
from gpu_workers.sources.media_types import sniff
from tests.gpu_workers.mangled_pictures import COUNT, KINDS
from tests.gpu_workers.test_decoding import blocks, written
from tests.gpu_workers.tiff_files import Page, tiff

SHORT = 25  # how many damaged files of a kind `make test` takes; `make test-long` takes the others
REDUCED, SUBFILE_TYPE, EXTRA_SAMPLES, PHOTOMETRIC = 1, 254, 338, 262


def large() -> NDArray[np.uint8]:
    return blocks(240, 360)


def small() -> NDArray[np.uint8]:
    return np.full((80, 120, 3), 9, np.uint8)


@pytest.mark.parametrize("big", [False, True], ids=["TIFF", "BigTIFF"])
@pytest.mark.parametrize("planar", [False, True], ids=["chunky", "planar"])
def test_every_shape_of_tiff_gives_the_same_picture(big: bool, planar: bool) -> None:
    assert np.array_equal(decode(tiff(Page(large(), planar=planar), big=big)).pixels, large())


@pytest.mark.parametrize(
    "pages",
    [
        [Page(small(), {SUBFILE_TYPE: [REDUCED]}), Page(large())],
        [Page(small()), Page(large())],
        [Page(small(), {SUBFILE_TYPE: [REDUCED]}, below=[Page(large())])],
        [Page(small(), below=[Page(large())])],
        [Page(small(), {255: [2]}), Page(large())],
        [Page(large(), below=[Page(small(), {SUBFILE_TYPE: [REDUCED]})])],
        [Page(large()), Page(small(), {SUBFILE_TYPE: [REDUCED]})],
    ],
    ids=["said", "not said", "in a SubIFD", "in a SubIFD, not said", "said the old way", "below", "behind"],
)
@pytest.mark.parametrize("big", [False, True], ids=["TIFF", "BigTIFF"])
def test_a_thumbnail_is_not_the_picture(pages: list[Page], big: bool) -> None:
    assert np.array_equal(decode(tiff(*pages, big=big)).pixels, large())


def test_of_pages_of_their_own_the_first_is_taken() -> None:
    other = blocks(300, 200)
    picture = decode(tiff(Page(large()), Page(other)))
    assert np.array_equal(picture.pixels, large())
    assert picture.frames == 2


@pytest.mark.parametrize("extras", [[0], [0, 0]])
def test_saved_selections_are_no_alpha(extras: list[int]) -> None:
    selections = np.full((*large().shape[:2], len(extras)), 77, np.uint8)
    picture = decode(tiff(Page(np.dstack([large(), selections]), {EXTRA_SAMPLES: extras})))
    assert not picture.had_alpha
    assert np.array_equal(picture.pixels, large())


@pytest.mark.parametrize("extras", [[2], [2, 0], [0, 2]])
def test_alpha_among_selections_is_found(extras: list[int]) -> None:
    more = np.stack([np.full(large().shape[:2], 77 if kind == 2 else 5, np.uint8) for kind in extras], axis=-1)
    picture = decode(tiff(Page(np.dstack([large(), more]), {EXTRA_SAMPLES: extras})))
    assert np.array_equal(picture.pixels, np.dstack([large(), np.full(large().shape[:2], 77, np.uint8)]))


def test_colours_that_are_multiplied_by_alpha_are_not_dark() -> None:
    alpha = np.full((*large().shape[:2], 1), 128, np.uint8)
    premultiplied = np.rint(large() * (128 / 255)).astype(np.uint8)
    picture = decode(tiff(Page(np.dstack([premultiplied, alpha]), {EXTRA_SAMPLES: [1]})))
    assert np.abs(picture.pixels[..., :3].astype(int) - large()).max() <= 1


def test_inks_with_a_saved_selection() -> None:
    inks = np.zeros((80, 120, 5), np.uint8)
    inks[..., 4] = 200
    picture = decode(tiff(Page(inks, {EXTRA_SAMPLES: [0], PHOTOMETRIC: [5]})))
    assert picture.pixels.shape == (80, 120, 3)
    assert picture.pixels.min() >= 245


@pytest.mark.parametrize("extra", [False, True])
def test_lab_is_read(extra: bool) -> None:
    srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    converted = ImageCms.profileToProfile(Image.fromarray(blocks()), srgb, lab, outputMode="LAB")
    assert converted is not None
    samples = np.asarray(converted)
    if extra:
        samples = np.dstack([samples, np.full(samples.shape[:2], 9, np.uint8)])
    picture = decode(tiff(Page(samples, {PHOTOMETRIC: [8], **({EXTRA_SAMPLES: [0]} if extra else {})})))
    assert np.abs(eight_bit(picture.pixels).astype(int) - blocks()).max() <= 4


@pytest.mark.parametrize(
    ("pages", "named"),
    [
        ([Page(small(), {50706: [1, 4, 0, 0], SUBFILE_TYPE: [1]}, below=[Page(large())])], "DNG"),
        ([Page(small(), below=[Page(large()[..., :1], {PHOTOMETRIC: [32803]})])], "raw TIFF"),
        ([Page(large().astype(np.float32), {339: [3, 3, 3]})], "32 bits, floating-point"),
        ([Page(large().astype(np.uint32))], "32 bits, whole"),
    ],
)
def test_what_a_tiff_can_hold_besides_is_refused_by_its_name(pages: list[Page], named: str) -> None:
    with pytest.raises(UnreadPicture, match=named):
        decode(tiff(*pages))


def test_a_cameras_raw_file_is_named_by_its_maker() -> None:
    data = bytearray(tiff(Page(small(), {271: [0]}, below=[Page(large()[..., :1], {PHOTOMETRIC: [32803]})])))
    at = data.index(struct.pack("<HHI", 271, 3, 1))
    data[at : at + 12] = struct.pack("<HHII", 271, 2, 18, len(data))
    with pytest.raises(UnreadPicture, match="NEF"):
        decode(bytes(data) + b"NIKON CORPORATION\0")


def _zip() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("shoe.jpg", b"x")
    return stream.getvalue()


FOREIGN = {
    "PSD": b"8BPS\0\1" + bytes(30),
    "JPEG XL": b"\xff\x0a\xfa\x1f",
    "JPEG 2000": written(blocks(), "JPEG2000"),
    "SVG": b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'/>",
    "PDF": written(blocks(), "PDF"),
    "MP4": b"\0\0\0\x18ftypisom\0\0\2\0isomiso2",
    "MOV": b"\0\0\0\x14ftypqt  \0\0\2\0qt  ",
    "ZIP": _zip(),
    "EPS": written(blocks(), "EPS"),
    "CR2": b"II*\0\x10\0\0\0CR\2\0" + bytes(40),
    "CR3": b"\0\0\0\x18ftypcrx \0\0\0\1crx isom",
    "RAF": b"FUJIFILMCCD-RAW 0201" + bytes(40),
    "ORF": b"IIRO\x08\0\0\0" + bytes(40),
    "ICO": written(blocks(64, 64), "ICO"),
    "TGA": written(blocks(), "TGA"),
    "PCX": written(blocks(), "PCX"),
    "PPM": written(blocks(), "PPM"),
    "DDS": written(blocks(), "DDS"),
    "AVI": b"RIFF\0\0\0\0AVI LIST",
    "gzip": b"\x1f\x8b\x08" + bytes(20),
    "zeros": bytes(2000),
}


@pytest.mark.parametrize(("named", "data"), FOREIGN.items(), ids=FOREIGN.keys())
def test_foreign_formats_are_refused_by_their_names(named: str, data: bytes) -> None:
    with pytest.raises(NotAnImage, match=named):
        sniff(data)


def test_heic_is_refused_by_its_name() -> None:
    avif = written(blocks(), "AVIF")
    heic = avif.replace(b"ftypavif", b"ftypheic", 1).replace(b"av01", b"hvc1").replace(b"av1C", b"hvcC")
    with pytest.raises(UnreadPicture, match="HEIC"):
        decode(heic)


def test_a_bitmap_that_lies_about_its_palette_is_an_answer() -> None:
    data = bytearray(written(Image.fromarray(blocks()).convert("P"), "BMP"))
    data[46:50] = struct.pack("<I", 100_000)
    with pytest.raises(PictureError):
        decode(bytes(data))


def test_an_empty_run_length_bitmap_is_an_answer() -> None:
    data = bytearray(written(Image.fromarray(blocks()).convert("P"), "BMP"))
    data[30:34] = struct.pack("<I", 1)
    for body in (b"", b"\0", b"\0\2", b"\0\2\5", b"\0\0" * 400):
        with pytest.raises((CorruptPicture, TruncatedPicture)):
            decode(bytes(data[: struct.unpack("<I", data[10:14])[0]]) + body)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("first", "count"), [(0, SHORT), pytest.param(SHORT, COUNT - SHORT, marks=pytest.mark.long)])
def test_whatever_is_damaged_is_an_answer(kind: str, first: int, count: int) -> None:
    """In a process of its own, so that one that crashes or hangs is told with the number of the file that did it."""
    run = subprocess.run(
        [sys.executable, "-m", "tests.gpu_workers.mangled_pictures", kind, str(first), str(count)],
        capture_output=True,
        text=True,
        timeout=1000,
    )
    assert run.returncode == 0, f"{run.stdout[-200:]} {run.stderr[-2000:]}"
