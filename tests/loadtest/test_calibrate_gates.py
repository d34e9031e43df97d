"""Planting faults: every kind does something, what was measured is gone on with, and figures say what they stand on."""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from loadtest.benchmarks import calibrate_gates as calibrating
from loadtest.benchmarks.calibrate_gates import HEADING, Count, Trial, held, some, with_section
from loadtest.benchmarks.gate_faults import FAULTS, Fault, Planting
from loadtest.benchmarks.gate_trials import Sample

SIDE = 240
PICTURES = [fault for fault in FAULTS if fault.stage in ("picture", "shadow", "photograph")]


def planting() -> Planting:
    """A striped box on white, with a gap in it, and another."""
    random = np.random.default_rng(1)
    pixels = np.full((SIDE, SIDE, 3), 255, np.uint8)
    pixels[60:200, 70:170] = random.integers(20, 240, (140, 100, 3))
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[60:200, 70:170] = 255
    mask[100:120, 80:90] = 0
    return Planting(pixels, mask, np.ascontiguousarray(pixels[::-1]))


def of_cutout() -> Planting:
    """The same, cut out."""
    given = planting()
    return Planting(np.dstack([given.pixels, given.mask]), given.mask, given.other)


def changed(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> int:
    return int((one != other).sum())


def test_there_are_the_kinds_that_were_asked_for() -> None:
    assert len({fault.name for fault in FAULTS}) == len(FAULTS) >= 24
    assert all(len(fault.strengths) == 5 for fault in FAULTS)


@pytest.mark.parametrize("fault", PICTURES, ids=lambda fault: fault.name)
def test_a_fault_changes_a_picture_of_the_same_size(fault: Fault) -> None:
    given = planting()
    made = fault.plant(given, fault.strengths[-1])
    assert (made.shape, made.dtype) == (given.pixels.shape, np.uint8)
    assert changed(made, given.pixels) > 0


@pytest.mark.parametrize("fault", [each for each in FAULTS if each.stage == "cutout"], ids=lambda fault: fault.name)
def test_a_fault_changes_a_cutout(fault: Fault) -> None:
    given = of_cutout()
    made = fault.plant(given, fault.strengths[-1])
    assert made.shape[2] == 4
    assert made.shape != given.pixels.shape or changed(made[..., 3], given.mask) > 0


@pytest.mark.parametrize("fault", [each for each in FAULTS if each.stage == "file"], ids=lambda fault: fault.name)
def test_a_fault_makes_a_file(fault: Fault) -> None:
    assert fault.plant(planting(), fault.strengths[-1]).startswith(b"\xff\xd8")


def test_intervals_are_wilsons() -> None:
    assert Count(9, 10).interval == pytest.approx((0.596, 0.982), abs=1e-3)
    assert Count(0, 10).interval == pytest.approx((0, 0.278), abs=1e-3)
    assert str(Count(0, 0)) == "–"


def test_a_section_takes_its_own_place() -> None:
    text = with_section("# A\n\n## B\n\nb\n", f"{HEADING}\n\none\n")
    again = with_section(text, f"{HEADING}\n\ntwo\n")
    assert again == f"# A\n\n## B\n\nb\n\n{HEADING}\n\ntwo\n"
    assert with_section(again + "\n## C\n\nc\n", f"{HEADING}\n\nthree\n").endswith("three\n\n## C\n\nc\n")


def test_a_line_that_was_cut_short_is_measured_anew(tmp_path: Path) -> None:
    whole = json.dumps(vars(Trial("a", "A", True, "picture", "", 0, {"fill": 0.8})))
    file = tmp_path / "known.jsonl"
    file.write_text(f"{whole}\n{whole[:40]}")
    assert [each.sample for each in calibrating._read(file)] == ["a"]


def test_fewer_products_are_some_of_more_and_a_third_is_held_out() -> None:
    samples = [Sample(name, f"{name}-1", f"{name}.png", f"{name}.png") for name in "abcdefg"]
    assert {each.product for each in some(samples, 3)} < {each.product for each in some(samples, 5)}
    trials = [Trial(each.name, each.product, False, "picture", "", 0, {}) for each in samples]
    assert {product for _, product in held(trials)} == {"a", "d", "g"}
