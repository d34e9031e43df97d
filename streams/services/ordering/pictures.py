"""One picture, now: a photograph and what is wanted of it in, its picture out, by the workers that the flow has.

Nothing of it is published, and no product knows of it. A job's id is the hash of all that was asked for, so that the
same again is the same job: while it is at work it is waited for, and once it is done its picture is known for
`KNOWN_MS`. Jobs are kept in the blob store, as results are, and go when those go. A job whose gateway has ended is gone
on with by whichever is asked for it, and has the workers find what they made: nothing is made or charged twice.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec
import structlog
from msgspec.structs import replace

from gpu_workers.results import Result
from schemas.costs import total
from schemas.decoding import prepare
from schemas.identity import content_id, task_id
from schemas.operations import OPERATIONS
from schemas.records import Blob, Cost, Lane, Task, TaskCompleted, TaskFailed, Verdict
from streams.blobs import BadKey, Blobs, StoreError
from streams.consumer.clients import NotAcknowledged
from streams.facts import Database
from streams.flow.processors import costing
from streams.flow.processors.accepting import models_of
from streams.flow.processors.joining import joined
from streams.flow.processors.releasing import made_by_recalled
from streams.flow.relay import Sender
from streams.runtime.clock import now_ms
from streams.runtime.errors import Refused, Unavailable
from streams.services.access.quotas import Allowance, OverQuota
from streams.services.ordering import uploads
from streams.services.ordering.admission import LANE, Admission, OverCapacity
from streams.services.ordering.ordered_verdicts import refusal_of, verdict_of
from streams.services.ordering.orders import Order, Slip, drawn
from streams.services.ordering.replies import Answer, Replies

KNOWN_MS = 3600 * 1000  # a network that is released meanwhile is asked after that; one that is recalled counts at once
ENDS_WITHIN_MS = 120_000  # of work that began before its deadline, with its tries

log = structlog.get_logger()


class Job(Result, frozen=True, kw_only=True):
    """What became of an order: at work, done with the picture in `outputs`, or failed. Times are Unix times in ms.

    `measures` are those of the picture, and of the steps before as `operation.measure`; `cost` is what the order took.
    `demoted` says why it is in lane bulk; `source_pixels` is the photograph's size once it is known, else 0.
    """

    job_id: str
    order: Order
    operation: str
    channel: str | None
    state: Literal["working", "done", "failed"]
    deadline_ms: int
    ended_at_ms: int = 0
    verdict: Verdict | None = None
    models: list[str] = msgspec.field(default_factory=list)
    cost: Cost = Cost()
    demoted: str | None = None
    source_pixels: int = 0
    code: str = ""
    field: str = ""
    message: str = ""
    transient: bool = False

    @property
    def lane(self) -> Lane:
        """Where its tasks are."""
        return "urgent" if self.demoted is None else "bulk"


@dataclass
class _Run:
    """A job at work in this gateway, its end, and its note for the other gateways once somebody is sent away."""

    job: Job
    ended: asyncio.Task[Job]
    noted: asyncio.Task[None] | None = None


class Pictures:
    """Carries orders out. Its coroutines belong to one event loop."""

    def __init__(
        self, database: Database, blobs: Blobs, replies: Replies, sender: Sender, admission: Admission
    ) -> None:
        self.blobs = blobs
        self._database = database
        self._replies = replies
        self._sender = sender
        self._admission = admission
        self._runs: dict[str, _Run] = {}

    async def order(self, order: Order, data: bytes, deadline_ms: int, wait_s: float, allowance: Allowance) -> Job:
        """The job of an order, after `wait_s` seconds at most; it goes on if it is at work then.

        `data` is the file that is its photograph, if it came with the order. Work that has not begun by `deadline_ms`
        is not begun. What is over the allowance is made in lane bulk where nobody waits for it. Raises Refused, of
        which OverQuota and OverCapacity before anything is done; Unavailable, StoreError.
        """
        slip = await asyncio.to_thread(self._drawn, order)
        if slip.job_id not in self._runs:
            known = await asyncio.to_thread(self._known, order, slip.job_id)
            if known is not None:
                return replace(known, cost=Cost())
        if slip.job_id not in self._runs:  # nobody else has begun it meanwhile
            self._admit(slip, begun(order, slip, deadline_ms), data, allowance, waits=wait_s > 0)
        run = self._runs[slip.job_id]
        await asyncio.wait([run.ended], timeout=wait_s)
        return run.ended.result() if run.ended.done() else await self._later(run)

    async def look(self, tenant: str, job_id: str, is_test: bool = False) -> Job | None:
        """A tenant's job, as `find` knows it; one whose gateway has ended is gone on with.

        Raises Refused, Unavailable, StoreError.
        """
        job = await asyncio.to_thread(self.find, tenant, job_id, is_test)
        if job is not None and job.state == "working" and now_ms() < job.deadline_ms and job_id not in self._runs:
            self._begin(await asyncio.to_thread(self._drawn, job.order), job)
        return job

    def find(self, tenant: str, job_id: str, is_test: bool = False) -> Job | None:
        """A tenant's job, as it is known to every gateway; None where there is no such job of its."""
        try:
            record = self.blobs.get_result(job_id)
            job = None if record is None else msgspec.json.decode(record, type=Job)
        except (BadKey, msgspec.DecodeError):  # a result that is no job
            return None
        is_its = job is not None and (job.order.tenant, job.order.is_test) == (tenant, is_test)
        return job if is_its else None

    def _admit(self, slip: Slip, job: Job, data: bytes, allowance: Allowance, *, waits: bool) -> None:
        """Begins with a job within the allowance, or in lane bulk. Raises OverQuota, OverCapacity."""
        try:
            end = allowance.begin(job.source_pixels)
        except OverQuota as over:
            if waits:
                raise
            self._begin(slip, replace(job, demoted=f"{LANE} was asked for, and {over.message}"), data)
            return
        try:
            self._admission.check([OPERATIONS[each.operation].pool for each in slip.steps], job.deadline_ms)
        except OverCapacity:
            end(None)
            raise
        run = self._begin(slip, job, data)
        run.ended.add_done_callback(lambda ended: end(0 if ended.cancelled() else ended.result().source_pixels))

    def _begin(self, slip: Slip, job: Job, data: bytes = b"") -> _Run:
        """The one run of a job in this gateway."""
        if job.job_id not in self._runs:
            run = _Run(job, asyncio.create_task(self._run(slip, job, data)))
            self._runs[job.job_id] = run
            run.ended.add_done_callback(lambda _: self._runs.pop(job.job_id, None))
        return self._runs[job.job_id]

    async def _later(self, run: _Run) -> Job:
        """The job that goes on, once every gateway can find it; or what has become of it meanwhile."""
        if run.noted is None:
            run.noted = asyncio.create_task(asyncio.to_thread(self._keep, run.job))
        await asyncio.shield(run.noted)
        return run.ended.result() if run.ended.done() else run.job

    def _known(self, order: Order, job_id: str) -> Job | None:
        """An old answer that is one to a new question, too; never of a photograph that may be another one now."""
        job = self.find(order.tenant, job_id, order.is_test) if order.digest is not None else None
        if job is None or job.state != "done" or now_ms() - job.ended_at_ms > KNOWN_MS:
            return None
        with self._database.read() as facts:
            if made_by_recalled(job.models, facts):
                return None
        return job if self.blobs.renew(job.job_id, [each.digest for each in job.outputs]) else None

    def _drawn(self, order: Order) -> Slip:
        with self._database.read() as facts:
            return drawn(order, facts.recipes.cookbook())

    async def _run(self, slip: Slip, job: Job, data: bytes) -> Job:
        """The job in its end, which is kept; whatever happens it has one."""
        try:
            if data and job.order.upload is not None:
                await asyncio.to_thread(self.blobs.put, data, job.order.upload.media_type)
            data = b""  # in bulk it may be long until there is an answer
            ended, _ = await asyncio.gather(self._ended(_first(slip, job), job), self._note(job.order))
        except Refused as refusal:
            ended = _failed(job, refusal)
        except (NotAcknowledged, StoreError, Unavailable) as error:
            log.warning("a job cannot go on", job=job.job_id, reason=str(error))
            ended = _failed(job, Refused("unavailable", "a part of the system is away", transient=True))
        except Exception as error:
            log.exception("a job did not end", job=job.job_id)
            ended = _failed(job, Refused("unexpected", type(error).__name__, transient=True))
        try:
            if (noted := self._runs[job.job_id].noted) is not None:
                await asyncio.wait([noted])  # that it is at work is not to be written over how it ended
            await asyncio.to_thread(self._keep, ended)
        except Exception as error:
            log.warning("a job is not kept", job=job.job_id, reason=str(error))
        return ended

    async def _note(self, order: Order) -> None:
        if order.upload is not None:
            result_id = content_id("photograph", order.tenant, order.upload.digest)
            await asyncio.to_thread(uploads.note, self.blobs, result_id, order.upload)

    async def _ended(self, task: Task, job: Job) -> Job:
        """The job in its end, and what it cost noted: before it is known as done, so that nothing is made unnoted."""
        made: list[TaskCompleted] = []
        ended = job
        try:
            ended = await self._stepped(task, job, made)
        finally:
            if made:
                await asyncio.to_thread(self._charge, made, ended.state == "done")
        return ended

    def _charge(self, made: Sequence[TaskCompleted], is_done: bool) -> None:
        with self._database.begin() as facts:
            facts.costs.put_ordered([costing.ordered(each) for each in made], is_done)

    async def _stepped(self, task: Task, job: Job, made: list[TaskCompleted]) -> Job:
        """Asks for one step after the other, and adds the answers to those that were `made`."""
        while True:
            answer = await self._answer(task)
            if isinstance(answer, TaskFailed):
                refusal = Refused(answer.code, answer.message, field=answer.field, transient=answer.kind == "transient")
                return _failed(job, refusal)
            if answer.outcome != "done":
                return _failed(job, Refused("too_late", "its deadline had passed before the work began"))
            job = replace(job, source_pixels=job.source_pixels or _pixels(answer.outputs[0]))
            made.append(answer)
            if not task.step.next:
                cost = total(each for step in made for each in step.costs.values())
                return await asyncio.to_thread(self._done, job, answer, cost)
            task = await asyncio.to_thread(self._next, answer)

    async def _answer(self, task: Task) -> Answer:
        if task.lane != LANE:
            return await self._answer_to(task)
        place, answer = self._admission.begin(OPERATIONS[task.step.operation].pool), None
        try:
            answer = await self._answer_to(task)
            return answer
        finally:
            self._admission.end(place, was_done=isinstance(answer, TaskCompleted) and answer.outcome == "done")

    async def _answer_to(self, task: Task) -> Answer:
        try:
            answer = await asyncio.to_thread(self._replies.ask, task, self._sender)
            left_s = ((task.deadline_ms or 0) + ENDS_WITHIN_MS - now_ms()) / 1000
            return await asyncio.wait_for(asyncio.wrap_future(answer), left_s)
        except TimeoutError:
            raise Refused("no_answer", "no worker answered in time", transient=True) from None

    def _next(self, answer: TaskCompleted) -> Task:
        (step,) = answer.task.step.next
        with self._database.read() as facts:
            return joined(answer.task, step, answer.outputs, _measures(answer), models_of(answer), facts)

    def _done(self, job: Job, answer: TaskCompleted, cost: Cost) -> Job:
        measures, verdict = answer.task.measures | answer.measures, None
        if job.channel is not None:
            with self._database.read() as facts:
                verdict = verdict_of(job.order, job.channel, answer, measures, facts.recipes.cookbook())
            if (refused := refusal_of(verdict)) is not None:
                return _failed(job, refused)
        return replace(
            job,
            state="done",
            outputs=[self._marked(each) for each in answer.outputs[:1]] if job.order.is_test else answer.outputs,
            measures=measures,
            engine=answer.engine,
            timings_ms=answer.timings_ms,
            models=models_of(answer),
            cost=cost,
            verdict=verdict,
            ended_at_ms=now_ms(),
        )

    def _marked(self, blob: Blob) -> Blob:
        """A picture as a test key gets it."""
        from streams.services.ordering.watermarks import watermarked  # with a library that live keys do not need

        data = watermarked(self.blobs.get(blob.digest))
        return replace(blob, digest=self.blobs.put(data, blob.media_type), size_bytes=len(data))

    def _keep(self, job: Job) -> None:
        self.blobs.put_result(job.job_id, msgspec.json.encode(job))


def begun(order: Order, slip: Slip, deadline_ms: int) -> Job:
    """A job that is at work."""
    return Job(
        job_id=slip.job_id,
        order=order,
        operation=slip.steps[-1].operation,
        channel=slip.steps[-1].channel,
        state="working",
        deadline_ms=deadline_ms,
        outputs=[],
        measures={},
        engine="",
        timings_ms={},
        source_pixels=0 if order.upload is None else _pixels(order.upload),
    )


def _failed(job: Job, why: Refused) -> Job:
    reason = {"code": why.code, "field": why.field, "message": why.message, "transient": why.transient}
    return replace(job, state="failed", ended_at_ms=now_ms(), **reason)


def _first(slip: Slip, job: Job) -> Task:
    """The task of the first step: of no product, so its job's id stands in place of a SKU."""
    order = job.order
    inputs = [] if order.upload is None else [order.upload]
    return Task(
        task_id=task_id(order.tenant, job.job_id, 1, None, slip.step, order.source, inputs),
        tenant=order.tenant,
        sku=job.job_id,
        version=1,
        lane=job.lane,
        demoted=job.demoted,
        step=slip.step,
        source=order.source,
        inputs=inputs,
        category=order.category,
        deadline_ms=job.deadline_ms,
        asked_at_ms=now_ms(),
    )


def _pixels(blob: Blob) -> int:
    return blob.width_px * blob.height_px


def _measures(answer: TaskCompleted) -> dict[str, float]:
    """Those of all steps so far, as the step after them is told."""
    of_step = {f"{answer.task.step.operation}.{name}": value for name, value in answer.measures.items()}
    return answer.task.measures | of_step


prepare(Job)
