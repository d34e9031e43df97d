"""Library: brands and scenes are there to be seen."""

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from gpu_workers.library import brands
from streams.runtime.errors import Refused
from streams.runtime.settings import Settings
from streams.services.releases import library
from streams.web.place import Place
from tests.streams.web.conftest import Client

SignIn = Callable[..., Client]
SHIPPED = sorted(brands.find(brands.shipped_folder()))
ADDRESS = "/desk/demo/library/brand"


def pixels(data: bytes) -> NDArray[np.int16]:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), np.int16)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_brand_is_seen_on_a_scene_that_is_left_as_it_was_on_its_left(name: str, sign_in: SignIn) -> None:
    client = sign_in("demo", role="viewer")
    assert f'src="{ADDRESS}?name={name}&amp;size=640"' in client.get("/desk/demo/library").text
    plain = pixels(client.get("/desk/demo/library/scene?name=oak-table-window&size=320").content)
    styled = pixels(client.get(f"{ADDRESS}?name={name}&size=320").content)
    assert styled.shape == plain.shape
    middle = plain.shape[1] // 2
    off = np.abs(styled - plain).mean(axis=(0, 2))
    assert off[: middle - 4].max() < 4, "but for compression"
    assert off[middle + 4 :].mean() > 6


def test_a_brand_that_is_another_now_is_another_picture(place: Place, settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "house.yaml"
    text = (brands.shipped_folder() / "earthy.yaml").read_text().replace("name: earthy", "name: house")
    own = replace(settings, brands=tmp_path)
    assert library.sample(own, "house") is None
    file.write_text(text)
    before = library.sample(own, "house")
    file.write_text(text.replace("lut: null", "lut: matte"))
    after = library.sample(own, "house")
    assert before is not None
    assert after is not None
    assert before.name != after.name
    assert place.showing.drawn(before.name, before.draw) != place.showing.drawn(after.name, after.draw)
    (tmp_path / "own.cube").write_text("LUT_3D_SIZE 99999")
    file.write_text(text.replace("lut: null", "lut: own.cube"))
    unreadable = library.sample(own, "house")
    assert unreadable is not None
    with pytest.raises(Refused, match=r"own\.cube"):
        unreadable.draw()
    file.write_text("name: house")
    assert library.sample(own, "house") is None, "which is told on the page"


@pytest.mark.parametrize("name", ["", "nobody", "../earthy", "<b>"])
def test_a_brand_that_is_none_is_no_picture(name: str, sign_in: SignIn) -> None:
    assert sign_in("demo", role="viewer").get(ADDRESS, params={"name": name, "size": 320}).status_code == 404
