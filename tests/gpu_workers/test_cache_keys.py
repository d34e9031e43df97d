"""Cache keys see all that makes pixels: code, defaults, a model's contract; and nothing that makes none."""

import ast
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, cast

import pytest
from msgspec.structs import replace

from gpu_workers import code
from gpu_workers.code import Code
from gpu_workers.engines.base import engine_fingerprint
from gpu_workers.metering import Meter, Prices
from gpu_workers.models.manifest import Model, load_manifest
from gpu_workers.operations.base import Library, UnknownOperation
from gpu_workers.pools import compose as compose_pool
from gpu_workers.pools import cutout as cutout_pool
from gpu_workers.pools.admission import Budget
from gpu_workers.pools.outputs import code_fingerprint, modules_of
from gpu_workers.results import Result, Results
from schemas.operations import OPERATIONS
from schemas.records import Blob, Source, Step, Task
from streams.runtime.settings import Settings

ROOT = Path(__file__).parents[2]
# Modules that load others by a name made up at run time, out of the closure's sight, and why none of ours is missed.
LOADS_BY_NAME = {
    "gpu_workers.operations.base": "a pixel half, whose own closure its key is",
    "schemas.operations": "the schema halves; each pixel half imports its own",
    "gpu_workers.engines.cuda_graphs": "CUDA",
    "gpu_workers.engines.tensorrt": "TensorRT and CUDA",
    "gpu_workers.engines.tensorrt_batch": "TensorRT and CUDA",
    "gpu_workers.engines.tensorrt_plan": "TensorRT and CUDA",
}


@pytest.fixture(scope="module")
def parsed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What came of parsing, by digests of the source: of a copy only what was changed is parsed again."""
    return tmp_path_factory.mktemp("parsed") / "code.json"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Our code, to be changed."""
    for package in ("gpu_workers", "schemas"):
        for file in (ROOT / package).rglob("*.py"):
            target = tmp_path / file.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)
    return tmp_path


def edited(root: Path, file: str, old: str, new: str) -> None:
    text = (root / file).read_text()
    assert old in text
    (root / file).write_text(text.replace(old, new, 1))


def keys(source: Code) -> dict[str, str]:
    return {operation: source.fingerprint(*modules_of(operation)) for operation in ("cutout", "mockup", "packshot")}


@pytest.mark.parametrize(
    ("file", "old", "new", "touched"),
    [
        ("schemas/operations/packshot.py", '] = "fit"', '] = "fill"', {"packshot"}),
        ("schemas/operations/cutout.py", "] = 0.001", "] = 0.002", {"cutout"}),
        ("gpu_workers/imaging/resampling.py", "_LOBES = 3", "_LOBES = 2", {"mockup", "packshot"}),
        ("gpu_workers/imaging/encoding.py", "= 95, 70", "= 94, 70", {"cutout", "mockup", "packshot"}),
        ("gpu_workers/models/people.py", "_SIDE_PX = 256", "_SIDE_PX = 128", {"cutout"}),
        ("gpu_workers/pools/memory_model.py", "25_000_000", "24_000_000", {"cutout", "mockup", "packshot"}),
        ("gpu_workers/operations/packshot/measures.py", "_NEAR = 2", "_NEAR = 3", {"mockup", "packshot"}),
    ],
)
def test_a_default_a_resampler_or_a_measure_changes_the_key(
    copy: Path, parsed: Path, file: str, old: str, new: str, touched: set[str]
) -> None:
    before = keys(code.installed())
    edited(copy, file, old, new)
    after = keys(Code(copy, parsed))
    assert touched <= {operation for operation in before if before[operation] != after[operation]}


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("gpu_workers/imaging/resampling.py", '"""', '"""Other words. '),
        ("gpu_workers/imaging/encoding.py", "_QUALITY_BEST, ", "# Why.\n\n_QUALITY_BEST, "),
        ("gpu_workers/worker.py", '"task ended"', '"task is done"'),
        ("gpu_workers/pools/compose.py", "meter.lap", "meter.note"),
    ],
    ids=["docstring", "comment", "log line", "pool"],
)
def test_what_makes_no_pixels_leaves_it(copy: Path, parsed: Path, file: str, old: str, new: str) -> None:
    edited(copy, file, old, new)
    assert keys(Code(copy, parsed)) == keys(code.installed())


def test_a_new_operation_leaves_the_others_keys(copy: Path, parsed: Path) -> None:
    for package in ("schemas/operations", "gpu_workers/operations"):
        (copy / package / "engrave.py").write_text("DEPTH_MM = 1\n")
    assert keys(Code(copy, parsed)) == keys(code.installed())


@pytest.mark.parametrize("operation", OPERATIONS)
def test_no_module_of_ours_is_loaded_out_of_sight(operation: str) -> None:
    closure = code.installed().closure(*modules_of(operation))
    loading = {name for name in closure if _loads_by_name(code.installed().root / name.replace(".", "/"))}
    assert loading <= LOADS_BY_NAME.keys()


@cache
def _loads_by_name(path: Path) -> bool:
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    names = {getattr(node, "id", getattr(node, "attr", "")) for node in ast.walk(ast.parse(file.read_text()))}
    return not names.isdisjoint({"import_module", "__import__", "exec", "runpy"})


def test_the_code_of_an_operation_that_is_not_there_is_refused() -> None:
    with pytest.raises(UnknownOperation, match="there are: artwork"):
        code_fingerprint("engrave")


def test_what_was_parsed_once_is_not_parsed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = tmp_path / "folder" / "code.json"
    first = Code(ROOT, kept).fingerprint("schemas.text")
    monkeypatch.setattr(ast, "parse", None)
    assert Code(ROOT, kept).fingerprint("schemas.text") == first
    monkeypatch.undo()
    kept.write_bytes(b'{"half of')
    assert Code(ROOT, kept).fingerprint("schemas.text") == first
    assert Code(ROOT).fingerprint("schemas.text") == first


def test_an_import_that_is_not_followed_is_refused(tmp_path: Path) -> None:
    (tmp_path / "schemas.py").write_text("from . import elsewhere\n")
    with pytest.raises(ValueError, match="line 1 imports None relatively"):
        Code(tmp_path).fingerprint("schemas")


# a model's contract


def contract(**changed: object) -> Model:
    """u2netp, its input and output changed."""
    model = load_manifest("u2netp@1")
    of_input = {name: value for name, value in changed.items() if name in ("mean", "std", "white")}
    of_output = {name: value for name, value in changed.items() if name in ("stretch", "activation")}
    return replace(model, input=replace(model.input, **of_input), output=replace(model.output, **of_output))


@pytest.mark.parametrize(
    "changed",
    [
        {"mean": (0.5, 0.456, 0.406)},
        {"std": (0.229, 0.224, 0.5)},
        {"white": "full"},
        {"stretch": True},
        {"activation": "sigmoid"},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_a_models_contract_changes_the_key(changed: dict[str, object]) -> None:
    assert contract(**changed) != contract()
    assert engine_fingerprint(contract(**changed), "openvino", "1") != engine_fingerprint(contract(), "openvino", "1")


def test_what_a_manifest_says_for_people_leaves_it() -> None:
    changed = replace(contract(), licence="other", source="elsewhere", quality={"iou": 1.0})
    assert engine_fingerprint(changed, "openvino", "1") == engine_fingerprint(contract(), "openvino", "1")


def test_an_engines_code_and_version_change_the_key() -> None:
    keys = {engine_fingerprint(contract(), *each) for each in (("openvino", "1"), ("openvino", "2"))}
    assert len({*keys, engine_fingerprint(contract(), "onnxruntime", "1")}) == 3


# the ids of results


class Requested:
    """A cache that holds everything, and notes what it was asked for."""

    def __init__(self) -> None:
        self.ids: list[str] = []

    def get_or_make(self, result_id: str, _make: Callable[[], Result]) -> tuple[Result, bool]:
        self.ids.append(result_id)
        return Result(outputs=[], measures={}, engine="", timings_ms={}), True


def ids(pool: Any, task: Task) -> str:
    requested = Requested()
    pool.work(task, cast(Results, requested), Meter(Prices()))
    return requested.ids[0]


def task(step: Step, **more: Any) -> Task:
    return Task(task_id="a" * 64, tenant="demo", sku="A", version=1, lane="bulk", step=step, **more)


def test_a_composed_results_id_holds_its_operations_code_and_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    blob = Blob(role="cutout", digest="b" * 64, media_type="image/png", width_px=9, height_px=9, size_bytes=9)
    work = task(Step(operation="packshot", channel="amazon", asset="amazon-1"), inputs=[blob])
    pool = compose_pool.Compose(cast(Any, None), Library, Budget(1))
    before = ids(pool, work)
    monkeypatch.setattr(compose_pool, "code_fingerprint", lambda operation: f"{operation} made otherwise".rjust(64))
    after = ids(pool, work)
    assert before != after
    monkeypatch.setattr(compose_pool, "code_fingerprint", code_fingerprint)
    assert ids(pool, work) == before


def test_a_kept_sources_id_holds_its_operations_code(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    photograph = tmp_path / "photo.png"
    shutil.copyfile(next((ROOT / "gpu_workers/library/scenes").rglob("*.png")), photograph)
    settings = Settings(source_file_roots=[str(tmp_path)])
    work = task(Step(operation="source"), source=Source(uri=photograph.as_uri()))

    def requested() -> str:
        return ids(cutout_pool.Cutout(settings, cast(Any, None), None, cast(Any, None), Budget(1)), work)

    before = requested()
    monkeypatch.setattr(cutout_pool, "code_fingerprint", lambda _operation: "made otherwise".rjust(64))
    assert requested() != before
