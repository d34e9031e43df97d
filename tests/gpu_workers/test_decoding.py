import io
import struct
import tracemalloc
import zlib
from typing import Any

import numpy as np
import pytest
import pyvips
from numpy.typing import NDArray
from PIL import Image, ImageCms, PngImagePlugin

from gpu_workers.imaging.linear_light import eight_bit, to_linear
from gpu_workers.imaging.metadata import Metadata, written_into, xmp
from gpu_workers.sources.decoding import DecodeLimits, decode
from gpu_workers.sources.errors import (
    CorruptPicture,
    NotAnImage,
    PictureError,
    TooFewPixels,
    TooManyPixels,
    TruncatedPicture,
    UnreadPicture,
)

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "AVIF", "BMP")


def blocks(height: int = 80, width: int = 120) -> NDArray[np.uint8]:
    """A picture whose corner blocks tell which way up it is: red at the top left, green at the top right."""
    pixels = np.full((height, width, 3), 128, np.uint8)
    pixels[:32, :32] = (220, 20, 20)
    pixels[:32, -32:] = (20, 200, 20)
    pixels[-32:, :32] = (20, 20, 220)
    return pixels


def written(image: Image.Image | NDArray[Any], kind: str = "PNG", **options: Any) -> bytes:
    stream = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(stream, kind, **options)
    return stream.getvalue()


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width: int, height: int, body: bytes, *, bits: int = 8, colour_type: int = 2) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(body)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_gives_the_same_picture(kind: str) -> None:
    picture = decode(written(blocks(), kind, **({"quality": 95} if kind in ("JPEG", "WEBP", "AVIF") else {})))
    assert picture.media_type == f"image/{kind.lower()}"
    assert picture.pixels.shape == (80, 120, 3)
    assert picture.pixels.dtype == np.uint8
    assert np.abs(picture.pixels[8:24, 8:24].astype(int) - (220, 20, 20)).max() <= 12
    assert (picture.bits, picture.had_alpha, picture.icc, picture.frames) == (8, False, "", 1)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation: int) -> None:
    upright = Image.fromarray(blocks())
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = upright.transpose(undo[orientation]) if orientation in undo else upright
    picture = decode(written(stored, "JPEG", quality=95, exif=exif))
    assert picture.orientation == orientation
    assert np.abs(picture.pixels.astype(int) - blocks()).mean() < 3


def test_sixteen_bits_stay_sixteen() -> None:
    samples = np.full((64, 64, 3), (60_001, 30_001, 101), ">u2")
    body = b"".join(b"\0" + row.tobytes() for row in samples)
    picture = decode(png(64, 64, body, bits=16))
    assert (picture.bits, picture.pixels.dtype) == (16, np.dtype(np.uint16))
    code = np.array([60_001, 30_001, 101]) / 65535
    light = np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4)
    assert np.abs(to_linear(picture.pixels[5, 5]) - light).max() < 1e-4


def test_grey_palette_and_bilevel_become_rgb() -> None:
    grey = Image.fromarray(np.full((64, 64), 90, np.uint8))
    assert decode(written(grey)).pixels[3, 3].tolist() == [90, 90, 90]
    deep = decode(written(Image.fromarray(np.full((64, 64), 40_000, np.uint16))))
    assert np.abs(deep.pixels[3, 3].astype(int) - 40_000).max() <= 4
    flat = Image.new("RGB", (64, 64), (10, 200, 30)).convert("P", palette=Image.Palette.ADAPTIVE)
    assert decode(written(flat)).pixels[3, 3].tolist() == [10, 200, 30]
    assert decode(written(Image.new("1", (64, 64), 1))).pixels[3, 3].tolist() == [255, 255, 255]


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_alpha_is_kept_straight(kind: str) -> None:
    pixels = np.dstack([blocks(), np.full((80, 120), 128, np.uint8)])
    picture = decode(written(pixels, kind, **({"lossless": True} if kind == "WEBP" else {})))
    assert picture.had_alpha
    assert np.array_equal(picture.pixels, pixels)


def test_an_alpha_that_is_opaque_everywhere_is_dropped() -> None:
    picture = decode(written(np.dstack([blocks(), np.full((80, 120), 255, np.uint8)])))
    assert not picture.had_alpha
    assert np.array_equal(picture.pixels, blocks())


def test_grey_with_alpha_and_a_transparent_palette_become_rgba() -> None:
    grey = decode(written(Image.new("LA", (64, 64), (90, 40)))).pixels
    assert grey[3, 3].tolist() == [90, 90, 90, 40]
    flat = Image.new("P", (64, 64), 0)
    flat.putpalette([10, 200, 30])
    assert decode(written(flat, transparency=0)).pixels[3, 3].tolist() == [10, 200, 30, 0]


@pytest.mark.parametrize("kind", ["GIF", "WEBP"])
def test_of_an_animation_the_first_frame_is_taken(kind: str) -> None:
    frames = [Image.new("RGB", (64, 64), colour) for colour in ((250, 0, 0), (0, 250, 0), (0, 0, 250))]
    picture = decode(written(frames[0], kind, save_all=True, append_images=frames[1:]))
    assert picture.frames == 3
    assert picture.pixels.shape == (64, 64, 3)
    assert np.abs(picture.pixels[3, 3].astype(int) - (250, 0, 0)).max() <= 6


def p3(pixels: NDArray[Any]) -> bytes:
    """`pixels` as a PNG whose profile says that they are Display P3."""
    profile = pyvips.Image.black(8, 8, bands=3).copy(interpretation="srgb").icc_transform("p3").get("icc-profile-data")
    image = pyvips.Image.new_from_array(pixels).copy(interpretation="srgb" if pixels.dtype == np.uint8 else "rgb16")
    image.set_type(pyvips.GValue.blob_type, "icc-profile-data", profile)
    return image.pngsave_buffer()  # type: ignore[no-any-return]


def test_a_profile_that_holds_more_than_srgb_is_converted_to_wide() -> None:
    wide = pyvips.Image.new_from_array(blocks()).copy(interpretation="srgb").icc_transform("p3")
    data = wide.pngsave_buffer()
    stored = np.asarray(Image.open(io.BytesIO(data)))
    picture = decode(data)
    assert picture.icc not in ("", "sRGB")
    assert (picture.bits, picture.pixels.dtype) == (8, np.dtype(np.uint16))
    assert np.abs(stored.astype(int) - blocks()).max() > 15
    assert np.abs(eight_bit(picture.pixels).astype(int) - blocks()).max() <= 4


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_display_p3s_red_stays_as_vivid_as_it_is(depth: type) -> None:
    most = np.iinfo(depth).max
    picture = decode(p3(np.full((64, 64, 3), (most, 0, 0), depth)))
    assert np.abs(to_linear(picture.pixels[5, 5]) - (1.2249, -0.0420, -0.0197)).max() < 3e-3


def test_alpha_is_kept_beside_wide_colours() -> None:
    picture = decode(p3(np.full((64, 64, 4), (200, 10, 10, 77), np.uint8)))
    assert picture.had_alpha
    assert picture.pixels[5, 5, 3] == 77 * 257


def test_a_profile_that_holds_no_more_than_srgb_leaves_eight_bits() -> None:
    srgb, named = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(), "sRGB".encode("utf-16-be")
    assert named in srgb
    other = srgb.replace(named, "lRGB".encode("utf-16-be"))
    picture = decode(written(blocks(), icc_profile=other))
    assert (picture.icc, picture.pixels.dtype) == ("lRGB built-in", np.dtype(np.uint8))
    assert np.abs(picture.pixels.astype(int) - blocks()).max() <= 1


def test_a_file_says_how_it_was_made_and_what_it_stood_before() -> None:
    assert decode(written(blocks())).metadata == Metadata()
    metadata = Metadata("trainedAlgorithmicMedia", (0.5, 0.25, 0.125), worn=True)
    assert decode(written_into(written(blocks()), metadata)).metadata == metadata
    jpeg = written(blocks(), "JPEG", xmp=xmp("digitalCapture"))
    assert decode(jpeg).metadata == Metadata("digitalCapture")


@pytest.mark.parametrize("text", ["white", "0.1 0.2", ""])
def test_a_background_of_someone_elses_is_none(text: str) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("background", text)
    assert decode(written(blocks(), pnginfo=info)).metadata.background is None


def test_an_srgb_profile_changes_no_pixel() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    picture = decode(written(blocks(), icc_profile=profile))
    assert picture.icc.startswith("sRGB")
    assert np.array_equal(picture.pixels, blocks())


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk_without_a_profile_is_not_inverted(kind: str) -> None:
    inks = np.zeros((80, 120, 4), np.uint8)
    inks[:, 40:80] = (0, 255, 255, 0)
    inks[:, 80:] = (0, 0, 0, 255)
    picture = decode(written(_cmyk(inks), kind))
    white, red, black = (picture.pixels[40, x].astype(int) for x in (20, 60, 100))
    assert white.min() >= 245
    assert red[0] > 180
    assert red[1:].max() < 90
    assert black.max() < 70


def test_cmyk_with_a_profile_goes_through_it() -> None:
    plain = pyvips.Image.new_from_array(blocks()).copy(interpretation="srgb").icc_transform("cmyk")
    picture = decode(plain.jpegsave_buffer(Q=95))
    assert picture.icc
    assert np.abs(picture.pixels[8:24, 8:24].astype(int) - (220, 20, 20)).mean() < 25
    assert np.abs(picture.pixels[50, 60].astype(int) - 128).max() < 20


def _cmyk(inks: NDArray[np.uint8]) -> Image.Image:
    return Image.merge("CMYK", [Image.fromarray(inks[..., band]) for band in range(4)])


@pytest.mark.parametrize("kind", FORMATS)
def test_a_file_cut_off_is_refused(kind: str) -> None:
    pixels = np.random.default_rng(1).integers(0, 255, (200, 200, 3), np.uint8)
    data = written(pixels, kind)
    with pytest.raises((TruncatedPicture, CorruptPicture)) as caught:
        decode(data[: len(data) * 6 // 10], uri="file:///shoe")
    assert caught.value.uri == "file:///shoe"


@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_cut_and_ended_anew_has_no_grey_bottom_it_is_refused(progressive: bool) -> None:
    pixels = np.random.default_rng(1).integers(0, 255, (200, 200, 3), np.uint8)
    data = written(pixels, "JPEG", progressive=progressive)
    with pytest.raises(TruncatedPicture):
        decode(data[: len(data) // 2] + b"\xff\xd9")


def test_bytes_after_a_jpegs_end_do_no_harm() -> None:
    assert decode(written(blocks(), "JPEG") + b"camera maker's notes" * 50).pixels.shape == (80, 120, 3)


def test_a_png_bomb_is_refused_by_its_header() -> None:
    bomb = png(30_000, 30_000, bytes(20_000_000))
    tracemalloc.start()
    with pytest.raises(TooManyPixels, match=r"30,000 x 30,000 px are more than 100,000,000"):
        decode(bomb)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 5_000_000


def test_a_bitmap_bomb_is_refused_by_its_header() -> None:
    data = bytearray(written(blocks(), "BMP"))
    data[18:26] = struct.pack("<ii", 30_000, 30_000)
    with pytest.raises(TooManyPixels):
        decode(bytes(data))


@pytest.mark.parametrize(("size", "limit"), [((1, 1), 64), ((63, 200), 64), ((200, 63), 64), ((99, 99), 100)])
def test_pictures_too_small_are_refused(size: tuple[int, int], limit: int) -> None:
    with pytest.raises(TooFewPixels, match=f"{limit} px at least") as caught:
        decode(written(Image.new("RGB", size)), DecodeLimits(side_px_min=limit))
    assert isinstance(caught.value, PictureError)
    assert not caught.value.transient


@pytest.mark.parametrize("data", [b"", b"a text named .jpg", b"<svg xmlns='http://www.w3.org/2000/svg'/>"])
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    with pytest.raises(NotAnImage):
        decode(data)


@pytest.mark.parametrize("magic", [b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"II*\x00"])
def test_a_picture_in_name_only_is_refused(magic: bytes) -> None:
    with pytest.raises((CorruptPicture, TruncatedPicture)):
        decode(magic + b"nothing of the kind" * 20)


def test_samples_of_other_kinds_are_refused() -> None:
    floating = pyvips.Image.black(64, 64, bands=3).cast("float").copy(interpretation="scrgb")
    with pytest.raises(UnreadPicture, match="32 bits, floating-point"):
        decode(floating.tiffsave_buffer())
