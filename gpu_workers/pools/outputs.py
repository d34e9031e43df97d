"""What a pool gives: pictures in the blob store, and the result that names them."""

from functools import cache

from gpu_workers import code
from gpu_workers.metering import Meter
from gpu_workers.operations.base import module_of
from gpu_workers.results import Result
from schemas.records import Blob, Task
from streams.blobs import Blobs


def store(blobs: Blobs, role: str, data: bytes, media_type: str, shape: tuple[int, ...]) -> Blob:
    """A picture of `shape` (h, w, …) put into the blob store."""
    digest = blobs.put(data, media_type)
    height_px, width_px = shape[:2]
    return Blob(
        role=role, digest=digest, media_type=media_type, width_px=width_px, height_px=height_px, size_bytes=len(data)
    )


@cache
def code_fingerprint(operation: str) -> str:
    """SHA-256 (hex) over the code that makes an operation's pictures: other code, other results.

    Raises UnknownOperation.
    """
    return code.installed().fingerprint(*modules_of(operation))


def modules_of(operation: str) -> tuple[str, ...]:
    """The modules that decide on an operation's pixels, with all that they import: its pixel half, and what says how
    large a photograph is kept. Raises UnknownOperation."""
    return module_of(operation), "gpu_workers.pools.memory_model"


def result_of(task: Task, blobs: list[Blob], measures: dict[str, float], engine: str, meter: Meter) -> Result:
    return Result(
        outputs=blobs,
        measures=measures,
        engine=engine,
        timings_ms=meter.timings_ms,
        costs=meter.costs,
        made_by=task.task_id,
    )
