"""`packshot brands`: a brand that was learned is there for whoever styles pictures."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gpu_workers.library import brands as profiles
from streams.commands.tables.brands import show_brand, show_brands
from streams.runtime.errors import Refused
from streams.runtime.settings import Settings
from streams.services.releases import brands
from tests.gpu_workers.pictures import on_ground


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    files = [tmp_path / f"{n}.png" for n in range(10)]
    for n, file in enumerate(files):
        Image.fromarray(np.dstack(on_ground(padding=0.12 + n / 100))).save(file)
    return files


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_folder=tmp_path / "data", brands=tmp_path / "brands")


def learned(settings: Settings, pictures: list[Path], name: str = "house", into: Path | None = None) -> brands.Row:
    return brands.learn(settings, name, pictures, into, lambda _done, _total: None)


def test_a_learned_brand_is_listed_beside_those_that_ship(
    settings: Settings, pictures: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    row = learned(settings, pictures)
    assert settings.brands is not None
    assert row.file == settings.brands / "house.yaml"
    assert profiles.dump(profiles.load(row.file)) == row.file.read_text()
    assert [each.name for each in brands.overview(settings) if not each.ships] == ["house"]
    show_brand(brands.show(settings, "house"), as_json=True)
    stdout = json.loads(capsys.readouterr().out)
    assert (stdout["pictures"], stdout["background"], stdout["ships"]) == (10, "#FFFFFF", False)
    assert stdout["parameters"]["background.color"] == "#FFFFFF"


def test_a_brand_that_is_there_may_hold_corrections_and_is_kept(settings: Settings, pictures: list[Path]) -> None:
    learned(settings, pictures)
    with pytest.raises(Refused, match="corrections") as caught:
        learned(settings, pictures)
    assert (caught.value.code, caught.value.field) == ("brand_exists", "NAME")


def test_what_is_wrong_is_reported_with_its_field(settings: Settings, pictures: list[Path], tmp_path: Path) -> None:
    nowhere = replace(settings, brands=None)
    pictures[4].write_text("no picture")
    for given, name, files, code, field in (
        (nowhere, "house", pictures, "missing_folder", "into"),
        (settings, "../house", pictures, "bad_name", "NAME"),
        (settings, "house", pictures[:9], "too_few_examples", "examples"),
        (settings, "house", pictures, "bad_example", "examples"),
    ):
        with pytest.raises(Refused) as caught:
            learned(given, files, name)
        assert (caught.value.code, caught.value.field) == (code, field)
    assert not (tmp_path / "brands").exists()


def test_a_brand_that_is_not_well_formed_is_listed_with_what_is_wrong(settings: Settings) -> None:
    assert settings.brands is not None
    settings.brands.mkdir()
    (settings.brands / "mine.yaml").write_text("name: mine\n")
    (row,) = (each for each in brands.overview(settings) if not each.ships)
    assert "version" in row.wrong
    show_brands([row], as_json=False)
    for name, code in (("mine", "bad_brand"), ("nobody", "unknown_brand")):
        with pytest.raises(Refused) as caught:
            brands.show(settings, name)
        assert caught.value.code == code
