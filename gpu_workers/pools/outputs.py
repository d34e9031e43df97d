"""What a pool gives: pictures in the blob store, and the result that names them."""

import hashlib
from functools import cache
from importlib import resources
from pathlib import Path

from gpu_workers.metering import Meter
from gpu_workers.results import Result
from schemas.records import Blob, Task
from streams.blobs import Blobs

_PIXELS = ("imaging", "library", "operations", "quality", "sources")


_PIXELS_TOO = ("models/people.py", "pools/composing.py", "pools/memory_model.py")


def store(blobs: Blobs, role: str, data: bytes, media_type: str, shape: tuple[int, ...]) -> Blob:
    """A picture of `shape` (h, w, …) put into the blob store."""
    digest = blobs.put(data, media_type)
    height_px, width_px = shape[:2]
    return Blob(
        role=role, digest=digest, media_type=media_type, width_px=width_px, height_px=height_px, size_bytes=len(data)
    )


@cache
def code_fingerprint() -> str:
    """SHA-256 over the code that makes pixels: other code, other results."""
    package = Path(str(resources.files("gpu_workers")))
    files = [file for folder in _PIXELS for file in sorted((package / folder).rglob("*.py"))]
    files += [package / name for name in _PIXELS_TOO]
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()


def result_of(task: Task, blobs: list[Blob], measures: dict[str, float], engine: str, meter: Meter) -> Result:
    return Result(
        outputs=blobs,
        measures=measures,
        engine=engine,
        timings_ms=meter.timings_ms,
        costs=meter.costs,
        made_by=task.task_id,
    )
