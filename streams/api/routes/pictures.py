"""One picture, now: a photograph in, its picture out; and what became of it later, at any gateway."""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, HeaderParameter

from schemas.records import Blob, Cost, Verdict
from streams.api import uploads
from streams.api.callers import Asking, Caller
from streams.api.codes import CODES
from streams.api.problems import Problem
from streams.runtime.clock import now_ms
from streams.services.pictures import ENDS_WITHIN_MS, Job

WAIT_S, WAIT_MAX_S = 2, 60
DEADLINE_S, DEADLINE_MAX_S = 60, 600
RETRY_AFTER_S = 1
UNCERTAINTY = ("uncertainty", "cutout.uncertainty")
_WAIT = re.compile(r"(?:^|[,;\s])wait\s*=\s*\"?([0-9]{1,6})\"?", re.IGNORECASE)
Prefer = Annotated[
    str | None,
    HeaderParameter(name="Prefer", description="`wait=N`: answer with the picture within N seconds, 60 at most."),
]
CancelAfter = Annotated[
    int,
    HeaderParameter(
        name="Cancel-After",
        ge=1,
        le=DEADLINE_MAX_S,
        description="Seconds; work that has not begun by then is not begun.",
    ),
]


class JobView(msgspec.Struct, frozen=True, kw_only=True):
    """A job. `verdict` is what the gates say of the picture for its channel; nothing is published of it."""

    job_id: str
    state: str
    operation: str
    channel: str | None
    file: Blob | None
    uncertainty: float | None
    measures: Mapping[str, float]
    verdict: Verdict | None
    models: list[str]
    cost: Cost


MADE = {202: ResponseSpec(JobView, description="It is at work; `Location` is where it will be.")}


@post("/v1/cutouts", opt={"scope": "write"}, status_code=200, responses=MADE)
async def post_cutout(
    request: Request[Caller, Any, Any], caller: Asking, prefer: Prefer = None, cancel_after: CancelAfter = DEADLINE_S
) -> Response[Any]:
    """The product alone. The photograph is the body, `image` in a form or `source` in JSON; the query parameters."""
    return await _made(request, caller, "cutout", prefer, cancel_after)


@post("/v1/packshots", opt={"scope": "write"}, status_code=200, responses=MADE)
async def post_packshot(
    request: Request[Caller, Any, Any], caller: Asking, prefer: Prefer = None, cancel_after: CancelAfter = DEADLINE_S
) -> Response[Any]:
    """The product as a `channel` wants it. The photograph and the parameters are sent as to /v1/cutouts."""
    return await _made(request, caller, "packshot", prefer, cancel_after)


@post("/v1/mockups", opt={"scope": "write"}, status_code=200, responses=MADE)
async def post_mockup(
    request: Request[Caller, Any, Any], caller: Asking, prefer: Prefer = None, cancel_after: CancelAfter = DEADLINE_S
) -> Response[Any]:
    """The product in a scene, for a `channel`. The photograph and the parameters are sent as to /v1/cutouts."""
    return await _made(request, caller, "mockup", prefer, cancel_after)


@get("/v1/jobs/{job_id:str}", opt={"scope": "read"}, sync_to_thread=True, responses=MADE)
def get_job(request: Request[Caller, Any, Any], caller: Asking, job_id: FromPath[str]) -> Response[Any]:
    """What became of a job: the picture itself, or JSON, by `Accept`; 202 while it is at work."""
    job = caller.gateway.pictures.find(caller.tenant, job_id)
    if job is None:
        raise Problem("unknown_job", f"no job has the id {job_id!r}", field="job_id")
    if job.state == "working" and now_ms() > job.deadline_ms + ENDS_WITHIN_MS:
        raise Problem("job_lost", "its gateway ended before it did")
    return _answer(request, caller, job)


async def _made(
    request: Request[Caller, Any, Any], caller: Caller, operation: str, prefer: str | None, deadline_s: int
) -> Response[Any]:
    if caller.key.mode == "test":
        raise Problem("live_key_required")
    order, data = await uploads.order_in(request, operation)
    if order.source is None:
        order = replace(order, upload=await asyncio.to_thread(uploads.put, caller, data))
    asked = re.search(_WAIT, prefer or "")
    wait_s = min(int(asked[1]) if asked else WAIT_S, WAIT_MAX_S)
    job = await caller.gateway.pictures.order(order, now_ms() + deadline_s * 1000, wait_s)
    return await asyncio.to_thread(_answer, request, caller, job)


def _answer(request: Request[Caller, Any, Any], caller: Caller, job: Job) -> Response[Any]:
    """The picture or JSON; a job that failed is the problem that it failed of. Raises Problem."""
    if job.state == "failed":
        raise _problem(job)
    place = f"{caller.settings.gateway}/v1/jobs/{job.job_id}"
    if job.state == "working":
        headers = {"Location": place, "Retry-After": str(RETRY_AFTER_S)}
        return Response(_view(job), status_code=202, headers=headers)
    headers, file = {"Content-Location": place, "Cache-Control": "private, no-cache", **_told(job)}, job.outputs[0]
    match request.accept.best_match([file.media_type, "application/json"]):
        case None:
            raise Problem("not_acceptable", f"there are {file.media_type} and application/json")
        case "application/json":
            return Response(_view(job), status_code=200, headers=headers)
    data = caller.gateway.pictures.blobs.get(file.digest)
    return Response(data, status_code=200, headers=headers, media_type=file.media_type)


def _problem(job: Job) -> Problem:
    if job.transient and job.code not in CODES:
        return Problem("not_made", f"{job.code}: {job.message}", field=job.field)
    return Problem(job.code, job.message, field=job.field)


def _told(job: Job) -> dict[str, str]:
    """What headers tell of a picture; the price is in billionths of the operator's currency."""
    told = {
        "x-packshot-uncertainty": _uncertainty(job),
        "x-packshot-model": ", ".join(job.models),
        "x-packshot-verdict": job.verdict and job.verdict.outcome,
        "x-packshot-rules": job.verdict and job.verdict.rules,
        "x-packshot-engine-ms": job.cost.engine_ms,
        "x-packshot-cost-nanos": job.cost.price_nanos,
    }
    return {name: str(value) for name, value in told.items() if value not in (None, "")}


def _uncertainty(job: Job) -> float | None:
    return next((job.measures[name] for name in UNCERTAINTY if name in job.measures), None)


def _view(job: Job) -> JobView:
    return JobView(
        job_id=job.job_id,
        state=job.state,
        operation=job.operation,
        channel=job.channel,
        file=job.outputs[0] if job.outputs else None,
        uncertainty=_uncertainty(job),
        measures=job.measures,
        verdict=job.verdict,
        models=job.models,
        cost=job.cost,
    )


ROUTES: tuple[Any, ...] = (post_cutout, post_packshot, post_mockup, get_job)
