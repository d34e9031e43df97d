"""Clips: what is asked for, what moves and what does not, what a file says of itself, and that nothing is by chance."""

import hashlib
import subprocess
import sys
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import get_args

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageSequence

from gpu_workers.imaging import clips
from gpu_workers.imaging.metadata import COMPOSITE, Metadata, source_type_in
from gpu_workers.library import scenes
from gpu_workers.operations.base import Composed, ComposeRequest, Library, compose
from gpu_workers.operations.mockup.scene_placing import Product
from gpu_workers.operations.showcase.motions import GROWTH, Frame, phases, shot_of
from gpu_workers.operations.showcase.stage import stage_of
from gpu_workers.sources.decoding import Picture, decode
from schemas import channels
from schemas.errors import InputError
from schemas.operations.base import BadParameters
from schemas.operations.showcase import Motion, ShowcaseParameters
from tests.gpu_workers.products import mug

LIBRARY = Library(scenes=scenes.find(scenes.shipped_folder()))
SMALL = {"scene": "studio-podium", "height_cm": "12", "size_px": "240", "duration_s": "1", "fps": "10"}
MOTIONS = pytest.mark.parametrize("motion", get_args(Motion))


def made(**parameters: str) -> Composed:
    source = Picture(mug(), "image/png", 8, True, "", 1, 1, Metadata())
    request = ComposeRequest(channels.load("instagram"), SMALL | parameters, library=LIBRARY)
    return compose("showcase", [source], request)


@cache
def of(motion: str) -> Composed:
    """A small clip of this motion; nobody changes it."""
    return made(motion=motion)


def file(composed: Composed, role: str) -> bytes:
    return next(each.data for each in composed.files if each.role == role)


@cache
def frames(motion: str) -> list[NDArray[np.uint8]]:
    return [*clips.read_mp4(file(of(motion), "clip"), range(10)).frames.values()]


def parsed(**parameters: str) -> ShowcaseParameters:
    return ShowcaseParameters.parse(parameters)


# what is asked for


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("motion", "spin"),
        ("duration_s", "0.5"),
        ("duration_s", "nan"),
        ("fps", "240"),
        ("size_px", "241"),
        ("size_px", "4000"),
        ("aspect", "3:2"),
        ("loop", "perhaps"),
        ("height_cm", "-3"),
        ("background.prompt", "qwertyuiop"),
        ("outputSize", "100x100"),
    ],
)
def test_what_cannot_be_is_refused_by_its_name(name: str, value: str) -> None:
    with pytest.raises(BadParameters) as caught:
        parsed(**{name: value})
    assert caught.value.field == name


@pytest.mark.parametrize(("aspect", "size"), [("1:1", (1080, 1080)), ("4:5", (1080, 1350)), ("9:16", (1080, 1920))])
def test_a_clip_has_the_shape_that_is_asked_for(aspect: str, size: tuple[int, int]) -> None:
    asked = parsed(aspect=aspect)
    assert (asked.width_px, asked.height_px) == size


def test_no_clip_is_made_without_the_products_height() -> None:
    with pytest.raises(InputError) as caught:
        made(height_cm="")
    assert caught.value.field == "height_cm"


# how it moves


@MOTIONS
@pytest.mark.parametrize("fps", ["10", "24", "30"])
def test_a_loop_ends_where_it_begins_and_goes_somewhere(motion: str, fps: str) -> None:
    values = phases(parsed(motion=motion, fps=fps, duration_s="3"))
    if motion == "light_sweep":
        assert (values[0], values[-1]) == (0, 1), "the band is out of sight at both ends"
    else:
        assert values[0] == values[-1] == 0
    assert max(values) > 0.9


@MOTIONS
def test_a_motion_one_way_never_turns_back(motion: str) -> None:
    values = phases(parsed(motion=motion, loop="false"))
    assert values == sorted(values)
    assert values[-1] == 1


@cache
def ends(motion: Motion) -> tuple[Frame, Frame]:
    """The frame of a motion's beginning and that of its furthest, before they are encoded."""
    asked = parsed(**SMALL, motion=motion)
    scene, channel = scenes.load(LIBRARY.scenes[asked.scene]), channels.load("instagram")
    shot = shot_of(stage_of(Product(mug(), 12.0), scene, channel, asked, GROWTH[motion]), motion)
    return shot(0.0), shot(0.5 if motion == "light_sweep" else 1.0)


@MOTIONS
def test_what_is_about_the_product_moves(motion: Motion) -> None:
    first, furthest = ends(motion)
    beside = (first.alpha == 0) & (furthest.alpha == 0)
    changed = np.abs(first.rgb.astype(int) - furthest.rgb).max(axis=2)[beside]
    assert np.percentile(changed, 99) > 3


@pytest.mark.parametrize("motion", ["slide", "light_sweep", "rack_focus"])
def test_a_product_that_is_as_near_as_before_is_the_same_to_the_last_bit(motion: Motion) -> None:
    """Nothing lights or blurs it."""
    first, furthest = ends(motion)
    assert first.placement == furthest.placement
    assert np.array_equal(first.rgb[first.alpha == 1], furthest.rgb[first.alpha == 1])


def test_a_product_that_comes_nearer_grows_about_its_middle() -> None:
    first, furthest = ends("push_in")
    middles = [np.argwhere(each.alpha > 0.5).mean(axis=0) for each in (first, furthest)]
    assert furthest.placement.scale == pytest.approx(first.placement.scale * GROWTH["push_in"])
    assert np.abs(middles[0] - middles[1]).max() < 2


@MOTIONS
def test_the_product_of_every_frame_is_its_cutout(motion: str) -> None:
    measures = of(motion).measures
    assert measures["clip_layer_delta_e"] < 1
    assert measures["clip_delta_e_mean"] < 6  # half-size chroma mixes stripes of a few pixels
    assert measures["clip_frames"] == 10
    assert measures["clip_loop_difference"] == 0


# its files


def test_the_poster_is_the_still_that_moves() -> None:
    poster = np.asarray(decode(file(of("slide"), "showcase")).pixels, np.uint8)
    assert poster.shape == (240, 240, 3)
    assert np.abs(poster.astype(int) - frames("slide")[0]).mean() < 4


def test_a_clip_says_what_its_colours_are_and_how_it_was_made() -> None:
    clip = file(of("slide"), "clip")
    assert source_type_in(clip) == COMPOSITE
    with av.open(BytesIO(clip)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name in ("vp9", "libvpx-vp9")
        assert container.format.name.startswith("mov,mp4")
    assert clip.index(b"moov") < clip.index(b"mdat"), "a player begins before it has all"
    assert of("slide").measures["clip_bt709"] == 1


def test_a_letter_gets_a_picture_that_moves() -> None:
    letter = file(of("slide"), "mail")
    with Image.open(BytesIO(letter)) as picture:
        count = len([*ImageSequence.Iterator(picture)])
        assert (picture.format, picture.info["loop"]) == ("WEBP", 0)
        assert 5 <= count <= 10, "of frames that are equal one is kept"
    assert source_type_in(letter) == COMPOSITE


def test_colours_go_to_the_clips_and_back() -> None:
    y, x = np.mgrid[:64, :96]
    rgb = np.dstack([x * 2 + 20, y * 3 + 20, 200 - x]).astype(np.uint8)
    back = clips.rgb_of(clips.planes(rgb))
    assert np.abs(back.astype(int) - rgb).max() <= 3


@pytest.mark.parametrize("broken", [b"", b"no clip", b"\x00\x00\x00\x1cftypisom" + bytes(400)])
def test_what_is_no_clip_is_refused(broken: bytes) -> None:
    with pytest.raises(ValueError, match="no clip"):
        clips.read_mp4(broken, [0])


@pytest.mark.long
def test_two_processes_make_the_same_bytes() -> None:
    code = (
        "import hashlib; from tests.gpu_workers.test_showcase import of, file;"
        "print(hashlib.sha256(file(of('light_sweep'), 'clip') + file(of('light_sweep'), 'mail')).hexdigest())"
    )
    root = Path(__file__).parents[2]
    said = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True).stdout
    ours = of("light_sweep")
    assert said.strip() == hashlib.sha256(file(ours, "clip") + file(ours, "mail")).hexdigest()
