"""A worker: tasks of one pool in, completions out. Drops what is stale before it costs anything.

A task that says where its answer is wanted stands alone: it is of no product, and its completion goes there only.
"""

import time
from collections.abc import Callable, Sequence

import structlog
from prometheus_client import Counter, Histogram

from gpu_workers.metering import Meter, Prices
from gpu_workers.results import Result, Results
from schemas.codec import HASHED, Codec
from schemas.costs import total
from schemas.envelope import as_mapping
from schemas.records import Cost, Outcome, Task, TaskCompleted, TaskFailed
from streams.consumer import replies
from streams.consumer.letters import Delivery, Outgoing, event_in, outgoing
from streams.consumer.replies import Address
from streams.consumer.work import Wait
from streams.facts import Database
from streams.runtime.errors import Refused
from streams.runtime.observability import span

log = structlog.get_logger()
# From a hit in the cache to a network's first picture on a machine that has others; the client's own end at 10 s.
TASK_BUCKETS_S = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 60, 120, 300, 600)
task_seconds = Histogram(
    "packshot_task_seconds", "Time from taking a task to its result", ["pool", "operation"], buckets=TASK_BUCKETS_S
)
task_deadlines = Counter(
    "packshot_task_deadlines_total",
    "Tasks that had a deadline, by whether they ended before it",
    ["pool", "lane", "met"],
)
task_results = Counter("packshot_task_results_total", "Results by where they came from", ["pool", "cached"])
engine_seconds = Counter("packshot_engine_seconds_total", "Engine time of tasks, shared out", ["pool", "operation"])
saved_engine_seconds = Counter("packshot_saved_engine_seconds_total", "Engine time that the cache saved", ["pool"])
cpu_seconds = Counter("packshot_cpu_seconds_total", "Processor time of tasks' threads", ["pool", "operation"])
moved_bytes = Counter("packshot_moved_bytes_total", "Bytes in from elsewhere, out to storage", ["pool", "way"])
price = Counter("packshot_price_total", "What tasks cost, in the currency of the prices", ["pool", "operation"])

# What a pool does with a task: names the result, and makes it if it must. Raises Refused.
Work = Callable[[Task, Results, Meter], tuple[str, Result, bool]]


class Worker:
    """Handles the tasks of one pool; see streams.consumer.work.Handler."""

    def __init__(
        self, pool: str, work: Work, results: Results, database: Database, prices: Prices, codec: Codec = HASHED
    ) -> None:
        self._pool = pool
        self._work = work
        self._results = results
        self._database = database
        self._prices = prices
        self._codec = codec

    def handle(self, delivery: Delivery, wait: Wait) -> Sequence[Outgoing]:
        """The completion of the task in `delivery`."""
        task, address = self._task_in(delivery), replies.address_in(delivery)
        about = {"packshot.tenant": task.tenant, "packshot.sku": task.sku, "packshot.task": task.task_id}
        with span(f"worker {task.step.operation}", as_mapping(delivery.headers), about):
            began = time.perf_counter()
            dropped = _late(task) if address else self._stale(task)
            completed = TaskCompleted(task=task, outcome=dropped) if dropped else self._completed(task, wait)
            took_s = time.perf_counter() - began
            task_seconds.labels(self._pool, task.step.operation).observe(took_s)
            ending = {"outcome": completed.outcome, "cached": completed.cached, "took_ms": round(took_s * 1000)}
            log.info("task ended", sku=task.sku, operation=task.step.operation, asset=task.step.asset, **ending)
            self._note_deadline(task, completed.outcome)
            return [self._outgoing(completed, address)]

    def give_up(self, delivery: Delivery, refusal: Refused) -> Sequence[Outgoing]:
        """The failure of the task in `delivery`; nothing for bytes that hold no task, or that nobody can be told of."""
        try:
            task, address = self._task_in(delivery), replies.address_in(delivery)
        except Refused:
            return []
        failed = TaskFailed(
            task=task, kind=refusal.kind, code=refusal.code, field=refusal.field, message=refusal.message
        )
        self._note_deadline(task, None)
        with span("worker gives up", as_mapping(delivery.headers), {"packshot.code": refusal.code}):
            return [self._outgoing(failed, address)]

    def _completed(self, task: Task, wait: Wait) -> TaskCompleted:
        meter = Meter(self._prices, wait.aside)
        try:
            result_id, result, cached = self._work(task, self._results, meter)
        finally:
            self._count(task, total(meter.costs.values()))
            wait.waited_s += meter.waited_ms / 1000
        task_results.labels(self._pool, str(cached).lower()).inc()
        if cached:
            saved_engine_seconds.labels(self._pool).inc(total(result.costs.values()).engine_ms / 1000)
        is_found = (
            cached and result.made_by != task.task_id
        )  # else it was made for this task, now or when it came before
        return TaskCompleted(
            task=task,
            outcome="done",
            outputs=result.outputs,
            measures=result.measures,
            result_id=result_id,
            engine=result.engine,
            cached=cached,
            timings_ms=meter.timings_ms if is_found else result.timings_ms,
            costs=meter.costs if is_found else result.costs,
            saved=_saved(result, meter) if is_found else None,
            model=result.model,
            shadow=None if is_found else result.shadow,
            model_sha256=result.model_sha256,
            source_digest=result.source_digest,
        )

    def _count(self, task: Task, cost: Cost) -> None:
        labels = self._pool, task.step.operation
        engine_seconds.labels(*labels).inc(cost.engine_ms / 1000)
        cpu_seconds.labels(*labels).inc(cost.cpu_ms / 1000)
        price.labels(*labels).inc(cost.price_nanos / 1e9)
        moved_bytes.labels(self._pool, "in").inc(cost.bytes_in)
        moved_bytes.labels(self._pool, "out").inc(cost.bytes_out)

    def _stale(self, task: Task) -> Outcome | None:
        """Why the task is not worth its work any more, if so."""
        with self._database.read() as facts:
            product = facts.products.get(task.tenant, task.sku)
            campaign = facts.campaigns.get(task.tenant, task.campaign) if task.campaign else None
        if product is None or product.deleted or product.version > task.version:
            return "superseded"
        if campaign is not None and campaign[1]:
            return "cancelled"
        return _late(task)

    def _note_deadline(self, task: Task, outcome: Outcome | None) -> None:
        """Counts a task that had a deadline and was not passed by a newer one; without an outcome it missed it."""
        if task.deadline_ms is not None and outcome in (None, "done", "expired"):
            met = outcome == "done" and _late(task) is None
            task_deadlines.labels(self._pool, task.lane, str(met).lower()).inc()

    def _task_in(self, delivery: Delivery) -> Task:
        event = event_in(delivery, self._codec)
        assert isinstance(event, Task), "a worker reads topics of tasks"
        return event

    def _outgoing(self, event: TaskCompleted | TaskFailed, address: Address | None) -> Outgoing:
        record = outgoing(event, f"packshot/worker/{self._pool}", codec=self._codec)
        return record if address is None else replies.answering(record, address)


def _late(task: Task) -> Outcome | None:
    return "expired" if task.deadline_ms is not None and time.time() * 1000 > task.deadline_ms else None


def _saved(result: Result, meter: Meter) -> Cost:
    """What the stages cost that were not gone through again."""
    return total(cost for stage, cost in result.costs.items() if stage not in meter.costs)
