"""Go's modules as Go fetches them: charts and definitions that operators publish so."""

import json
import shutil
import subprocess
from pathlib import Path

from tests.servers import skip_or_fail


def fetched(module: str) -> Path:
    """The folder of a module, NAME@VERSION; skips, or fails, where there is no Go, or nothing to fetch it from."""
    go = shutil.which("go")
    if go is None:
        skip_or_fail(f"Go, which fetches {module}")
    done = subprocess.run([go, "mod", "download", "-json", module], capture_output=True, text=True, check=False)
    said = json.loads(done.stdout or "{}")
    if "Dir" not in said:
        skip_or_fail(f"{module}: {said.get('Error', done.stderr)}")
    return Path(said["Dir"])
