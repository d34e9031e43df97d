"""What `make bench` makes of the last lines of benchmarks."""

import json

from loadtest.benchmarks.overview import Line, lines


def test_figures_are_held_against_their_targets() -> None:
    fields = {
        "figures": {"tasks": 9, "wait": 1.5, "share": 0.04},
        "targets": {"wait": ["le", 1.5], "share": ["ge", 0.05]},
    }
    found = lines(json.dumps(fields))
    assert found == [Line("wait", 1.5, "le", 1.5), Line("share", 0.04, "ge", 0.05), Line("tasks", 9)]
    assert [line.is_met for line in found] == [True, False, None]
