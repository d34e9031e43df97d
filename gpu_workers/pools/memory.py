"""Memory for a picture, refused by name where there is not enough."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from gpu_workers.metering import Meter
from gpu_workers.pools import admission
from gpu_workers.pools.admission import Budget, OutOfMemory, TooMuchMemory
from schemas.records import Lane
from streams.runtime.errors import Refused
from streams.runtime.settings import Settings, SettingsError

_NOTABLE_S = 0.01


def memory_budget(settings: Settings, threads: int | None = None) -> Budget:
    """What this process may use for pictures. Raises SettingsError."""
    try:
        threads = threads or settings.threads + 1  # an executor has one more for urgent work
        return admission.budget(settings.memory_budget_mb, threads, settings.source_max_bytes)
    except ValueError as error:
        raise SettingsError(f"PACKSHOT_MEMORY_BUDGET_MB, or the container's limit: {error}") from error


@contextmanager
def admitted(
    budget: Budget, wanted: int, field: str, what: str, lane: Lane = "urgent", meter: Meter | None = None
) -> Iterator[None]:
    """Memory for a picture, `what`, for as long as the block lasts.

    Raises Refused, naming `field`, when there never is enough, or when it runs out.
    """
    line = budget.reserve(
        wanted, is_urgent=lane == "urgent", while_waiting=nullcontext if meter is None else meter.aside
    )
    with memory_refusals(field, what), line as waited_s:
        if meter is not None and waited_s > _NOTABLE_S:
            meter.waited("admission")
        yield


@contextmanager
def memory_refusals(field: str, what: str) -> Iterator[None]:
    """Raises Refused, naming `field`, in place of whatever says that there is too little memory for a picture."""
    try:
        with admission.running_out():
            yield
    except TooMuchMemory as error:
        code = "source_too_many_pixels" if field == "sources" else "too_much_memory"
        raise Refused(code, f"{what}: {error}; see PACKSHOT_MEMORY_BUDGET_MB", field=field) from error
    except OutOfMemory as error:
        raise Refused("out_of_memory", f"{what}: {error}", field=field, transient=True) from error
