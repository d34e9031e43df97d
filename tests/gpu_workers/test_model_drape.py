"""A T-shirt on each mannequin: it hangs on the shoulders, goes through nobody, and hangs the same twice."""

import hashlib
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from gpu_workers.library import bodies
from gpu_workers.library.bodies import Model
from gpu_workers.operations.model import dressing, measures
from gpu_workers.operations.model.drape import Cloth
from gpu_workers.operations.model.dressing import Look, Worn
from gpu_workers.operations.model.outline import outline
from gpu_workers.operations.model.pattern import PLAIN_FROM, Pattern, pattern
from gpu_workers.operations.model.sizing import cut_for
from schemas.channels import Size
from streams.flow.gates import held, product
from tests.gpu_workers import tees

ROOT = Path(__file__).parents[2]
BODIES = sorted(bodies.find(bodies.shipped_folder()))
LOOK = Look((0.55, 0.53, 0.51), (0.035, 0.036, 0.04), (0.68, 0.675, 0.665))
OTHERS = [pytest.param(each, marks=pytest.mark.long) for each in BODIES[1:]]
EVERY = pytest.mark.parametrize("name", [BODIES[0], *OTHERS])


def model(name: str) -> Model:
    return bodies.load(bodies.find(bodies.shipped_folder())[name])


@cache
def cut(width_cm: float) -> Pattern:
    picture = tees.tee()
    return pattern(outline(picture[..., :3], picture[..., 3]), width_cm)


@cache
def hung(name: str) -> tuple[Pattern, Cloth]:
    its, picture = model(name), tees.tee()
    panels = cut_for(outline(picture[..., :3], picture[..., 3]), its, None, "regular")
    return panels, dressing.hung(panels, its)


@cache
def worn(name: str) -> Worn:
    picture = tees.tee()
    found = outline(picture[..., :3], picture[..., 3])
    panels, cloth = hung(name)
    return dressing.dressed(picture, found, panels, cloth, model(name), LOOK, Size(400, 500))


def test_panels_are_sewn_at_their_seams_and_whole() -> None:
    panels = cut(52.0)
    assert panels.width_cm == pytest.approx(52.0)
    assert panels.length_cm == pytest.approx(70, abs=1.5)
    front, back = panels.triangles[panels.is_front], panels.triangles[~panels.is_front]
    shared = np.intersect1d(front, back)
    assert set(shared) == set(np.flatnonzero(panels.side == 0)), "front and back meet at the seams, and there alone"
    corners = panels.flat[front]
    one, two = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    area = (one[:, 0] * two[:, 1] - one[:, 1] * two[:, 0]) / 2
    assert (area > 0).all()
    picture = tees.tee()
    inside = float((picture[..., 3] > 127).sum()) / tees.PX_PER_CM**2 - np.pi / 2 * 9 * (9 - 2)
    assert area.sum() * (2 * tees.ARMPIT[0] / 52) ** 2 == pytest.approx(inside, rel=0.03)
    assert np.ptp(panels.flat[:, 0]) > 70


@EVERY
def test_it_hangs_as_the_gate_wants_it(name: str) -> None:
    found = {**measures.cloth_measures(worn(name)), "in_frame": measures.in_frame(worn(name))}
    asked = [each for each in product.WORN if each.measure in found]
    assert len(asked) == len(product.WORN)
    assert {each.name: each.outcome for each in held("product", asked, found)} == dict.fromkeys(
        (each.measure for each in asked), "pass"
    )
    assert found["in_frame"] == 1


def test_a_larger_size_is_let_out_at_the_sides_and_keeps_its_middle() -> None:
    picture = tees.tee()
    found = outline(picture[..., :3], picture[..., 3])
    whole, out = pattern(found, 60.0), pattern(found, 60.0, 4.0)
    assert out.width_cm == pytest.approx(60.0)
    assert out.length_cm == pytest.approx(whole.length_cm * 56 / 60)
    middle = np.abs(out.flat[:, 0]) < PLAIN_FROM * 28
    assert np.allclose(out.rest[middle], out.flat[middle])
    assert np.ptp(out.sleeves[:, 1, 0]) == pytest.approx(60.0, abs=0.5)
    assert out.let_out == pytest.approx(1 + 2 / ((1 - PLAIN_FROM) * 28))


@EVERY
def test_its_pixels_are_the_cutouts_times_the_light(name: str) -> None:
    found = measures.picture_measures(worn(name).canvas.astype(np.uint8), worn(name))
    assert found["light_divided_delta_e"] <= 2


def test_a_garment_that_lies_on_the_ground_is_told() -> None:
    its = worn(BODIES[0])
    slid = Cloth(its.cloth.points - np.array([0, 0, 0.2]), its.cloth.stretch, its.cloth.edges)
    fallen = Worn(**{**its.__dict__, "cloth": slid})
    assert measures.cloth_measures(fallen)["seam_off_shoulder_cm"] > 3
    inside = Cloth(its.cloth.points + np.array([0, 0.04, 0]), its.cloth.stretch, its.cloth.edges)
    assert measures.through_body_mm(Worn(**{**its.__dict__, "cloth": inside})) > 5


def test_another_colour_is_told_by_its_light_divided_out() -> None:
    its = worn(BODIES[0])
    tinted = its.canvas.astype(np.uint8)
    tinted[..., 0] = np.clip(tinted[..., 0].astype(int) - 14, 0, 255)
    assert measures.picture_measures(tinted, its)["light_divided_delta_e"] > 2


SAME = """
import hashlib
from tests.gpu_workers import test_model_drape as it
print(hashlib.sha256(it.hung(it.BODIES[0])[1].points.tobytes() + it.worn(it.BODIES[0]).canvas.tobytes()).hexdigest())
"""


@pytest.mark.long
def test_two_fresh_processes_give_the_same_bytes() -> None:
    run = [sys.executable, "-c", SAME]
    other = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    its = hung(BODIES[0])[1].points.tobytes() + worn(BODIES[0]).canvas.tobytes()
    assert hashlib.sha256(its).hexdigest() == other
