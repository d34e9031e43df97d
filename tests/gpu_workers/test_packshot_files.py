"""Packshot: what becomes of the file."""

import io

import numpy as np
import pytest
from PIL import Image, ImageCms

from gpu_workers.imaging.encoding import TooHeavy, encode
from gpu_workers.imaging.metadata import after
from gpu_workers.operations.packshot import shadow
from gpu_workers.operations.packshot.packshot import packshot
from gpu_workers.operations.transparent import transparent
from gpu_workers.sources.decoding import decode
from schemas import channels
from schemas.operations.base import BadParameters
from schemas.operations.packshot import PackshotParameters
from streams.publishing.renditions import render
from tests.gpu_workers.packshots import small
from tests.gpu_workers.products import block, mug, with_own_shadow


def test_a_transparent_cutout_has_no_ground_to_colour() -> None:
    for name, value in (("background.color", "#FFFFFF"), ("shadow.mode", "soft")):
        with pytest.raises(BadParameters, match=name):
            transparent(mug(), channels.load("web"), PackshotParameters.parse({name: value}))


def test_files_carry_srgb_and_full_chroma() -> None:
    channel = small("amazon")
    encoded = encode(packshot(mug(), channel).canvas, channel)
    image = Image.open(io.BytesIO(encoded.data))
    assert (image.format, encoded.media_type, encoded.quality) == ("JPEG", "image/jpeg", 95)
    assert [component[1:3] for component in image.layer] == [(1, 1)] * 3  # type: ignore[attr-defined]  # JPEG's own
    profile = ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"]))
    assert ImageCms.getProfileDescription(profile).startswith("sRGB")


def test_files_say_how_they_were_made_and_how_fine_they_print() -> None:
    canvas = np.full((80, 80, 3), 128, np.uint8)
    for name in ("amazon", "web"):
        plain = Image.open(io.BytesIO(encode(canvas, small(name)).data))
        fine = encode(canvas, small(name), source_type="algorithmicallyEnhanced", dpi=300).data
        packet = b'Iptc4xmpExt:DigitalSourceType="http://cv.iptc.org/newscodes/digitalsourcetype/'
        assert packet + b'digitalCapture"' in plain.info["xmp"]
        assert packet + b'algorithmicallyEnhanced"' in Image.open(io.BytesIO(fine)).info["xmp"]
        assert Image.open(io.BytesIO(fine)).info["dpi"] == pytest.approx((300, 300), abs=0.01)
        assert plain.info.get("dpi", (0, 0)) in ((0, 0), (1, 1))


@pytest.mark.parametrize("media_type", ["image/jpeg", "image/png"])
def test_renditions_keep_how_a_picture_was_made(media_type: str) -> None:
    channel = small("amazon" if media_type == "image/jpeg" else "web")
    file = encode(np.full((80, 80, 3), 128, np.uint8), channel).data
    for rendition in render(file, media_type, widths_px=[64]):
        assert decode(rendition.data).metadata.source_type == "digitalCapture", rendition.media_type


def test_what_was_generated_never_becomes_a_photograph() -> None:
    assert [after(made, enhanced=False) for made in ("", "digitalCapture", "trainedAlgorithmicMedia")] == [
        "digitalCapture",
        "digitalCapture",
        "trainedAlgorithmicMedia",
    ]
    assert [after(made, enhanced=True) for made in ("", "trainedAlgorithmicMedia")] == [
        "algorithmicallyEnhanced",
        "trainedAlgorithmicMedia",
    ]


def test_quality_gives_way_to_the_weight_limit_and_no_further() -> None:
    noise = np.random.default_rng(3).integers(0, 255, (200, 200, 3), np.uint8)
    sizes = {
        quality: len(encode(noise, small("amazon", file_bytes_max=limit)).data)
        for quality, limit in ((95, 10**7), (0, 70_000))
    }
    limited = encode(noise, small("amazon", file_bytes_max=70_000))
    assert sizes[95] > 70_000 >= len(limited.data)
    assert 70 <= limited.quality < 95
    with pytest.raises(TooHeavy, match="quality 70"):
        encode(noise, small("amazon", file_bytes_max=1_000))


def test_png_is_lossless() -> None:
    channel = channels.load("web")
    canvas = transparent(mug(), channel).canvas
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(encode(canvas, channel).data))), canvas)


def test_grey_scraps_between_a_product_and_its_suppliers_shadow_go_with_it() -> None:
    """Where a light product throws light back, its shadow is grey and ends a few pixels off."""
    sent = with_own_shadow(block(240, 240, (60, 60, 180, 160), 235))
    sent[163:167, 70:170] = (60, 80, 100, 90)
    print_beside = sent.copy()
    print_beside[163:167, 70:170] = (210, 60, 60, 90)
    kept = shadow.strip(print_beside)[163:167, 70:170, 3]
    gone = shadow.strip(sent)[163:167, 70:170, 3]
    assert (gone == 0).all()
    assert (kept > 0).all()


def test_grey_haze_without_a_suppliers_shadow_stays() -> None:
    pane = block(240, 240, (60, 60, 180, 160), 235)
    pane[163:167, 70:170] = (60, 80, 100, 90)
    assert shadow.strip(pane) is pane
