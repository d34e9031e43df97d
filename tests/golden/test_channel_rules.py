"""The written files against the channels' own rules, measured afresh with Pillow and NumPy and none of our measures.

The limits are written out here as the channels publish them, not read from the files that the operation obeys.
"""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms

from gpu_workers.operations.base import Composed, ComposeRequest, compose
from gpu_workers.sources.decoding import Picture
from schemas import channels
from streams.flow.processors.judging import judge

CATALOGUE = Path(__file__).parents[2] / "loadtest" / "rendering" / "catalogue"
FEW = ("CHR-ASH-86-studio", "SHO-CANVAS-42-studio")
ALL = tuple(sorted(file.stem for file in (CATALOGUE / "truth").glob("*.png")))
SOURCE_TYPE = b"http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture"


@dataclass(frozen=True)
class Published:
    """What a channel publishes: sizes in px, weight in bytes, fill as shares, height over width."""

    shortest: int
    longest: int
    formats: tuple[str, ...]
    size_bytes: int
    white: bool = False
    fill: tuple[float, float] = (0.0, 1.0)
    ratio: float | None = None


RULES = {
    "amazon": Published(500, 10_000, ("JPEG", "PNG", "TIFF", "GIF"), 10_000_000, white=True, fill=(0.85, 1.0)),
    "google": Published(250, 8_000, ("JPEG", "WEBP", "PNG", "GIF", "BMP", "TIFF"), 16_000_000, True, (0.75, 0.9)),
    "ebay": Published(500, 9_000, ("JPEG", "PNG"), 12_000_000),
    "etsy": Published(635, 3_000, ("JPEG", "PNG", "GIF"), 10_000_000),
    "tiktok": Published(600, 6_000, ("JPEG", "PNG"), 5_000_000, white=True, fill=(0.8, 1.0), ratio=1.0),
    "walmart": Published(1500, 6_000, ("JPEG", "PNG", "BMP"), 5_000_000, white=True, ratio=1.0),
    "zalando": Published(762, 8_662, ("JPEG",), 20_000_000, white=True, ratio=1.44),
    "shopify": Published(800, 5_000, ("JPEG", "PNG", "WEBP"), 20_000_000),
    "instagram": Published(600, 1_936, ("JPEG", "PNG"), 8_000_000, ratio=1.0),
    "web": Published(16, 2_048, ("PNG",), 20_000_000),
}


def cutout(name: str) -> NDArray[np.uint8]:
    """A photograph of the sample catalogue with its exact alpha."""
    rgb = np.asarray(Image.open(CATALOGUE / "photographs" / f"{name}.jpg").convert("RGB"))
    alpha = np.asarray(Image.open(CATALOGUE / "truth" / f"{name}.png").convert("L"))
    return np.dstack([rgb * (alpha > 0)[..., None], alpha]).astype(np.uint8)


def composed(channel: str, name: str) -> Composed:
    operation = "transparent" if channel == "web" else "packshot"
    picture = Picture(cutout(name), "image/png", 8, True, "", 1, 1)
    return compose(operation, [picture], ComposeRequest(channels.load(channel), {}))


def product_box(pixels: NDArray[np.uint8]) -> tuple[int, int]:
    """Width and height of what clearly is not white."""
    solid = pixels.min(axis=2) < 243
    rows, columns = np.flatnonzero(solid.any(axis=1)), np.flatnonzero(solid.any(axis=0))
    return int(columns[-1] - columns[0] + 1), int(rows[-1] - rows[0] + 1)


def check(channel: str, data: bytes) -> None:
    rule = RULES[channel]
    image = Image.open(io.BytesIO(data))
    pixels = np.asarray(image)
    height, width = pixels.shape[:2]
    assert image.format in rule.formats
    assert len(data) <= rule.size_bytes
    assert min(width, height) >= rule.shortest
    assert max(width, height) <= rule.longest
    if rule.ratio is not None:
        assert height / width == pytest.approx(rule.ratio, rel=0.005)
    profile = ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"]))
    assert ImageCms.getProfileDescription(profile).startswith("sRGB")
    assert SOURCE_TYPE in image.info["xmp"]
    if channel == "web":
        assert pixels.shape[2] == 4
        assert (pixels[pixels[..., 3] == 0] == 0).all()
        return
    if image.format == "JPEG":
        assert [component[1:3] for component in image.layer] == [(1, 1)] * 3  # type: ignore[attr-defined]
    rim = max(2, round(0.01 * min(width, height)))
    border = np.concatenate([pixels[:rim].reshape(-1, 3), pixels[-rim:].reshape(-1, 3), pixels[:, :rim].reshape(-1, 3)])
    if rule.white:
        assert (border == 255).all()
        box = product_box(pixels)
        assert (pixels == 255).all(axis=2).mean() > 0.9 * (1 - box[0] * box[1] / (width * height))
        fill = max(box[0] / width, box[1] / height)
        assert rule.fill[0] - 0.005 <= fill <= rule.fill[1] + 0.005
    else:
        assert np.ptp(border.astype(int), axis=0).max() <= 2


@pytest.mark.parametrize("name", FEW)
@pytest.mark.parametrize("channel", sorted(RULES))
def test_a_channels_file_obeys_its_rules(channel: str, name: str) -> None:
    check(channel, composed(channel, name).files[0].data)


def test_every_channel_is_held_to_its_rules() -> None:
    assert tuple(sorted(RULES)) == channels.names()


@pytest.mark.long
@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("channel", sorted(RULES))
def test_every_product_on_every_channel_obeys_its_rules_or_is_not_let_through(channel: str, name: str) -> None:
    """A photograph in use may show the product in too few pixels to fill the canvas; nothing else fails."""
    made = composed(channel, name)
    checks = [
        each for each in judge(made.measures, channels.load(channel), "packshot").checks if each.point == "channel"
    ]
    failed = {each.name for each in checks if each.outcome == "fail"}
    assert failed <= ({"fill"} if name.endswith("-busy") else set())
    if not failed:
        check(channel, made.files[0].data)
