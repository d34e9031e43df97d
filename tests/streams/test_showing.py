"""Pictures as pages show them: small, whole, and with what a cutout left out marked."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from schemas.records import Source
from streams.blobs import Blobs, FolderStore
from streams.runtime.errors import Refused
from streams.runtime.settings import Settings
from streams.services.display.showing import EDGE, Showing, Shown

RED, CLEAR = (220, 20, 20, 255), (0, 0, 0, 0)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_folder=tmp_path, source_file_roots=[str(tmp_path)])


@pytest.fixture
def showing(settings: Settings) -> Showing:
    return Showing(settings)


def file(size: tuple[int, int], colour: tuple[int, ...] = RED, kind: str = "PNG") -> bytes:
    written = io.BytesIO()
    Image.new("RGBA" if kind == "PNG" else "RGB", size, colour[: 4 if kind == "PNG" else 3]).save(written, kind)
    return written.getvalue()


def stored(tmp_path: Path, data: bytes) -> str:
    return Blobs(FolderStore(tmp_path / "blobs")).put(data, "image/png")


def pixels(shown: Shown) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(shown.data)).convert("RGB")).astype(int)


def test_a_picture_is_made_small_once(showing: Showing, tmp_path: Path) -> None:
    digest = stored(tmp_path, file((800, 400)))
    found = []

    def whole() -> Shown:
        found.append(digest)
        return showing.blob(digest, "image/png")

    small = showing.small(digest, whole, 96)
    assert Image.open(io.BytesIO(small.data)).size == (96, 48)
    assert showing.small(digest, whole, 96) is small
    assert len(found) == 1
    assert showing.blob(digest, "image/png").media_type == "image/png"


def test_what_no_browser_knows_is_shown_all_the_same(showing: Showing, tmp_path: Path) -> None:
    digest = stored(tmp_path, file((40, 30), kind="TIFF"))
    shown = showing.blob(digest, "image/tiff")
    assert (shown.media_type, Image.open(io.BytesIO(shown.data)).format) == ("image/png", "PNG")


def test_what_is_gone_or_broken_is_an_answer(showing: Showing, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="is gone"):
        showing.blob("a" * 64, "image/png")
    with pytest.raises(Refused, match="is gone"):
        showing.live("demo/A/web-1.png", "image/png")
    broken = stored(tmp_path, b"no picture")
    with pytest.raises(Refused, match="cannot be read"):
        showing.small(broken, lambda: showing.blob(broken, "image/png"), 96)
    with pytest.raises(Refused) as found:
        showing.source(Source(uri="file:///etc/hostname"))
    assert found.value.code == "source_forbidden"


def test_a_photograph_is_as_large_as_it_is_shown(showing: Showing, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(file((2400, 1200), kind="JPEG"))
    source = Source(uri=f"file://{tmp_path}/a.jpg")
    assert Image.open(io.BytesIO(showing.source(source).data)).size == (2400, 1200)
    assert Image.open(io.BytesIO(showing.source(source, 640 * 640).data)).width < 1000


def test_what_a_cutout_left_out_is_marked(showing: Showing, tmp_path: Path) -> None:
    photograph = file((100, 100), (90, 90, 90, 255))
    cut = Image.new("RGBA", (100, 100), CLEAR)
    cut.paste((90, 90, 90, 255), (0, 0, 50, 100))
    cut.paste((90, 90, 90, 128), (50, 0, 52, 100))
    written = io.BytesIO()
    cut.save(written, "PNG")
    shown = pixels(showing.left_out(lambda: Shown(photograph, "image/png"), stored(tmp_path, written.getvalue())))
    kept, edge, away = shown[50, 20], shown[50, 50], shown[50, 90]
    assert abs(kept - 90).max() <= 3
    assert abs(edge - np.array(EDGE)).max() <= 40
    assert away[0] > away[1] + 30


def test_a_cutout_of_another_shape_lies_on_its_own_ground(showing: Showing, tmp_path: Path) -> None:
    photograph = file((100, 100), (90, 90, 90, 255))
    digest = stored(tmp_path, file((60, 100)))
    shown = Image.open(io.BytesIO(showing.left_out(lambda: Shown(photograph, "image/png"), digest).data))
    assert shown.size == (60, 100)
