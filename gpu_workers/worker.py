"""A worker: tasks of one pool in, completions out. Drops what is stale before it costs anything."""

import time
from collections.abc import Callable, Sequence

import structlog
from prometheus_client import Counter, Histogram

from gpu_workers.results import Result, Results
from schemas import codec
from schemas.envelope import as_mapping
from schemas.records import Outcome, Task, TaskCompleted, TaskFailed
from streams.catalogue import Catalogue
from streams.consumer.letters import Delivery, Outgoing, outgoing
from streams.errors import Refused
from streams.observability import span

log = structlog.get_logger()
task_seconds = Histogram("packshot_task_seconds", "Time from taking a task to its result", ["pool", "operation"])
task_results = Counter("packshot_task_results_total", "Results by where they came from", ["pool", "cached"])

# What a pool does with a task: names the result, and makes it if it must. Raises Refused.
Work = Callable[[Task, Results], tuple[str, Result, bool]]


class Worker:
    """Handles the tasks of one pool; see streams.consumer.work.Handler."""

    def __init__(self, pool: str, work: Work, results: Results, catalogue: Catalogue) -> None:
        self._pool = pool
        self._work = work
        self._results = results
        self._catalogue = catalogue

    def handle(self, delivery: Delivery) -> Sequence[Outgoing]:
        """The completion of the task in `delivery`."""
        task = _task_in(delivery)
        about = {"packshot.tenant": task.tenant, "packshot.sku": task.sku, "packshot.task": task.task_id}
        with span(f"worker {task.step.operation}", as_mapping(delivery.headers), about):
            began = time.perf_counter()
            dropped = self._stale(task)
            completed = TaskCompleted(task=task, outcome=dropped) if dropped else self._completed(task)
            took_s = time.perf_counter() - began
            task_seconds.labels(self._pool, task.step.operation).observe(took_s)
            told = {"outcome": completed.outcome, "cached": completed.cached, "took_ms": round(took_s * 1000)}
            log.info("task ended", sku=task.sku, operation=task.step.operation, asset=task.step.asset, **told)
            return [outgoing(completed, f"packshot/worker/{self._pool}")]

    def give_up(self, delivery: Delivery, refusal: Refused) -> Sequence[Outgoing]:
        """The failure of the task in `delivery`; nothing for bytes that hold no task."""
        try:
            task = _task_in(delivery)
        except Refused:
            return []
        failed = TaskFailed(task=task, kind=refusal.kind, code=refusal.code, field=refusal.field, message=str(refusal))
        with span("worker gives up", as_mapping(delivery.headers), {"packshot.code": refusal.code}):
            return [outgoing(failed, f"packshot/worker/{self._pool}")]

    def _completed(self, task: Task) -> TaskCompleted:
        result_id, result, cached = self._work(task, self._results)
        task_results.labels(self._pool, str(cached).lower()).inc()
        return TaskCompleted(
            task=task,
            outcome="done",
            outputs=result.outputs,
            measures=result.measures,
            result_id=result_id,
            engine=result.engine,
            cached=cached,
            timings_ms={} if cached else result.timings_ms,
        )

    def _stale(self, task: Task) -> Outcome | None:
        """Why the task is not worth its work any more, if so."""
        with self._catalogue.read() as facts:
            product = facts.product(task.tenant, task.sku)
            campaign = facts.campaign(task.tenant, task.campaign) if task.campaign else None
        if product is None or product.deleted or product.version > task.version:
            return "superseded"
        if campaign is not None and campaign[1]:
            return "cancelled"
        if task.deadline_ms is not None and time.time() * 1000 > task.deadline_ms:
            return "expired"
        return None


def _task_in(delivery: Delivery) -> Task:
    try:
        event = codec.decode(delivery.value)
    except codec.WireError as error:
        raise Refused(error.code, str(error), field=error.field) from error
    if not isinstance(event, Task):
        raise Refused("wrong_topic", f"a {type(event).__name__} does not belong on {delivery.topic}")
    return event
