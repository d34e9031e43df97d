"""No state that nobody passes on: nothing is kept by thread, and importing sets nothing for the process."""

import ast
import subprocess
import sys
from pathlib import Path

PACKAGES = ("schemas", "streams", "gpu_workers")
ROOT = Path(__file__).parent.parent


def sources() -> list[Path]:
    return [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_nothing_is_kept_by_thread_or_in_a_global() -> None:
    found = set()
    for path in sources():
        tree = ast.parse(path.read_text())
        of_module = [node for node in tree.body if isinstance(node, ast.Assign | ast.AnnAssign)]
        by_thread = any("threading.local(" in ast.unparse(node) for node in of_module)
        if by_thread or any(isinstance(node, ast.Global) for node in ast.walk(tree)):
            found.add(name(path))
    assert found == set()


SET_BY_IMPORT = """
import cv2, numpy
from threadpoolctl import threadpool_info
def threads():
    return {pool["filepath"]: pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}
cv2.setNumThreads(3)
before = threads()
import gpu_workers.operations.cutout.cutout
after = threads()
assert cv2.getNumThreads() == 3, cv2.getNumThreads()
assert before and {file: after[file] for file in before} == before, (before, after)
from gpu_workers.threads import one_thread_each
one_thread_each()
assert cv2.getNumThreads() == 1 and set(threads().values()) == {1}, threads()
"""


def test_importing_matting_sets_no_threads_and_a_role_sets_one() -> None:
    done = subprocess.run([sys.executable, "-c", SET_BY_IMPORT], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
