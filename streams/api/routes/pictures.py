"""One picture, now: a photograph in, its picture out; and what became of it later, at any gateway."""

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import quote

import msgspec
from litestar import Request, Response, get, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, HeaderParameter

from schemas.decoding import prepare
from schemas.records import Blob, Cost, Verdict
from schemas.wording import Told, told
from streams.api import bodies, preferences
from streams.api.callers import Asking, Caller
from streams.api.codes import CODES
from streams.api.limits import add_headers, add_levels, problem
from streams.api.problems import Problem
from streams.runtime.clock import now_ms
from streams.services.access.quotas import OverQuota
from streams.services.ordering.admission import OverCapacity
from streams.services.ordering.pictures import ENDS_WITHIN_MS, Job

WAIT_S, WAIT_MAX_S = 2, 60
DEADLINE_S, DEADLINE_MAX_S = 60, 600  # the longer one for whom nobody waits: it may be demoted to bulk
RETRY_AFTER_S = 1
UNCERTAINTY = ("uncertainty", "cutout.uncertainty")
WRITE = {"scope": "write"}
Prefer = Annotated[
    str | None,
    HeaderParameter(name="Prefer", description="`wait=N`: answer with the picture within N seconds, 60 at most."),
]
CancelAfter = Annotated[
    int | None,
    HeaderParameter(
        name="Cancel-After",
        ge=1,
        le=DEADLINE_MAX_S,
        description="Seconds; work that has not begun by then is not begun, and costs nothing. Without it 60, and 600 "
        "behind `Prefer: wait=0`.",
    ),
]


class JobView(msgspec.Struct, frozen=True, kw_only=True):
    """A job; `url` is where it is, and with `Accept: image/*` its picture. `verdict` is what the gates say of the
    picture for its channel; nothing is published of it. `test`: the picture has a watermark. `lane` is bulk where the
    order was over a quota, which `demoted` tells. `words`: what the words among its parameters say of a scene."""

    job_id: str
    url: str
    state: str
    operation: str
    channel: str | None
    test: bool
    lane: str
    demoted: str | None
    file: Blob | None
    uncertainty: float | None
    measures: Mapping[str, float]
    verdict: Verdict | None
    models: list[str]
    cost: Cost
    words: Told | None


# Examples would be made up from patterns, which takes minutes.
MADE = {202: ResponseSpec(JobView, False, "It is at work; `Location` is where it will be.")}


@post("/v1/cutouts", opt=WRITE, status_code=200, responses=MADE)
async def post_cutout(
    request: Request[Caller, Any, Any], caller: Asking, prefer: Prefer = None, cancel_after: CancelAfter = None
) -> Response[Any]:
    """The product alone."""
    return await _made(request, caller, "cutout", prefer, cancel_after)


@post("/v1/packshots", opt=WRITE, status_code=200, responses=MADE)
async def post_packshot(
    request: Request[Caller, Any, Any], caller: Asking, prefer: Prefer = None, cancel_after: CancelAfter = None
) -> Response[Any]:
    """The product as a `channel` wants it."""
    return await _made(request, caller, "packshot", prefer, cancel_after)


@post("/v1/mockups", opt=WRITE, status_code=200, responses=MADE)
async def post_mockup(
    request: Request[Caller, Any, Any], caller: Asking, prefer: Prefer = None, cancel_after: CancelAfter = None
) -> Response[Any]:
    """The product in a scene, for a `channel`."""
    return await _made(request, caller, "mockup", prefer, cancel_after)


@post("/v1/renders", opt=WRITE, status_code=200, responses=MADE)
async def post_render(
    request: Request[Caller, Any, Any], caller: Asking, prefer: Prefer = None, cancel_after: CancelAfter = None
) -> Response[Any]:
    """What a `recipe` makes for a `channel`; `asset` says which picture, where it makes several."""
    return await _made(request, caller, None, prefer, cancel_after)


@get("/v1/jobs/{job_id:str}", opt={"scope": "read"}, responses=MADE)
async def get_job(request: Request[Caller, Any, Any], caller: Asking, job_id: FromPath[str]) -> Response[Any]:
    """What became of a job: the picture itself, or JSON, by `Accept`; 202 while it is at work."""
    job = await caller.gateway.pictures.look(caller.tenant, job_id, caller.key.mode == "test")
    if job is None:
        raise Problem("unknown_job", f"no job has the id {job_id!r}", field="job_id")
    if job.state == "working" and now_ms() > job.deadline_ms + ENDS_WITHIN_MS:
        raise Problem("job_lost", "its gateway ended before it did")
    return await asyncio.to_thread(_answer, request, caller, job)


async def _made(
    request: Request[Caller, Any, Any], caller: Caller, operation: str | None, prefer: str | None, within_s: int | None
) -> Response[Any]:
    carried = await bodies.carried(request)
    order, data = await asyncio.to_thread(bodies.order_of, caller, carried, operation)
    asked_s = preferences.wait_s(prefer)
    wait_s = min(WAIT_S if asked_s is None else asked_s, WAIT_MAX_S)
    deadline_ms = now_ms() + 1000 * (within_s or (DEADLINE_S if wait_s else DEADLINE_MAX_S))
    allowance = request.app.state.quotas.allowance(caller.key, caller.tenant)
    try:
        job = await caller.gateway.pictures.order(order, data, deadline_ms, wait_s, allowance)
    except OverQuota as error:
        raise problem(error) from error
    except OverCapacity as error:
        add_headers(request.scope, _cost(Cost()))
        raise Problem(error.code, error.message, retry_after_s=error.retry_after_s) from error
    finally:
        add_levels(request.scope, allowance.levels())
    return await asyncio.to_thread(_answer, request, caller, job)


def _answer(request: Request[Caller, Any, Any], caller: Caller, job: Job) -> Response[Any]:
    """The picture or JSON; a job that failed is the problem that it failed of. Raises Problem."""
    add_headers(request.scope, _cost(job.cost))
    if job.state == "failed":
        raise _problem(job)
    place = f"{caller.settings.gateway}/v1/jobs/{job.job_id}"
    if job.state == "working":
        headers = {"Location": place, "Retry-After": str(RETRY_AFTER_S), "Cache-Control": "no-store"}
        return Response(_view(job, place), status_code=202, headers=headers)
    headers = {"Content-Location": place, "Cache-Control": "private, no-cache", **_picture_headers(job)}
    file = job.outputs[0]
    match request.accept.best_match([file.media_type, "application/json"]):
        case None:
            raise Problem("not_acceptable", f"there are {file.media_type} and application/json")
        case "application/json":
            return Response(_view(job, place), status_code=200, headers=headers)
    data = caller.gateway.pictures.blobs.get(file.digest)
    return Response(data, status_code=200, headers=headers, media_type=file.media_type)


def _problem(job: Job) -> Problem:
    if job.transient and not (job.code in CODES and CODES[job.code].retryable):
        return Problem("not_made", f"{job.code}: {job.message}", field=job.field)
    return Problem(job.code, job.message, field=job.field)


def _cost(cost: Cost) -> dict[str, str]:
    """What is charged, also for what was not made; the price is in billionths of the operator's currency."""
    return {"x-packshot-engine-ms": f"{cost.engine_ms:g}", "x-packshot-cost-nanos": str(cost.price_nanos)}


def _picture_headers(job: Job) -> dict[str, str]:
    """What headers tell of a picture; words in percent-encoding."""
    words = told(job.order.parameters)
    values = {
        "x-uncertainty": _uncertainty(job),
        "x-packshot-model": ", ".join(job.models),
        "x-packshot-verdict": job.verdict and job.verdict.outcome,
        "x-packshot-rules": job.verdict and job.verdict.rules,
        "x-packshot-test": "watermarked" if job.order.is_test else None,
        "x-packshot-demoted": job.demoted,
        "x-packshot-words-unknown": words and ", ".join(quote(word) for word in words.unknown),
    }
    return {name: str(value) for name, value in values.items() if value not in (None, "")}


def _uncertainty(job: Job) -> float | None:
    return next((job.measures[name] for name in UNCERTAINTY if name in job.measures), None)


def _view(job: Job, url: str) -> JobView:
    return JobView(
        job_id=job.job_id,
        url=url,
        state=job.state,
        operation=job.operation,
        channel=job.channel,
        test=job.order.is_test,
        lane=job.lane,
        demoted=job.demoted,
        file=job.outputs[0] if job.outputs else None,
        uncertainty=_uncertainty(job),
        measures=job.measures,
        verdict=job.verdict,
        models=job.models,
        cost=job.cost,
        words=told(job.order.parameters),
    )


ROUTES: tuple[Any, ...] = (post_cutout, post_packshot, post_mockup, post_render, get_job)

prepare(JobView)
