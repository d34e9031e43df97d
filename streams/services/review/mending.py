"""Mending: what comes of a person's marks on a photograph, or of other parameters, seen before it is sent.

It is made by the operations' own code, as a worker makes it, so that what was seen is what will be. Of it nothing is
kept but a mask that was drawn elsewhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from gpu_workers.imaging.linear_light import eight_bit
from gpu_workers.local.studio import Made, Studio
from gpu_workers.operations.base import ComposeRequest
from gpu_workers.operations.cutout.operation import cutout_picture
from gpu_workers.pools.answers import Answers, answers_id, known_answers
from gpu_workers.pools.compose import library
from gpu_workers.pools.limits import fetch_limits
from gpu_workers.pools.outputs import code_fingerprint
from gpu_workers.pools.retouches import retouching_of
from gpu_workers.serving.model_registry import ModelRegistry
from gpu_workers.sources.decoding import DecodeLimits, Picture, decode
from gpu_workers.sources.errors import SourceError
from gpu_workers.sources.fetch import fetch
from schemas import retouching as strokes
from schemas.decoding import prepare
from schemas.errors import InputError
from schemas.operations import OPERATIONS
from schemas.records import CutoutRetouched, Name, Parameters, Sha256, Source, Task, TaskCompleted, Verdict
from schemas.releases import recalled
from schemas.retouching import Retouch
from streams.blobs import BlobCorrupt, Blobs, NotFound
from streams.facts import Database, Facts, Review
from streams.flow.processors.planning import redone
from streams.flow.processors.retouching import OPERATION as CUTOUT
from streams.flow.processors.retouching import check
from streams.runtime.errors import Refused
from streams.runtime.settings import Settings
from streams.services.display import showing
from streams.services.display.showing import Shown
from streams.services.operating.roles import s3_client
from streams.services.ordering.local_render import open_studio
from streams.services.releases.trying import turn
from streams.services.review import masks

STROKES, NETWORK = "retouch", "model"  # the parameters of a cutout that name them
MASK_BYTES_MAX = 32 * 1024 * 1024
MASK_PIXELS_MAX = 50_000_000


class PreviewRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be seen of a case: its cutout made again with `parameters` and a `retouch`, or one step of its assets.

    `review` is the asset that is composed of it; the case's first where none is named.
    """

    case: Sha256
    step: Name = CUTOUT
    parameters: Parameters = msgspec.field(default_factory=dict)
    retouch: Retouch | None = None
    review: Sha256 | None = None


@dataclass(frozen=True)
class Seen:
    """What comes of a request: the cutout where one was made, and the asset that is made of it with the gates' verdict.

    There is no asset where its step works on more than a cutout. `measures` are the cutout's.
    """

    cutout: Shown | None
    asset: Shown | None
    verdict: Verdict | None
    measures: Mapping[str, float]


def preview(settings: Settings, database: Database, blobs: Blobs, tenant: str, request: PreviewRequest) -> Seen:
    """Makes it, on this machine. Raises Refused: `unknown_case`, `unknown_review`, `bad_parameters`, `bad_retouch`,
    and whatever cutting out and composing refuse."""
    with database.read() as facts:
        review = _review(facts, tenant, request)
        task = review.request.completed.task
        made_by = _cut_by(task, facts) if request.step == CUTOUT else None
        parameters = _cutout_parameters(task, request, facts) if request.step == CUTOUT else {}
        known = _retouch_of(task, facts)
        network = _network(parameters, facts)
    if request.retouch is not None:
        masks.check(blobs, tenant, request.retouch, known)
    with turn(), open_studio(settings, network) as studio:
        making = _Making(settings, blobs, studio)
        if request.step == CUTOUT:
            return making.cut_anew(task, parameters, request.retouch, made_by)
        return making.composed(task, request)


def marks(database: Database, blobs: Blobs, tenant: str, case_id: str) -> Retouch | None:
    """The marks by which a case's photograph is cut out now, to go on from; None where nobody made any.

    Raises Refused `unknown_case`, and BadRetouch.
    """
    with database.read() as facts:
        review = _review(facts, tenant, PreviewRequest(case=case_id))
        task = review.request.completed.task
        known = _retouch_of(task, facts)
    return None if known is None or known.strokes is None else strokes.read(_blob(blobs, known.strokes))


def networks(settings: Settings, database: Database, blobs: Blobs) -> list[str]:
    """The networks that may cut out, NAME@VERSION: all but those that are recalled."""
    known = ModelRegistry.of(settings, blobs, database).models()
    with database.read() as facts:
        gone = recalled(facts.models.releases(CUTOUT))
    return [ref for ref, each in known.items() if each.operation == CUTOUT and ref not in gone]


def keep_mask(blobs: Blobs, tenant: str, data: bytes) -> str:
    """The digest of a mask that was drawn elsewhere, kept for a tenant's strokes to begin from. Raises Refused."""
    if len(data) > MASK_BYTES_MAX:
        raise Refused("too_large", f"{len(data):,} bytes where a mask has {MASK_BYTES_MAX:,} at most", field="mask")
    try:
        picture = decode(data, DecodeLimits(pixels_max=MASK_PIXELS_MAX), "the mask")
    except SourceError as error:
        raise Refused.because(error, field="mask") from error
    digest = blobs.put(data, picture.media_type)
    masks.note(blobs, tenant, digest)
    return digest


@dataclass(frozen=True)
class _Making:
    settings: Settings
    blobs: Blobs
    studio: Studio

    def cut_anew(
        self, task: Task, parameters: Mapping[str, str], retouch: Retouch | None, made_by: TaskCompleted | None
    ) -> Seen:
        """The cutout of a task's photograph, and the task's own step on it; networks are not asked again what they
        were asked for the cutout that was `made_by`."""
        assert task.origin is not None
        source = task.origin.source
        data, digest = self._fetched(source)
        photograph = self.studio.photograph(data, source.uri)
        parameters_now = self._with_strokes(parameters, retouch, task)
        try:
            retouching = retouching_of(parameters_now, digest, self.blobs)
        except InputError as error:
            raise Refused.because(error) from error
        cut = self.studio.cutout(
            photograph,
            source.uri,
            parameters_now,
            task.category,
            retouching,
            self._answers(digest, parameters_now, made_by),
        )
        measures = {**cut.measures, **photograph.measures}
        picture = cutout_picture(photograph, cut)
        made = self._made(task, [picture], {f"{CUTOUT}.{name}": value for name, value in measures.items()})
        return _seen(showing.encoded(eight_bit(cut.rgba)), made, cut.measures)

    def _answers(self, photograph: str, parameters: Mapping[str, str], made_by: TaskCompleted | None) -> Answers:
        """What networks said of a photograph, where this code asked them, and the network that is wanted."""
        if made_by is None or made_by.task.step.parameters.get(NETWORK) != parameters.get(NETWORK):
            return Answers()
        if not made_by.engine.endswith(f"+{code_fingerprint(CUTOUT)[:16]}"):
            return Answers()
        return known_answers(self.blobs, answers_id(photograph, made_by.engine, self.studio.reader()))

    def composed(self, task: Task, request: PreviewRequest) -> Seen:
        """A task's step with other parameters, on what it works on."""
        if request.step != task.step.operation:
            raise Refused("bad_parameters", f"the asset is made by {task.step.operation}", field="step")
        inputs = [decode(_blob(self.blobs, each.digest)) for each in task.inputs]
        made = self._made(redone(task, request.parameters), inputs, task.measures)
        return _seen(None, made, {})

    def _with_strokes(self, parameters: Mapping[str, str], retouch: Retouch | None, task: Task) -> dict[str, str]:
        """The parameters with the strokes' blob, just as it will be when they are sent."""
        if retouch is None:
            return dict(parameters)
        assert task.origin is not None
        made_on = msgspec.structs.replace(retouch, source=retouch.source or task.origin.source.sha256)
        digest = self.blobs.put(strokes.written(made_on), strokes.MEDIA_TYPE)
        return {**parameters, STROKES: digest}

    def _made(self, task: Task, inputs: list[Picture], before: Mapping[str, float]) -> Made | None:
        """The picture of a step; None for one that needs more than is here."""
        step = task.step
        if OPERATIONS[step.operation].takes != {CUTOUT} or len(task.inputs) != 1 or step.channel is None:
            return None
        channel = self.studio.rules.load(step.channel, task.category)
        is_asset, goes_on = step.asset is not None, bool(step.next)
        request = ComposeRequest(channel, step.parameters, task.category, is_asset, goes_on, library(self.settings))
        return self.studio.picture(step.operation, inputs, request, before)

    def _fetched(self, source: Source) -> tuple[bytes, str]:
        """The bytes of a photograph, and their digest."""
        try:
            found = fetch(source.uri, fetch_limits(self.settings), sha256=source.sha256, s3=s3_client(self.settings))
        except SourceError as error:
            raise Refused.because(error) from error
        return found.data, found.sha256


def _seen(cutout: Shown | None, made: Made | None, measures: Mapping[str, float]) -> Seen:
    if made is None:
        return Seen(cutout, None, None, measures)
    return Seen(cutout, showing.shown(made.file, made.media_type), made.verdict, measures)


def _review(facts: Facts, tenant: str, request: PreviewRequest) -> Review:
    """The asset that a request is about. Raises Refused."""
    case = facts.cases.get(request.case)
    if case is None or case.tenant != tenant:
        raise Refused("unknown_case", f"no case has the id {request.case!r}", field="case_id")
    reviews = facts.cases.waiting([request.case])[request.case] or facts.cases.reviews(request.case)
    found = next((each for each in reviews if request.review in (None, each.review_id)), None)
    if found is None:
        raise Refused("unknown_review", "the case has no such asset", field="review")
    return found


def _cutout_parameters(task: Task, request: PreviewRequest, facts: Facts) -> dict[str, str]:
    """What a cutout is made by: its recipe's parameters, and a person's over them. Raises Refused."""
    if task.origin is None or task.origin.cutout is None:
        raise Refused("bad_parameters", "the case's assets are made of no cutout", field="step")
    known = _retouch_of(task, facts)
    wanted = CutoutRetouched(
        tenant=task.tenant, sku=task.sku, source=task.origin.source, version=1, parameters=request.parameters
    )
    check(wanted)
    before = {} if known is None else known.parameters
    strokes_before = {STROKES: known.strokes} if known is not None and known.strokes else {}
    made_by = _cut_by(task, facts)
    recipes = {} if made_by is None else made_by.task.step.parameters
    own = {name: value for name, value in recipes.items() if name not in (*before, STROKES)}
    return {**own, **strokes_before, **request.parameters}


def _retouch_of(task: Task, facts: Facts) -> CutoutRetouched | None:
    """The newest word on the cutout of a task's photograph."""
    return None if task.origin is None else facts.retouches.get(task.tenant, task.sku, task.origin.source)


def _network(parameters: Mapping[str, str], facts: Facts) -> str | None:
    """The network that is asked by name; None for the one that works, as in place of one that is recalled."""
    requested = parameters.get(NETWORK)
    return None if requested in recalled(facts.models.releases(CUTOUT)) else requested


def _cut_by(task: Task, facts: Facts) -> TaskCompleted | None:
    """What made the cutout of a task."""
    if task.origin is None or task.origin.cutout is None:
        return None
    digest = task.origin.cutout.digest
    for each in facts.tasks.of(task.tenant, task.sku, task.version):
        made = each.record
        if isinstance(made, TaskCompleted) and any(blob.digest == digest for blob in made.outputs):
            return made
    return None


def _blob(blobs: Blobs, digest: str) -> bytes:
    try:
        return blobs.get(digest)
    except (NotFound, BlobCorrupt) as error:
        raise Refused("picture_gone", f"the picture {digest} is gone", field="picture") from error


prepare(PreviewRequest)
