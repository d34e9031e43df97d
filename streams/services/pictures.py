"""One picture, now: a photograph and an operation in, its picture out, by the workers that the flow has.

Nothing of it is published, and no product knows of it. A job's id is the hash of all that was asked for, so that the
same again is the same job: while it is at work it is waited for, and once it is done its picture is known for
`KNOWN_MS`. Jobs are kept in the blob store, as results are, and go when those go.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Literal

import msgspec
import structlog
from msgspec.structs import replace

from gpu_workers.results import Result
from schemas.channels import Channel, UnknownChannel
from schemas.channels.rulebook import BadChannel
from schemas.costs import total
from schemas.decoding import prepare
from schemas.identity import content_id, task_id
from schemas.operations import OPERATIONS
from schemas.operations.base import BadParameters
from schemas.records import Blob, Cost, Source, Step, Task, TaskCompleted, TaskFailed, Verdict
from streams.blobs import BadKey, Blobs, StoreError
from streams.consumer.clients import NotAcknowledged
from streams.facts import Database
from streams.flow.processors.joining import joined
from streams.flow.processors.judging import judge
from streams.flow.processors.releasing import made_by_recalled
from streams.flow.processors.routing import models_of
from streams.flow.relay import Sender
from streams.runtime.clock import now_ms
from streams.runtime.errors import Refused, Unavailable
from streams.services.replies import Answer, Replies

KNOWN_MS = 3600 * 1000  # a network that is released meanwhile is asked after that; one that is recalled counts at once
ENDS_WITHIN_MS = 120_000  # of work that began before its deadline, with its tries

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True)
class Order:
    """What is wanted: an operation of a photograph, which is either to be fetched or in the blob store."""

    tenant: str
    operation: str
    channel: str | None = None
    category: str = ""
    parameters: dict[str, str] = field(default_factory=dict)
    source: Source | None = None
    upload: Blob | None = None


class Job(Result, kw_only=True):
    """What became of an order: at work, done with the picture in `outputs`, or failed. Times are Unix times in ms.

    `measures` are those of the picture, and of the steps before as `operation.measure`; `cost` is what the order took.
    """

    job_id: str
    tenant: str
    operation: str
    channel: str | None
    state: Literal["working", "done", "failed"]
    deadline_ms: int
    ended_at_ms: int = 0
    verdict: Verdict | None = None
    models: list[str] = msgspec.field(default_factory=list)
    cost: Cost = Cost()
    code: str = ""
    field: str = ""
    message: str = ""
    transient: bool = False


class Pictures:
    """Carries orders out. Its coroutines belong to one event loop."""

    def __init__(self, database: Database, blobs: Blobs, replies: Replies, sender: Sender) -> None:
        self.blobs = blobs
        self._database = database
        self._replies = replies
        self._sender = sender
        self._running: dict[str, asyncio.Task[Job]] = {}

    async def order(self, order: Order, deadline_ms: int, wait_s: float) -> Job:
        """The job of an order, after `wait_s` seconds at most; it goes on if it is at work then.

        Work that has not begun by `deadline_ms` is not begun. Raises Refused, Unavailable, StoreError.
        """
        job_id, step = await asyncio.to_thread(self._checked, order)
        known = await asyncio.to_thread(self.find, order.tenant, job_id)
        if known is not None and self._counts(known):
            return replace(known, cost=Cost())
        job = begun(order, job_id, deadline_ms)
        if job_id not in self._running:
            await asyncio.to_thread(self._keep, job)
        if job_id not in self._running:  # nobody else has begun it meanwhile
            running = asyncio.create_task(self._run(order, step, job))
            self._running[job_id] = running
            running.add_done_callback(lambda _: self._running.pop(job_id, None))
        running = self._running[job_id]
        done, _ = await asyncio.wait([running], timeout=wait_s)
        return running.result() if done else job

    def find(self, tenant: str, job_id: str) -> Job | None:
        """A tenant's job, as it is known to every gateway; None where there is no such job of its."""
        try:
            record = self.blobs.get_result(job_id)
            job = None if record is None else msgspec.json.decode(record, type=Job)
        except (BadKey, msgspec.DecodeError):  # a result that is no job
            return None
        return job if job is not None and job.tenant == tenant else None

    def _counts(self, job: Job) -> bool:
        """Whether an old answer is one to a new question, too."""
        if job.state != "done" or now_ms() - job.ended_at_ms > KNOWN_MS:
            return False
        with self._database.read() as facts:
            if made_by_recalled(job.models, facts):
                return False
        return self.blobs.renew(job.job_id, [each.digest for each in job.outputs])

    def _checked(self, order: Order) -> tuple[str, Step]:
        """The id of an order, and its steps. Raises Refused."""
        operation = OPERATIONS[order.operation]
        try:
            operation.parameters.parse(order.parameters)
        except BadParameters as error:
            raise Refused.because(error) from error
        last = Step(operation=order.operation, parameters=order.parameters)
        rules = ""
        if operation.takes:
            if order.channel is None:
                raise Refused("unknown_channel", f"a {order.operation} is for a channel", field="channel")
            rules = self._rules(order.channel, order.category).rule_version
            last = replace(last, channel=order.channel, asset=f"{order.channel}-1")
        photograph = order.source or (order.upload.digest if order.upload else None)
        asked = (order.tenant, order.operation, order.channel, order.category, order.parameters, photograph, rules)
        return content_id("job", *asked), Step(operation="cutout", next=[last]) if operation.takes else last

    def _rules(self, channel: str, category: str) -> Channel:
        with self._database.read() as facts:
            try:
                return facts.recipes.cookbook().rules.load(channel, category)
            except (UnknownChannel, BadChannel) as error:
                raise Refused.because(error, field="channel") from error

    async def _run(self, order: Order, step: Step, job: Job) -> Job:
        """The job in its end, which is kept; whatever happens it has one."""
        try:
            ended = await self._ended(_first(order, step, job), job)
        except Refused as refusal:
            ended = _failed(job, refusal)
        except (NotAcknowledged, StoreError, Unavailable) as error:
            log.warning("a job cannot go on", job=job.job_id, reason=str(error))
            ended = _failed(job, Refused("unavailable", "a part of the system is away", transient=True))
        except Exception as error:
            log.exception("a job did not end", job=job.job_id)
            ended = _failed(job, Refused("unexpected", type(error).__name__, transient=True))
        try:
            await asyncio.to_thread(self._keep, ended)
        except Exception as error:
            log.warning("a job is not kept", job=job.job_id, reason=str(error))
        return ended

    async def _ended(self, task: Task, job: Job) -> Job:
        """Asks for one step after the other."""
        costs: list[Cost] = []
        while True:
            answer = await self._answer(task)
            if isinstance(answer, TaskFailed):
                refusal = Refused(answer.code, answer.message, field=answer.field, transient=answer.kind == "transient")
                return _failed(job, refusal)
            if answer.outcome != "done":
                return _failed(job, Refused("too_late", "its deadline had passed before the work began"))
            costs += answer.costs.values()
            if not task.step.next:
                return await asyncio.to_thread(self._done, job, answer, total(costs))
            task = await asyncio.to_thread(self._next, answer)

    async def _answer(self, task: Task) -> Answer:
        answer = await asyncio.to_thread(self._replies.ask, task, self._sender)
        left_s = (task.deadline_ms or 0) + ENDS_WITHIN_MS - now_ms()
        try:
            return await asyncio.wait_for(asyncio.wrap_future(answer), left_s / 1000)
        except TimeoutError:
            raise Refused("no_answer", "no worker answered in time", transient=True) from None

    def _next(self, answer: TaskCompleted) -> Task:
        (step,) = answer.task.step.next
        with self._database.read() as facts:
            return joined(answer.task, step, answer.outputs, _measures(answer), models_of(answer), facts)

    def _done(self, job: Job, answer: TaskCompleted, cost: Cost) -> Job:
        measures, channel = answer.task.measures | answer.measures, answer.task.step.channel
        verdict = None
        if channel is not None:
            verdict = judge(measures, self._rules(channel, answer.task.category), job.operation)
        return replace(
            job,
            state="done",
            outputs=answer.outputs,
            measures=measures,
            engine=answer.engine,
            timings_ms=answer.timings_ms,
            models=models_of(answer),
            cost=cost,
            verdict=verdict,
            ended_at_ms=now_ms(),
        )

    def _keep(self, job: Job) -> None:
        self.blobs.put_result(job.job_id, msgspec.json.encode(job))


def begun(order: Order, job_id: str, deadline_ms: int) -> Job:
    """A job that is at work."""
    return Job(
        job_id=job_id,
        tenant=order.tenant,
        operation=order.operation,
        channel=order.channel,
        state="working",
        deadline_ms=deadline_ms,
        outputs=[],
        measures={},
        engine="",
        timings_ms={},
    )


def _failed(job: Job, why: Refused) -> Job:
    told = {"code": why.code, "field": why.field, "message": why.message, "transient": why.transient}
    return replace(job, state="failed", ended_at_ms=now_ms(), **told)


def _first(order: Order, step: Step, job: Job) -> Task:
    """The task of the first step: of no product, so its job's id stands in place of a SKU."""
    inputs = [] if order.upload is None else [order.upload]
    return Task(
        task_id=task_id(order.tenant, job.job_id, 1, None, step, order.source, inputs),
        tenant=order.tenant,
        sku=job.job_id,
        version=1,
        lane="urgent",
        step=step,
        source=order.source,
        inputs=inputs,
        category=order.category,
        deadline_ms=job.deadline_ms,
        asked_at_ms=now_ms(),
    )


def _measures(answer: TaskCompleted) -> dict[str, float]:
    """Those of all steps so far, as the step after them is told."""
    of_step = {f"{answer.task.step.operation}.{name}": value for name, value in answer.measures.items()}
    return answer.task.measures | of_step


prepare(Job)
