"""A new operation is two files: they are all that recipes, topics, the pool, the gates and the commands need."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCHEMA_HALF = '''
"""Stamp: a number on a packshot."""

from schemas.operations.base import FILE, Operation, SizedParameters


class StampParameters(SizedParameters, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`number`: what is stamped."""

    number: int = 7


OPERATION = Operation(
    name="stamp",
    summary="a number on a packshot",
    pool="compose",
    parameters=StampParameters,
    takes=frozenset({"picture"}),
    makes="picture",
    banned_by=frozenset({"text"}),
    required={**FILE, "stamped": "text"},
)
'''
PIXEL_HALF = '''
"""Stamp's pixel half."""

from collections.abc import Sequence

from gpu_workers.imaging.linear_light import eight_bit
from gpu_workers.operations.base import BadInputs, ComposeRequest, Made, Memory, facts
from gpu_workers.sources.decoding import Picture
from schemas.operations.stamp import StampParameters

MEMORY = Memory(10, 10, 10)


def run(inputs: Sequence[Picture], request: ComposeRequest) -> Made:
    parameters = StampParameters.parse(request.parameters)
    if len(inputs) != 2:
        raise BadInputs("a picture and its mask")
    canvas = inputs[0].pixels.copy()
    canvas[:8, :8] = parameters.number
    return Made(canvas=canvas, mask=eight_bit(inputs[1].pixels)[..., 0], metadata=inputs[0].metadata)


def fingerprint(_request: ComposeRequest) -> str:
    return ""


def measure(file: bytes, made: Made, request: ComposeRequest) -> dict[str, float]:
    return {**facts(file, request), "stamped": 1.0}
'''
RECIPE = """\
name: stamped
version: 1
steps:
  - operation: cutout
    next:
      - operation: packshot
        channels: [shopify]
        next:
          - {operation: stamp, parameters: {number: 9}}
"""
THE_FLOW_KNOWS_IT = """
import sys
from schemas import channels, topics
from schemas.channels.rulebook import SHIPPED
from schemas.recipes.cookbook import Cookbook, filled
from schemas.recipes.reading import parse_recipe
from schemas.records import Step, Task
from streams.flow.processors.judging import judge

book = Cookbook({"stamped": parse_recipe(sys.stdin.read(), "stamped.yaml")})
(slip,) = book.slips("stamped", "demo", ["shopify"], None, 1)
step = slip.next[0].next[0]
assert (step.operation, step.asset, step.parameters) == ("stamp", "shopify-1", {"number": "9"})
assert filled("stamp", {}, None)["number"] == ("7", "operation")
task = Task(task_id="a" * 64, tenant="demo", sku="A", version=1, lane="bulk", step=step)
assert topics.topic_of(task).name == "imagery.tasks.compose.bulk"
verdict = judge({}, channels.load("shopify"), "stamp")
assert {check.point for check in verdict.checks if check.name == "stamped"} == {"text"}
assert verdict.outcome == "review"
"""
THE_POOL_MAKES_IT = """
import io, tempfile
import numpy as np
from PIL import Image
from gpu_workers.metering import Meter, Prices
from gpu_workers.operations.base import Library
from gpu_workers.pools.admission import Budget
from gpu_workers.pools.compose import Compose
from gpu_workers.pools.outputs import store
from gpu_workers.results import Results
from schemas.records import Step, Task
from streams.blobs import Blobs, open_store

def png(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()

blobs = Blobs(open_store(f"file://{tempfile.mkdtemp()}"))
shapes = [(300, 300, 3), (300, 300)]
inputs = [store(blobs, "x", png(np.full(shape, 200, np.uint8)), "image/png", shape) for shape in shapes]
step = Step(operation="stamp", channel="shopify", asset="shopify-1", parameters={"number": "9"})
task = Task(task_id="a" * 64, tenant="demo", sku="A", version=1, lane="bulk", step=step, inputs=inputs)
_, result, known = Compose(blobs, Library, Budget(2**33)).work(task, Results(blobs), Meter(Prices()))
assert not known
assert result.measures["stamped"] == 1.0
assert [blob.role for blob in result.outputs] == ["stamp"]
"""


@pytest.fixture(scope="module")
def plugged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Our code as it is, with what was compiled of it, and two files. What is compiled anew replaces a link."""
    root = tmp_path_factory.mktemp("plugged")
    for package in ("schemas", "gpu_workers", "streams", "tests"):
        for file in (ROOT / package).rglob("*"):
            if file.is_file():
                target = root / file.relative_to(ROOT)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.symlink_to(file)
    (root / "schemas/operations/stamp.py").write_text(SCHEMA_HALF.lstrip())
    (root / "gpu_workers/operations/stamp.py").write_text(PIXEL_HALF.lstrip())
    return root


def ran(root: Path, arguments: Sequence[str], given: str = "") -> str:
    """What Python says with the plugged code and these arguments."""
    environment = {**os.environ, "PYTHONPATH": str(root)}
    command = [sys.executable, *arguments]
    done = subprocess.run(command, cwd=root, env=environment, input=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_recipes_topics_and_gates_know_it(plugged: Path) -> None:
    ran(plugged, ["-c", THE_FLOW_KNOWS_IT], RECIPE)


def test_the_pool_makes_it(plugged: Path) -> None:
    ran(plugged, ["-c", THE_POOL_MAKES_IT])


def test_render_offers_it(plugged: Path) -> None:
    assert "stamp" in ran(plugged, ["-m", "streams.commands.cli", "render", "--help"])


def test_the_conformance_suite_holds_it_to_the_contract(plugged: Path) -> None:
    """All but the row of the documentation, which it has not."""
    suite = ["-m", "pytest", "--noconftest", "tests/contracts/test_operations.py", "-k", "stamp and not documentation"]
    assert "passed" in ran(plugged, [*suite, "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", str(plugged)])
