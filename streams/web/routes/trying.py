"""Try it: one photograph, made and judged on this machine; nothing is kept, and nothing goes live."""

import base64
import io
from pathlib import Path
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get, post
from litestar.datastructures import UploadFile
from litestar.enums import RequestEncodingType
from litestar.params import Body, FromQuery
from litestar.response import Redirect
from PIL import Image

from schemas.channels.rulebook import BadChannel
from schemas.decoding import prepare
from schemas.operations import OPERATIONS
from schemas.records import CatalogChanged, Check
from streams.runtime.errors import Refused
from streams.services.display.showing import Shown
from streams.services.ordering.orders import Order
from streams.services.releases import trying
from streams.services.submitting import event_files, submission
from streams.web import telling
from streams.web.pages import UNSTORED, NotHere, page
from streams.web.routes.pictures import answer_picture
from streams.web.visitors import OPERATE, REVIEW, VIEW, Looking

SAMPLES = Path(__file__).parents[3] / "loadtest" / "rendering" / "catalogue"
SAMPLES_SHOWN = ("MUG-STONE-350", "BTL-OLIVE-500", "SHO-CANVAS-42", "BAG-TAN-36", "CHR-ASH-86", "BWL-WIRE-29")
BY_RECIPE = "recipe:"  # stands before a recipe's name where else an operation's is
ALONE = ("cutout", "packshot", "transparent", "upscale")  # what needs nothing but a photograph
UPLOAD_MAX_BYTES = 65 * 1024 * 1024  # a little more than a source may have
SUFFIXES = {"image/jpeg": "jpg", "image/png": "png", "image/webp": "webp", "image/tiff": "tif", "image/avif": "avif"}


class CheckView(msgspec.Struct, frozen=True, kw_only=True):
    """A check, told for people."""

    subject: str
    outcome: str
    measured: str
    limit: str
    rule: str


class MadeNow(msgspec.Struct, frozen=True, kw_only=True):
    """What was made: the file in base64, what it is, and what the gates say; `outcome` is None without a channel's."""

    file: str
    name: str
    media_type: str
    width_px: int
    height_px: int
    outcome: str | None
    checks: list[CheckView]


@get("/desk/{tenant:str}/try", opt=VIEW, sync_to_thread=True)
def show_try(visitor: Looking) -> Response[str]:
    """The page."""
    with visitor.place.read() as facts:
        cookbook = facts.recipes.cookbook()
    rules = cookbook.rules
    return page(
        visitor,
        "try",
        recipes=sorted(cookbook.recipes),
        operations=[name for name in ALONE if name in OPERATIONS],
        channels=[name for name in rules.names() if _is_readable(rules, name)],
        samples=[f"{name}-studio.jpg" for name in SAMPLES_SHOWN] if SAMPLES.exists() else [],
    )


@get("/desk/{tenant:str}/try/sample", opt=VIEW, sync_to_thread=True)
def show_sample(
    request: Request[Any, Any, Any], visitor: Looking, name: FromQuery[str], size: FromQuery[int] = 0
) -> Response[bytes]:
    """A photograph of the sample catalogue."""
    if name not in {f"{each}-studio.jpg" for each in SAMPLES_SHOWN} or not SAMPLES.exists():
        raise NotHere("there is no such sample")

    def whole() -> Shown:
        return Shown((SAMPLES / "photographs" / name).read_bytes(), "image/jpeg")

    return answer_picture(request, visitor, f"sample-{name}", whole, size)


@post(
    "/desk/{tenant:str}/try/render",
    opt=REVIEW,
    sync_to_thread=True,
    status_code=200,
    request_max_body_size=UPLOAD_MAX_BYTES,
)
def render(
    visitor: Looking,
    data: Annotated[dict[str, Any], Body(media_type=RequestEncodingType.MULTI_PART)],
) -> Response[MadeNow]:
    """Makes a picture of a photograph, with the gates' verdict."""
    photograph = data.get("photograph")
    if not isinstance(photograph, UploadFile):
        raise Refused("missing_input", "send a photograph", field="photograph")
    operation = str(data.get("operation", ""))
    channel, category = str(data.get("channel") or "") or None, str(data.get("category", ""))[:200]
    name = Path(photograph.filename or "photograph").name[:100]
    place, recipe = visitor.place, operation.removeprefix(BY_RECIPE)
    if recipe != operation:
        order = Order(tenant=visitor.tenant, recipe=recipe, channel=channel, category=category)
        made = trying.render_recipe(place.settings, place.database, order, name, photograph.file)
    elif operation in ALONE:
        made = trying.render(place.settings, operation, channel, category, name, photograph.file)
    else:
        raise Refused("unknown_operation", f"no operation here is called {operation!r}", field="operation")
    with Image.open(io.BytesIO(made.file)) as opened:
        width_px, height_px = opened.size
    made_now = MadeNow(
        file=base64.b64encode(made.file).decode(),
        name=f"{Path(name).stem}-{recipe}.{SUFFIXES.get(made.media_type, 'bin')}",
        media_type=made.media_type,
        width_px=width_px,
        height_px=height_px,
        outcome=made.verdict.outcome if made.verdict else None,
        checks=[check_view(check) for check in telling.worst_first(made.verdict.checks if made.verdict else [])],
    )
    return Response(made_now, headers=UNSTORED)


@post("/desk/{tenant:str}/try/catalogue", opt=OPERATE, sync_to_thread=True)
def send_catalogue(visitor: Looking) -> Redirect:
    """Sends the sample catalogue through the whole flow, as this tenant's."""
    if not SAMPLES.exists():
        raise NotHere("the sample catalogue is not part of this installation")
    read, _ = event_files.read_events(SAMPLES / "catalogue.jsonl")
    events = [msgspec.structs.replace(each.event, tenant=visitor.tenant) for each in read]
    submission.send(
        [each for each in events if isinstance(each, CatalogChanged)], visitor.place.sender, "packshot/desk"
    )
    return Redirect(visitor.address("products"), status_code=303, headers=UNSTORED)


def _is_readable(rules: Any, name: str) -> bool:
    try:
        rules.load(name)
    except BadChannel:
        return False
    return True


def check_view(check: Check) -> CheckView:
    """A check as pages' scripts show it."""
    return CheckView(
        subject=telling.subject(check),
        outcome=check.outcome,
        measured="–" if check.measured is None else telling.figure(check.measured),
        limit=telling.limit(check.limit) or "–",
        rule=check.rule,
    )


prepare(CheckView, MadeNow)

ROUTES: tuple[Any, ...] = (show_try, show_sample, render, send_catalogue)
