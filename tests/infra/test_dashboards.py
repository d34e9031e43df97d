"""Boards: every query of every panel, asked of a real Prometheus that has what our metrics tell, and nothing else."""

import importlib
import itertools
import math
import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client import REGISTRY, Counter, Gauge, Histogram
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.samples import Sample

from infra.dashboards.boards import BOARDS, Board, Panel
from infra.dashboards.writing import file, text
from infra.servers.process import LOOPBACK, free_port, running
from schemas.records import LANES
from tests.servers import skip_or_fail

pytestmark = pytest.mark.infra

ROOT = Path(__file__).parents[2]
PANELS = {f"{board.name}: {panel.title}": panel for board in BOARDS for panel in board.panels}
SEEDS = ["Latency of the API", "Latency of tasks", "Success", "Cost of an accepted image", "Satisfaction"]
# What labels are told apart by in queries; any other value does for the rest.
VALUES = {
    "cached": ("true", "false"),
    "how": ("done", "dead", "retried"),
    "lane": LANES,
    "met": ("true", "false"),
    "state": ("approved", "rejected"),
    "status": ("200", "500"),
}
STEP_S, STEPS = 60, 90  # longer than what shares are of, by the interval that roles are asked in
METRIC = re.compile(r"\bpackshot_[a-z_]+")
SUFFIXES = ("", "_total", "_bucket", "_count", "_sum")  # of a family's samples


@pytest.fixture(scope="module")
def metrics() -> list[MetricWrapperBase]:
    """Every metric that code of ours makes."""
    found: dict[int, MetricWrapperBase] = {}
    for folder in ("streams", "gpu_workers"):
        for path in (ROOT / folder).rglob("*.py"):
            if "from prometheus_client import" in path.read_text():
                module = importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
                values = (each for each in vars(module).values() if isinstance(each, MetricWrapperBase))
                found.update({id(each): each for each in values})
    return list(found.values())


def _add(metric: MetricWrapperBase) -> None:
    """What a minute of work adds to it, in every series."""
    names: Sequence[str] = metric._labelnames
    for values in itertools.product(*(VALUES.get(name, ("some",)) for name in names)):
        one = metric.labels(*values) if values else metric
        if isinstance(one, Counter):
            one.inc(3)
        elif isinstance(one, Histogram):
            one.observe(0.3)
        elif isinstance(one, Gauge):
            one.set(0.5)


def _history(metrics: list[MetricWrapperBase], until_s: int) -> Iterator[str]:
    """OpenMetrics, of a time in which everything happened every minute."""
    lines: dict[tuple[str, str], list[str]] = {}
    for step in range(STEPS):
        for metric in metrics:
            _add(metric)
        at = until_s - (STEPS - 1 - step) * STEP_S
        for family in REGISTRY.collect():
            if family.name.startswith("packshot_"):
                told = (each for each in family.samples if not each.name.endswith("_created"))
                lines.setdefault((family.name, family.type), []).extend(_line(each, at) for each in told)
    for (name, kind), samples in lines.items():
        yield f"# TYPE {name} {kind}\n"
        yield from samples
    yield "# EOF\n"


def _line(sample: Sample, at: int) -> str:
    labels = ",".join(f'{name}="{value}"' for name, value in sample.labels.items())
    return f"{sample.name}{{{labels}}} {sample.value} {at}\n"


@pytest.fixture(scope="module")
def prometheus(
    metrics: list[MetricWrapperBase], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[httpx.Client, int]]:
    """It, and the Unix time in s that its data ends at."""
    programs = [shutil.which(name) for name in ("prometheus", "promtool")]
    if None in programs:
        skip_or_fail("prometheus and promtool: Debian's prometheus")
    folder, until_s, port = tmp_path_factory.mktemp("prometheus"), int(time.time()) - 60, free_port()
    history = folder / "history.om"
    history.write_text("".join(_history(metrics, until_s)))
    made = [str(programs[1]), "tsdb", "create-blocks-from", "openmetrics", str(history), str(folder / "data")]
    done = subprocess.run(made, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (folder / "config.yaml").write_text("")
    command = [
        str(programs[0]),
        f"--config.file={folder / 'config.yaml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={LOOPBACK}:{port}",
    ]
    with (
        httpx.Client(base_url=f"http://{LOOPBACK}:{port}", timeout=60) as client,
        running("Prometheus", command, folder / "log", lambda: _is_ready(client)),
    ):
        yield client, until_s


def _is_ready(client: httpx.Client) -> bool:
    try:
        return client.get("/-/ready").status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)
def test_the_file_is_the_table(board: Board) -> None:
    assert file(board).read_text() == text(board), "make dashboards"


def test_the_first_board_begins_with_what_was_asked_for() -> None:
    assert [panel.title for panel in BOARDS[0].panels][: len(SEEDS)] == SEEDS
    assert [board.name for board in BOARDS] == ["business", "flow", "engines", "kafka", "scaling"]


def test_every_metric_that_is_asked_for_is_made_by_code_of_ours(metrics: list[MetricWrapperBase]) -> None:
    names = {family.name + suffix for metric in metrics for family in metric.describe() for suffix in SUFFIXES}
    asked = {name for panel in PANELS.values() for query, _ in panel.queries for name in METRIC.findall(query)}
    assert asked - names == set()


@pytest.mark.parametrize("panel", PANELS.values(), ids=PANELS)
def test_prometheus_answers_every_query_with_numbers_and_names(
    prometheus: tuple[httpx.Client, int], panel: Panel
) -> None:
    for query, legend in panel.queries:
        called = set(re.findall(r"{{(\w+)}}", legend))
        series = asked_of(prometheus, query)
        assert series, query
        values = [float(each["value"][1]) for each in series]
        assert all(map(math.isfinite, values)), (query, values)
        if panel.unit == "percentunit":
            assert all(0 <= value <= 1 for value in values), (query, values)
        assert all(set(each["metric"]) == called for each in series), (query, legend)


def test_a_label_or_metric_that_there_is_not_has_no_answer(prometheus: tuple[httpx.Client, int]) -> None:
    """Or the one above would tell nothing."""
    assert asked_of(prometheus, "sum by (pool) (packshot_nothing)") == []
    assert [each["metric"] for each in asked_of(prometheus, "sum by (nothing) (packshot_in_flight)")] == [{}]


def asked_of(prometheus: tuple[httpx.Client, int], query: str) -> list[dict[str, Any]]:
    """Its series at the end of its data."""
    client, at_s = prometheus
    answer = client.get("/api/v1/query", params={"query": query, "time": str(at_s)}).json()
    assert answer["status"] == "success", answer
    found: list[dict[str, Any]] = answer["data"]["result"]
    return found
