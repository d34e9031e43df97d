"""Large pictures are read smaller, and say so; an edge that is too much to solve is solved smaller, and says so."""

import io
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest
import pyvips
from numpy.typing import NDArray
from PIL import Image

from gpu_workers.operations.cutout import contrast, full_size, matting
from gpu_workers.operations.cutout import cutout as cutting
from gpu_workers.pools import memory_model
from gpu_workers.sources.decoding import DecodeLimits, decode, header
from gpu_workers.sources.errors import PictureError

WIDTH_PX, HEIGHT_PX = 1200, 800
KEPT = DecodeLimits(kept_pixels_max=WIDTH_PX * HEIGHT_PX // 9)


def smooth() -> Any:
    y, x = np.mgrid[:HEIGHT_PX, :WIDTH_PX]
    codes = np.stack([x * 200 / WIDTH_PX, y * 200 / HEIGHT_PX, 128 + 60 * np.sin(x / 90)], axis=2)
    return pyvips.Image.new_from_array(codes.astype(np.uint8)).copy(interpretation="srgb")


def turned() -> bytes:
    image = smooth().copy()
    image.set_type(pyvips.GValue.gint_type, "orientation", 6)
    return bytes(image.jpegsave_buffer(Q=95))


def deep() -> bytes:
    image = (smooth().cast("ushort") * 257).cast("ushort").copy(interpretation="rgb16")
    return bytes(image.pngsave_buffer())


FILES: dict[str, Any] = {
    "jpeg": lambda: smooth().jpegsave_buffer(Q=95),
    "progressive": lambda: smooth().jpegsave_buffer(Q=95, interlace=True),
    "turned": turned,
    "png": lambda: smooth().pngsave_buffer(),
    "deep": deep,
    "tiff": lambda: smooth().tiffsave_buffer(compression="deflate"),
    "webp": lambda: smooth().webpsave_buffer(Q=95),
    "cmyk": lambda: smooth().bandjoin(20).copy(interpretation="cmyk").jpegsave_buffer(Q=95),
}


@pytest.mark.parametrize("name", FILES)
def test_a_large_picture_read_smaller_is_the_same_picture(name: str) -> None:
    file = bytes(FILES[name]())
    whole, small = decode(file), decode(file, KEPT)
    height_px, width_px = small.pixels.shape[:2]
    assert small.pixels.dtype == whole.pixels.dtype
    assert abs(height_px * width_px - WIDTH_PX * HEIGHT_PX / 9) < 0.01 * WIDTH_PX * HEIGHT_PX
    assert small.source_scale == pytest.approx(1 / 3, abs=0.01)
    expected = cv2.resize(whole.pixels, (width_px, height_px), interpolation=cv2.INTER_AREA)
    full = np.iinfo(whole.pixels.dtype).max
    inner = np.abs(small.pixels.astype(float) - expected)[4:-4, 4:-4] / full
    assert np.percentile(inner, 99) < 0.015
    assert (small.bits, small.orientation, small.icc) == (whole.bits, whole.orientation, whole.icc)


@pytest.mark.parametrize("name", FILES)
def test_a_picture_within_the_limit_keeps_every_byte(name: str) -> None:
    file = bytes(FILES[name]())
    kept = decode(file, DecodeLimits(kept_pixels_max=WIDTH_PX * HEIGHT_PX))
    assert kept.source_scale == 1.0
    assert kept.pixels.tobytes() == decode(file).pixels.tobytes()


def test_what_is_clear_does_not_bleed_into_what_is_read_smaller() -> None:
    codes = np.zeros((HEIGHT_PX, WIDTH_PX, 4), np.uint8)
    codes[..., 0] = 255  # red where nothing is to be seen
    codes[200:600, 300:900] = (0, 200, 0, 255)
    file = pyvips.Image.new_from_array(codes).copy(interpretation="srgb").pngsave_buffer()
    small = decode(file, KEPT).pixels
    assert small[..., 0][small[..., 3] > 40].max() < 12


def test_a_header_tells_what_a_picture_will_take() -> None:
    found = header(bytes(FILES["deep"]()))
    assert (found.width_px, found.height_px, found.bands, found.bits) == (WIDTH_PX, HEIGHT_PX, 3, 16)
    assert header(bytes(FILES["progressive"]())).is_progressive
    assert not header(bytes(FILES["jpeg"]())).is_progressive
    deep_bytes, bytes_8 = (
        memory_model.photograph_bytes("cutout", 0, header(bytes(FILES[name]())), None) for name in ("deep", "png")
    )
    assert deep_bytes > bytes_8 > 0


def test_a_header_of_packed_lab_is_read_without_its_pixels() -> None:
    stream = io.BytesIO()
    Image.new("LAB", (WIDTH_PX, HEIGHT_PX)).save(stream, "TIFF")
    cut = stream.getvalue()[: WIDTH_PX * HEIGHT_PX]
    found = header(cut)
    assert (found.width_px, found.height_px, found.bands) == (WIDTH_PX, HEIGHT_PX, 3)
    with pytest.raises(PictureError):
        decode(cut)


def noise(side_px: int) -> NDArray[np.float32]:
    return np.random.default_rng(1).random((side_px, side_px, 3)).astype(np.float32)


def test_an_edge_that_is_too_much_to_solve_is_solved_smaller(monkeypatch: pytest.MonkeyPatch) -> None:
    side_px = 240
    known = np.full((side_px, side_px), 0.5, np.float32)
    known[:20], known[-20:] = 0, 1
    ramp = np.linspace(0, 1, side_px, dtype=np.float32)[:, None]
    mask = np.broadcast_to(ramp, known.shape).copy()
    rgb = (0.1 + 0.8 * mask[..., None] + 0.02 * noise(side_px)).astype(np.float32)
    strands = np.ones(known.shape, np.bool_)  # nothing of the band may be narrowed
    whole = matting.solve(rgb, contrast.edges(rgb), known, mask, strands)
    monkeypatch.setattr(matting, "BAND", replace(matting.BAND, pixels_max=5_000))
    coarse = matting.solve(rgb, contrast.edges(rgb), known, mask, strands)
    band_px = int((known == 0.5).sum())
    assert whole.scale == 1
    assert coarse.scale == pytest.approx((5_000 / band_px) ** 0.5)
    assert np.isfinite(coarse.alpha).all()
    assert coarse.alpha.min() >= 0
    assert coarse.alpha.max() <= 1
    assert np.abs(coarse.alpha - whole.alpha).mean() < 0.1


def test_a_cutout_that_was_solved_smaller_is_reported_and_doubted(monkeypatch: pytest.MonkeyPatch) -> None:
    picture = np.full((300, 300, 3), 235, np.uint8)
    cv2.circle(picture, (150, 150), 90, (40, 90, 160), -1)
    soft = cv2.GaussianBlur((picture[..., 0] < 100).astype(np.float32), (0, 0), 12)
    sure = cutting.cutout(picture, lambda seen: cv2.resize(soft, seen.shape[1::-1]))
    monkeypatch.setattr(matting, "BAND", replace(matting.BAND, pixels_max=200))
    coarse = cutting.cutout(picture, lambda seen: cv2.resize(soft, seen.shape[1::-1]))
    assert sure.measures["band_scale"] == 1
    assert 0 < coarse.measures["band_scale"] < 1
    assert coarse.measures["uncertainty"] >= 1 - coarse.measures["band_scale"]
    agreement, _ = cutting.compare(sure.rgba[..., 3], coarse.rgba[..., 3])
    assert agreement > 0.9


def disc(side_px: int) -> NDArray[np.uint8]:
    picture = np.full((side_px, side_px, 3), 235, np.uint8)
    cv2.circle(picture, (side_px // 2, side_px // 2), side_px * 3 // 10, (40, 90, 160), -1, cv2.LINE_AA)
    return picture


def test_what_needs_no_detail_looks_at_no_more_pixels_than_are_solved(monkeypatch: pytest.MonkeyPatch) -> None:
    predicted_px = []

    def predict(seen: NDArray[np.uint8]) -> NDArray[np.float32]:
        predicted_px.append(seen.shape[0] * seen.shape[1])
        mask: NDArray[np.float32] = cv2.GaussianBlur((seen[..., 0] < 140).astype(np.float32), (0, 0), 1)
        return mask

    whole = cutting.cutout(disc(600), predict)
    monkeypatch.setattr(cutting, "_SOLVE_PIXELS_MAX", 40_000)
    predicted_px.clear()
    smaller = cutting.cutout(disc(600), predict)
    assert len(predicted_px) == cutting.PREDICTIONS
    assert max(predicted_px) < 41_000
    agreement, difference = cutting.compare(whole.rgba[..., 3], smaller.rgba[..., 3])
    assert agreement > 0.99
    assert difference < 0.003
    solid = smaller.rgba[..., 3] == 255
    assert (smaller.rgba[..., :3][solid] == disc(600)[solid]).all()


def test_a_picture_that_may_not_be_written_is_cut_out_too() -> None:
    picture = disc(200)
    picture.setflags(write=False)
    made = cutting.cutout(picture, lambda seen: (seen[..., 0] < 140).astype(np.float32))
    assert made.rgba[100, 100, 3] == 255


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_a_matte_is_enlarged_as_every_channel_by_itself_would_be(depth: type[np.uint8 | np.uint16]) -> None:
    random, most = np.random.default_rng(3), np.iinfo(depth).max
    alpha = np.clip(random.random((40, 30), np.float32) * 3 - 1, 0, 1)
    colours = cv2.GaussianBlur(random.random((40, 30, 3), np.float32), (0, 0), 3)
    crop = random.integers(0, most, (90, 77, 3), depth)
    out: Any = np.zeros((90, 77, 4), depth)
    full_size.composed(crop, alpha, colours, out)
    opaque = np.rint(np.clip(cv2.resize(alpha, (77, 90), interpolation=cv2.INTER_CUBIC), 0, 1) * most)
    assert (out[..., 3] == opaque).all()
    assert (out[opaque == 0] == 0).all()
    assert (out[..., :3][opaque == most] == crop[opaque == most]).all()
    partial = (opaque > 0) & (opaque < most)
    expected = cv2.resize(colours, (77, 90), interpolation=cv2.INTER_LINEAR) * most
    assert np.abs(out[..., :3][partial] - expected[partial]).max() < 0.5 + 1e-4 * most
