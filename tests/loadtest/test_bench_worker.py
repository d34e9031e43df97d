import pytest

from loadtest.benchmarks.worker import compared
from loadtest.benchmarks.worker_backlog import Drained


def test_ratios_are_medians_of_those_of_the_rounds() -> None:
    rounds = [
        {"worker": Drained(10, wall_s, 20), "rembg-matting": Drained(5, 5, 20)}  # as many a second, half the CPU each
        for wall_s in (10.0, 5.0, 1.0)
    ]
    figures = compared(rounds)
    assert figures["worker_per_s"] == 2
    assert figures["rembg_matting_per_s"] == 1
    assert figures["worker_to_rembg_matting"] == pytest.approx(2)
    assert figures["worker_to_rembg_matting_per_cpu_s"] == pytest.approx(2)
