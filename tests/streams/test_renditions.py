import io
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import pyvips
from PIL import Image, ImageCms, ImageDraw

from gpu_workers.imaging.colour_difference import ciede2000, codes_to_lab
from streams.publishing import renditions
from streams.publishing.renditions import NotAPicture, render


def product(width_px: int, height_px: int, *, transparent: bool = False) -> Image.Image:
    """A textured disc on pure white, or on nothing."""
    noise = np.random.default_rng(7).integers(0, 200, (height_px, width_px, 3), dtype=np.uint8)
    mask = Image.new("L", (width_px, height_px))
    ImageDraw.Draw(mask).ellipse((width_px // 4, height_px // 4, width_px * 3 // 4, height_px * 3 // 4), fill=255)
    picture = Image.new("RGB", (width_px, height_px), "white")
    picture.paste(Image.fromarray(noise), mask=mask)
    if transparent:
        picture.putalpha(mask)
    return picture


def soft(side_px: int) -> Image.Image:
    """A disc of one colour whose alpha falls from all to nothing."""
    y, x = np.mgrid[-1 : 1 : side_px * 1j, -1 : 1 : side_px * 1j]
    alpha = np.rint(np.clip(1.2 - 1.3 * np.hypot(x, y), 0, 1) * 255).astype(np.uint8)
    colour = np.where(alpha[..., None] > 0, np.array([180, 40, 60], np.uint8), 0)
    return Image.fromarray(np.dstack([colour, alpha]).astype(np.uint8))


def encoded(picture: Image.Image, format_: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, format_, **options)
    return buffer.getvalue()


def pixels(file: bytes) -> np.ndarray:
    return np.asarray(pyvips.Image.new_from_buffer(file, "").numpy())


def test_every_width_comes_in_every_format_of_an_opaque_picture() -> None:
    made = render(encoded(product(1700, 850), "JPEG"), "image/jpeg")
    assert [one.width_px for one in made] == [320] * 3 + [640] * 3 + [1080] * 3 + [1600] * 3
    assert {one.media_type for one in made} == {"image/jpeg", "image/webp", "image/avif"}
    for one in made:
        assert one.height_px == pytest.approx(one.width_px / 2, abs=1)
        assert pixels(one.data).shape[:2] == (one.height_px, one.width_px)


@pytest.mark.parametrize(("width_px", "widths"), [(700, [320, 640, 700]), (200, [200]), (1600, [320, 640, 1080, 1600])])
def test_nothing_is_enlarged_and_the_own_width_is_there(width_px: int, widths: list[int]) -> None:
    made = render(encoded(product(width_px, 90), "JPEG"), "image/jpeg", formats=["image/jpeg"])
    assert [one.width_px for one in made] == widths


def test_a_tall_picture_is_measured_by_its_width() -> None:
    made = render(encoded(product(200, 1800), "JPEG"), "image/jpeg", widths_px=[100], formats=["image/jpeg"])
    assert [(one.width_px, one.height_px) for one in made] == [(100, 900)]


def test_the_bytes_say_what_the_media_type_says() -> None:
    made = render(encoded(product(64, 64, transparent=True), "PNG"), "image/png", widths_px=[64])
    loaders = {one.media_type: pyvips.Image.new_from_buffer(one.data, "").get("vips-loader") for one in made}
    assert loaders == {
        "image/png": "pngload_buffer",
        "image/webp": "webpload_buffer",
        "image/avif": "heifload_buffer",
    }


@pytest.mark.parametrize("width_px", [320, 640])
def test_a_white_background_stays_white(width_px: int) -> None:
    for one in render(encoded(product(640, 640), "JPEG", quality=95), "image/jpeg", widths_px=[width_px]):
        border = width_px // 8  # the disc begins at a quarter: two blocks of WebP away even at 320 px
        frame = np.ones((width_px, width_px), bool)
        frame[border:-border, border:-border] = False
        assert pixels(one.data)[frame].min() >= 254, one.media_type


def test_transparency_survives_without_a_fringe_of_what_lay_under_it() -> None:
    picture = Image.new("RGBA", (400, 400), (0, 255, 0, 0))
    ImageDraw.Draw(picture).rectangle((100, 100, 299, 299), fill=(200, 30, 30, 255))
    for one in render(encoded(picture, "PNG"), "image/png", widths_px=[150]):
        rgba = pixels(one.data).astype(int)
        assert rgba[:20, :20, 3].max() == 0
        assert rgba[60:90, 60:90, 3].min() == 255
        edge = (rgba[..., 3] > 64) & (rgba[..., 3] < 250)
        if one.media_type == "image/png":
            assert edge.any()
            assert rgba[edge][:, 1].max() < 60


def printed(colour: tuple[int, int, int], side_px: int = 640) -> Image.Image:
    """A disc and thin bars of one colour on white."""
    picture = Image.new("RGB", (side_px * 2, side_px * 2), "white")
    draw = ImageDraw.Draw(picture)
    draw.ellipse((side_px // 2, side_px // 4, side_px * 3 // 2, side_px * 5 // 4), fill=colour)
    for bar in range(6):
        draw.rectangle(
            (side_px // 2 + bar * 40, side_px * 3 // 2, side_px // 2 + bar * 40 + 7, side_px * 2), fill=colour
        )
    return picture.resize((side_px, side_px), Image.Resampling.LANCZOS)


def edge_difference(data: bytes, truth: Image.Image) -> float:
    """Mean ΔE00 on the edges' pixels."""
    expected, found = codes_to_lab(np.asarray(truth)), codes_to_lab(pixels(data)[..., :3])
    step = np.zeros(expected.shape[:2], bool)
    step[1:-1, 1:-1] = (np.abs(expected[2:, 1:-1] - expected[:-2, 1:-1]).max(axis=-1) > 20) | (
        np.abs(expected[1:-1, 2:] - expected[1:-1, :-2]).max(axis=-1) > 20
    )
    return float(ciede2000(found, expected)[step].mean())


@pytest.mark.parametrize("colour", [(220, 10, 20), (20, 30, 200), (20, 150, 40), (240, 0, 200)])
def test_vivid_edges_do_not_smear(colour: tuple[int, int, int]) -> None:
    picture = printed(colour)
    limits = {"image/jpeg": 3.5, "image/webp": 5.5, "image/avif": 3.5}
    for one in render(encoded(picture, "PNG"), "image/png", widths_px=[640], formats=list(limits)):
        assert edge_difference(one.data, picture) < limits[one.media_type], one.media_type


@pytest.mark.parametrize("picture", [printed((90, 90, 90)), printed((120, 80, 60)), printed((25, 30, 60))])
def test_where_it_is_not_seen_colour_takes_half_the_resolution(picture: Image.Image) -> None:
    (jpeg,) = render(encoded(picture, "PNG"), "image/png", widths_px=[640], formats=["image/jpeg"])
    assert Image.open(io.BytesIO(jpeg.data)).layer[0][1:3] == (2, 2)  # type: ignore[attr-defined]


def test_its_own_width_keeps_every_pixel_of_a_transparent_picture() -> None:
    picture = soft(240)
    (made,) = render(encoded(picture, "PNG"), "image/png", widths_px=[240], formats=["image/png"])
    assert np.array_equal(pixels(made.data), np.asarray(picture))


def test_alpha_is_within_a_level_in_webp_and_exact_where_it_is_nothing_or_all() -> None:
    picture = soft(240)
    (made,) = render(encoded(picture, "PNG"), "image/png", widths_px=[240], formats=["image/webp"])
    alpha, truth = pixels(made.data)[..., 3].astype(int), np.asarray(picture)[..., 3].astype(int)
    assert np.abs(alpha - truth).max() <= 1
    assert np.array_equal(alpha[(truth == 0) | (truth == 255)], truth[(truth == 0) | (truth == 255)])


def test_a_size_has_the_mean_of_what_it_was_made_from() -> None:
    (made,) = render(encoded(soft(480), "PNG"), "image/png", widths_px=[120], formats=["image/png"])
    rgba, source = pixels(made.data).astype(float), np.asarray(soft(480)).astype(float)
    truth = source.reshape(120, 4, 120, 4, 4).mean((1, 3))
    assert np.abs(rgba[..., 3] - truth[..., 3]).max() <= 2
    solid = rgba[..., 3] > 100
    assert np.abs((rgba[..., :3][solid] - [180, 40, 60]).mean(0)).max() < 0.4  # 0.5 darker where all is cut off


def test_a_picture_that_is_far_too_wide_comes_out_as_from_all_of_its_pixels() -> None:
    file = encoded(Image.radial_gradient("L").resize((2600, 1300)).convert("RGB"), "JPEG", quality=95)
    (small,) = render(file, "image/jpeg", widths_px=[160], formats=["image/png"])
    truth = Image.open(io.BytesIO(file)).resize((160, 80), Image.Resampling.LANCZOS)
    assert (small.width_px, small.height_px) == (160, 80)
    assert np.abs(pixels(small.data).astype(int) - np.asarray(truth).astype(int)).max() <= 2


def test_an_srgb_profile_is_in_every_rendition() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for source in (encoded(product(80, 80), "JPEG"), encoded(product(80, 80), "JPEG", icc_profile=profile)):
        for one in render(source, "image/jpeg"):
            embedded = pyvips.Image.new_from_buffer(one.data, "").get("icc-profile-data")
            name = ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(embedded)))
            assert "srgb" in name.lower(), one.media_type


def test_what_xmp_says_of_the_picture_stays_with_it() -> None:
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><!-- compositeWithTrainedAlgorithmicMedia --></x:xmpmeta>'
    for one in render(encoded(product(80, 80), "JPEG", xmp=xmp), "image/jpeg"):
        assert b"compositeWithTrainedAlgorithmicMedia" in one.data, one.media_type


def test_the_same_file_gives_the_same_bytes_on_several_threads() -> None:
    file = encoded(product(700, 700), "JPEG")
    alone = render(file, "image/jpeg")
    with ThreadPoolExecutor(3) as threads:
        assert all(made == alone for made in threads.map(lambda _: render(file, "image/jpeg"), range(3)))


def test_a_file_that_is_cut_off_is_no_picture() -> None:
    file = encoded(product(400, 400), "JPEG")
    with pytest.raises(NotAPicture, match="not a whole image/jpeg"):
        render(file[: len(file) // 2], "image/jpeg")


def test_a_text_is_no_picture() -> None:
    with pytest.raises(NotAPicture):
        render(b"not a picture at all", "image/jpeg")


def test_another_format_than_was_said_is_refused() -> None:
    with pytest.raises(NotAPicture, match=r"said to be image/png.*jpegload"):
        render(encoded(product(64, 64), "JPEG"), "image/png")


def test_a_format_that_nobody_knows_is_an_error() -> None:
    with pytest.raises(ValueError, match="image/tiff"):
        render(encoded(product(64, 64), "JPEG"), "image/jpeg", formats=["image/tiff"])


@pytest.mark.parametrize("transparent", [False, True])
def test_what_is_shrunk_as_it_is_decoded_comes_out_as_from_all_of_its_pixels(
    transparent: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = soft(1400) if transparent else Image.radial_gradient("L").resize((1400, 1400)).convert("RGB")
    file = encoded(picture, "PNG")
    (whole,) = render(file, "image/png", widths_px=[100], formats=["image/png"])
    monkeypatch.setattr(renditions, "_WHOLE_PIXELS_MAX", 1_000_000)
    (small,) = render(file, "image/png", widths_px=[100], formats=["image/png"])
    rgba, truth = pixels(small.data).astype(int), pixels(whole.data).astype(int)
    solid = truth[..., 3] > 100 if transparent else np.ones(truth.shape[:2], bool)
    assert np.abs(rgba[..., -1] - truth[..., -1]).max() <= 2
    assert np.abs(rgba[solid] - truth[solid]).max() <= 6  # half a level, twice, of premultiplied values at alpha 100
    assert np.abs(rgba[solid] - truth[solid]).mean() < 1.0
