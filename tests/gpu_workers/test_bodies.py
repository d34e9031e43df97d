"""The mannequins that ship: adults, whole, and covered from the chest line to the middle of the thigh."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from gpu_workers.library import bodies
from gpu_workers.library.bodies import BadModel
from gpu_workers.operations.model import raster

SHIPPED = bodies.find(bodies.shipped_folder())
EVERY = pytest.mark.parametrize("name", sorted(SHIPPED))
MB_MAX = 4  # of all that ship by now; 30 with every body and setting


def test_there_are_women_and_men_of_several_sizes_and_ages() -> None:
    models = [bodies.load(folder) for folder in SHIPPED.values()]
    assert {each.presents for each in models} == {"woman", "man"}
    assert {each.size for each in models} >= {"S", "M", "XL"}
    assert any(each.age_years > 50 for each in models)
    assert sum(file.stat().st_size for folder in SHIPPED.values() for file in folder.iterdir()) < MB_MAX * 1e6


@EVERY
def test_a_body_is_human_in_size_and_stands_on_the_ground(name: str) -> None:
    model = bodies.load(SHIPPED[name])
    points = model.arrays["stands"]
    assert points[:, 2].min() == pytest.approx(0, abs=0.01)
    assert np.ptp(points[:, 2]) * 100 == pytest.approx(model.height_cm, abs=1.5)
    assert np.abs(model.arrays["fine"][:, 2].max() - points[:, 2].max()) < 0.01
    mirrored = points * [-1, 1, 1]
    assert np.abs(mirrored[:, 0].max() - points[:, 0].max()) > 0.005, "nobody stands at ease like a statue"


@EVERY
def test_nothing_is_bare_between_chest_line_and_mid_thigh(name: str) -> None:
    """Of every pixel that shows the trunk or a leg from the front, with no garment on."""
    model = bodies.load(SHIPPED[name])
    mesh, joints = model.arrays, {each: np.array(at) for each, at in model.joints_m.items()}
    quads = mesh["fine_faces"]
    halves = np.ascontiguousarray(np.vstack([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]]).astype(np.int32))
    camera = raster.Camera(model.camera.distance_m, model.camera.top_m, model.camera.bottom_m)
    drawn = raster.rasterise(camera.seen(mesh["fine"], 600, 480), halves, 600, 480)
    seen = drawn.triangle >= 0
    values = np.column_stack([mesh["fine"][:, 2], mesh["covered"], mesh["arms"]])
    z, covered, arms = raster.interpolated(drawn, halves, values, seen).T
    chest, thigh = joints["shoulder_left"][2] - 0.12, joints["hip_left"][2] * 0.75
    trunk = (z < chest) & (z > max(thigh, model.camera.bottom_m)) & (arms < 0.3)
    assert trunk.sum() > 5000
    assert (covered[trunk] > 0.5).all()


def copied(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SHIPPED[min(SHIPPED)], tmp_path / min(SHIPPED)))


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("age_years: ", "age_years: 1 #", "age_years"),
        ("virtual: true", "virtual: false", "virtual"),
        ("mesh: body.npz", "mesh: ../body.npz", "not in its folder"),
        ("mesh: body.npz", "mesh: nobody.npz", "not in its folder"),
    ],
)
def test_what_is_wrong_with_a_body_is_named(tmp_path: Path, old: str, new: str, says: str) -> None:
    folder = copied(tmp_path)
    file = folder / bodies.FILE
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    with pytest.raises(BadModel, match=says):
        bodies.load(folder)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no archive", b"\x93NUMPY"])
def test_a_mesh_that_is_none_is_named(tmp_path: Path, content: bytes) -> None:
    folder = copied(tmp_path)
    (folder / "body.npz").write_bytes(content)
    with pytest.raises(BadModel, match=r"body\.npz"):
        _ = bodies.load(folder).arrays
