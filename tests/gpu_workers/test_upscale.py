import tracemalloc

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from gpu_workers.engines.base import Tensor
from gpu_workers.imaging.linear_light import channels_light, to_deep, to_srgb
from gpu_workers.models.manifest import Input
from gpu_workers.operations.upscale import upscale as upscaling
from gpu_workers.operations.upscale.errors import BadImage, BadTiles, UpscalingForbidden
from gpu_workers.operations.upscale.network import TILE_PX, Enlarge, enlarge_with, tile_row
from gpu_workers.operations.upscale.sharpness import effective_resolution_px, text_mask
from gpu_workers.operations.upscale.upscale import upscale
from schemas import channels
from schemas.operations.base import BadParameters
from schemas.operations.upscale import UpscaleParameters
from tests.gpu_workers.products import mug

Rgb = NDArray[np.uint8]
PLAIN = Input((3, TILE_PX, TILE_PX), (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


def photograph(width: int = 320, height: int = 240) -> Rgb:
    """Discs, stripes and words, smoothed as a lens does."""
    fine = np.full((height * 3, width * 3, 3), (180, 170, 150), np.uint8)
    random = np.random.default_rng(4)
    for _ in range(40):
        centre = random.integers(0, width * 3), random.integers(0, height * 3)
        colour = tuple(int(part) for part in random.integers(20, 240, 3))
        cv2.circle(fine, (int(centre[0]), int(centre[1])), int(random.integers(12, 90)), colour, cv2.FILLED)
    cv2.putText(fine, "OLIVARA 500 ml", (60, height * 2), cv2.FONT_HERSHEY_SIMPLEX, 2.4, (20, 20, 30), 5, cv2.LINE_AA)
    return np.asarray(cv2.resize(fine, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def halved(picture: Rgb) -> Rgb:
    size = (picture.shape[1] // 2, picture.shape[0] // 2)
    return to_srgb(cv2.resize(channels_light(picture), size, interpolation=cv2.INTER_AREA))


def psnr(first: Rgb, second: Rgb) -> float:
    return float(10 * np.log10(255**2 / ((first.astype(np.float64) - second) ** 2).mean()))


def eight(source: Rgb) -> Rgb:
    """The enlarged picture, of 8 bits as its source is."""
    image = upscale(source).image
    assert image.dtype == np.uint8
    return image.astype(np.uint8)


def doubled(tile: Rgb) -> Rgb:
    return tile.repeat(2, axis=0).repeat(2, axis=1)


def test_it_is_nearer_to_the_truth_than_bicubic_and_lanczos() -> None:
    truth = photograph()
    source = halved(truth)
    found = psnr(eight(source), truth)
    for method in (cv2.INTER_CUBIC, cv2.INTER_LANCZOS4):
        assert found > psnr(cv2.resize(source, None, fx=2, fy=2, interpolation=method), truth) + 0.5


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("picture", [photograph(161, 120), mug()])
def test_averaged_back_down_it_is_the_source(picture: Rgb, deep: bool) -> None:
    source = picture.astype(np.uint16) * 257 if deep else picture
    made = upscale(source)
    assert made.image.dtype == source.dtype
    assert made.image.shape == (2 * picture.shape[0], 2 * picture.shape[1], picture.shape[2])
    assert made.measures["back_projection_max"] <= 1


def test_averaged_back_down_by_hand_it_is_the_source() -> None:
    source = photograph(160, 120)
    assert np.abs(halved(eight(source)).astype(int) - source).max() <= 1


@pytest.mark.parametrize("scale", ["1.25", "1.5", "1.9"])
def test_other_scales_keep_to_the_source_too(scale: str) -> None:
    made = upscale(photograph(160, 120), UpscaleParameters.parse({"scale": scale}))
    assert made.image.shape[:2] == (round(120 * float(scale)), round(160 * float(scale)))
    assert made.measures["back_projection_max"] <= 1


@pytest.mark.parametrize("value", ["1", "2.5", "many"])
def test_beyond_twice_nothing_is_enlarged(value: str) -> None:
    with pytest.raises(BadParameters) as error:
        UpscaleParameters.parse({"scale": value})
    assert error.value.field == "scale"


def test_nothing_rings() -> None:
    """No point is brighter or darker than the source is about it."""
    source = photograph(160, 120)
    kernel = np.ones((3, 3), np.uint8)
    low, high = (doubled(near(source, kernel)).astype(int) for near in (cv2.erode, cv2.dilate))
    made = upscale(source).image.astype(int)
    assert (made >= low - 1).all()
    assert (made <= high + 1).all()


def test_text_is_found_and_plain_parts_are_not() -> None:
    picture = np.full((120, 400, 3), 200, np.uint8)
    picture[:, 200:] = np.linspace(60, 200, 200)[:, None]
    cv2.putText(picture, "FRESH", (20, 80), cv2.FONT_HERSHEY_SIMPLEX, 1.0, (30, 30, 30), 2, cv2.LINE_AA)
    mask = text_mask(picture)
    assert mask[picture[..., 0] < 50].mean() > 0.95
    assert mask[:, 220:].max() == 0
    inverse = text_mask(255 - picture)
    assert np.abs(inverse - mask).max() < 1e-5


def test_alpha_is_enlarged_with_its_colours() -> None:
    """No dark fringe: what is half there has the colour of what is there, whatever lies where nothing is."""
    source = mug()
    source[..., :3] = np.where(source[..., 3:] > 0, (200, 120, 40), 0)
    made = upscale(source).image
    assert (made[..., :3][made[..., 3] == 0] == 0).all()
    edge = made[..., 3] > 25
    assert ((made[..., 3] > 40) & (made[..., 3] < 200)).any()
    assert np.abs(made[edge][:, :3].astype(int) - (200, 120, 40)).max() <= 6
    assert (made[200, 280] == (200, 120, 40, 255)).all()


def test_a_flat_picture_stays_flat() -> None:
    flat = np.full((50, 60, 3), (10, 120, 250), np.uint8)
    made = upscale(flat)
    assert (made.image == (10, 120, 250)).all()
    assert "effective_resolution_px" not in made.measures


def test_depths_agree() -> None:
    source = photograph(120, 90)
    deep = upscale(source.astype(np.uint16) * 257).image
    assert np.abs(eight(source) - deep / 257).max() <= 1


def test_effective_resolution_is_that_of_the_edges() -> None:
    truth = photograph(640, 480)
    sharp = effective_resolution_px(truth)
    assert sharp is not None
    assert sharp > 500
    for sigma, limit in ((1.5, 0.6), (3.0, 0.35)):
        blurred = effective_resolution_px(np.asarray(cv2.GaussianBlur(truth, (0, 0), sigma), np.uint8))
        assert blurred is not None
        assert blurred < limit * sharp
    source = halved(truth)
    enlarged, lanczos = upscale(source), cv2.resize(source, None, fx=2, fy=2, interpolation=cv2.INTER_LANCZOS4)
    dull = effective_resolution_px(np.asarray(lanczos, np.uint8))
    assert dull is not None
    assert enlarged.measures["effective_resolution_px"] > dull
    assert enlarged.measures["effective_resolution_before_px"] <= 320


def test_a_network_is_held_to_the_source_and_text_is_kept_from_it() -> None:
    """One that writes its own glyphs: a grid over everything, and the picture too dark."""

    def inventive(tile: Rgb) -> Rgb:
        large = doubled(tile) // 2
        large[::4] = 255
        return large

    source = photograph(300, 260)
    plain, seen = upscale(source), upscale(source, enlarge=inventive)
    assert seen.measures["back_projection_max"] <= 2
    text = doubled(cv2.erode(text_mask(source), np.ones((5, 5), np.uint8))) >= 1
    assert text.any()
    assert np.abs(seen.image[text].astype(int) - plain.image[text]).max() <= 1
    assert np.abs(seen.image[~text].astype(int) - plain.image[~text]).max() > 10


@pytest.mark.parametrize("times", [2, 4])
@pytest.mark.parametrize("size", [(40, 30), (300, 200)])
def test_tiles_leave_no_seams(times: int, size: tuple[int, int]) -> None:
    """A network that looks a few pixels about gives what it would give for the whole picture."""

    def smooth(picture: Rgb) -> Rgb:
        large = cv2.resize(picture, None, fx=times, fy=times, interpolation=cv2.INTER_CUBIC)
        return np.asarray(cv2.blur(large, (3, 3)), np.uint8)

    source = photograph(*size)
    whole = smooth(np.pad(source, ((16, 300), (16, 300), (0, 0)), mode="symmetric"))
    whole = whole[16 * times :, 16 * times :][: size[1] * times, : size[0] * times]

    def at_once(tile: Rgb) -> Rgb:
        seen.append(tile)
        return smooth(tile)

    seen: list[Rgb] = []
    made = upscale(source, enlarge=at_once)
    assert {tile.shape for tile in seen} == {(TILE_PX, TILE_PX, 3)}
    assert len(seen) == -(-size[0] // 224) * -(-size[1] // 224)
    rows = [tile_row(source, index, smooth) for index in range(-(-size[1] // 224))]
    assert np.abs(np.concatenate(rows).astype(int) - whole).max() <= 1
    assert np.array_equal(made.image, upscale(source, enlarge=smooth).image)


class TinyEngine:
    """A graph of two nodes behind the interface that engines have: twice as large, then clipped."""

    name, fingerprint, max_batch, lanes = "onnxruntime", "0" * 64, 1, 1

    def __init__(self, side_px: int = TILE_PX) -> None:
        self.input_shape = (3, side_px, side_px)
        self._session = onnxruntime.InferenceSession(_graph(side_px), providers=["CPUExecutionProvider"])

    def infer(self, batch: Tensor) -> Tensor:
        return np.asarray(self._session.run(None, {"x": batch})[0], np.float32)

    def close(self) -> None:
        """Nothing is held."""


def _graph(side_px: int) -> bytes:
    nodes = [
        helper.make_node("Resize", ["x", "", "scales"], ["large"], mode="linear"),
        helper.make_node("Clip", ["large", "low", "high"], ["y"]),
    ]
    constants = {"scales": [1, 1, 2, 2], "low": 0, "high": 1}
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, side_px, side_px])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 3, 2 * side_px, 2 * side_px])],
        [numpy_helper.from_array(np.array(value, np.float32), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def test_an_engine_fills_the_slot() -> None:
    source = photograph(260, 100)
    first, second = (upscale(source, enlarge=enlarge_with(TinyEngine(), PLAIN)) for _ in range(2))
    assert first.image.tobytes() == second.image.tobytes()
    assert first.measures["back_projection_max"] <= 1


def test_an_engine_of_another_size_does_not() -> None:
    with pytest.raises(BadTiles, match="64"):
        enlarge_with(TinyEngine(64), PLAIN)


def _same(tile: Rgb) -> Rgb:
    return tile


def _cut(tile: Rgb) -> Rgb:
    return doubled(tile)[:-1]


def _floating(tile: Rgb) -> NDArray[np.float32]:
    return doubled(tile).astype(np.float32)


@pytest.mark.parametrize("enlarge", [_same, _cut, _floating])
def test_an_answer_of_another_form_is_named(enlarge: object) -> None:
    with pytest.raises(BadTiles, match=r"\(256, 256, 3\)"):
        upscale(photograph(80, 60), enlarge=enlarge)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", channels.names())
def test_channels_that_ban_enlarged_pictures_get_none(name: str) -> None:
    channel = channels.load(name)
    if name != "google":
        assert channel.allows_upscaling
        upscale(photograph(64, 64), channel=channel)
        return
    assert not channel.allows_upscaling
    assert channel.scale_max <= 1
    with pytest.raises(UpscalingForbidden, match="google@"):
        upscale(photograph(64, 64), channel=channel)


@pytest.mark.parametrize("image", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 2), np.uint8), np.zeros((4, 4, 3))])
def test_what_is_no_picture_is_refused(image: Rgb) -> None:
    with pytest.raises(BadImage):
        upscale(image)


def test_sixteen_bits_of_light_and_back() -> None:
    codes = np.arange(65536, dtype=np.uint16)
    assert np.abs(to_deep(channels_light(codes)).astype(int) - codes).max() <= 1


def test_the_same_picture_gives_the_same_bytes() -> None:
    assert upscale(photograph()).image.tobytes() == upscale(photograph()).image.tobytes()


def smoothed(tile: Rgb) -> Rgb:
    """A network that looks a few pixels about and answers four times as large."""
    large = cv2.resize(tile, None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC)
    return np.asarray(cv2.GaussianBlur(large, (0, 0), 2), np.uint8)


@pytest.mark.parametrize("scale", ["1.3", "1.9", "2"])
@pytest.mark.parametrize("enlarge", [None, smoothed])
@pytest.mark.parametrize("name", ["photograph", "mug"])
def test_in_strips_it_is_what_it_is_in_one_piece(
    scale: str, enlarge: Enlarge | None, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = {"photograph": photograph(300, 331), "mug": mug()[:331]}[name]
    parameters = UpscaleParameters.parse({"scale": scale})
    whole = upscale(source, parameters, enlarge)
    monkeypatch.setattr(upscaling, "_STRIP_PIXELS", 1)
    monkeypatch.setattr(upscaling, "_STRIP_LEAST_PX", 37)
    strips = upscale(source, parameters, enlarge)
    assert np.abs(strips.image.astype(int) - whole.image).max() <= 1
    assert strips.measures == pytest.approx(whole.measures)


def test_memory_grows_little_more_than_the_result_does() -> None:
    """Seen from what numpy holds at its most: at four times the pixels, the result and hardly anything else is more."""

    def beyond_the_result(height: int) -> float:
        source = np.resize(photograph(1000, 500), (height, 1000, 3))
        tracemalloc.start()
        made = upscale(source)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return (most - made.image.nbytes) / 1e6

    assert beyond_the_result(2400) < 1.3 * beyond_the_result(600)
