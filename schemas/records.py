"""Every event that crosses a topic, as one frozen typed record each.

The Avro files beside this module are the source of truth for the wire; a test holds each record against its file.
Field types carry their constraints, so that a record that exists is a record that is well formed.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, field

from schemas.decoding import prepare
from schemas.text import CODE_MAX, FIELD_MAX, FIT, FIT_LINES, FIT_NAME, ID_MAX, MESSAGE_MAX, REASON_MAX, whole

Change = Literal["upsert", "delete"]
Lane = Literal["urgent", "standard", "bulk"]
Outcome = Literal["done", "superseded", "cancelled", "expired"]
FailureKind = Literal["transient", "permanent", "poison"]
CheckOutcome = Literal["pass", "review", "fail", "not_run"]
VerdictOutcome = Literal["pass", "review", "fail"]
Resolution = Literal["replayed", "discarded"]
ReleaseKind = Literal["recipe", "defaults", "channel"]
ReleaseStage = Literal["shadow", "canary", "stable", "withdrawn"]

LANES: tuple[Lane, ...] = ("urgent", "standard", "bulk")

_NAME = "[A-Za-z0-9][A-Za-z0-9._-]"
_DOUBLE_MAX = 1e300  # finite, and so neither an infinity nor no number at all
_MANY = 100_000  # more than a record holds that may be written

Name = Annotated[str, Meta(min_length=1, max_length=64, pattern=whole(f"{_NAME}*"))]
AssetName = Annotated[str, Meta(min_length=1, max_length=200, pattern=whole(f"{_NAME}*"))]
ModelRef = Annotated[str, Meta(max_length=129, pattern=whole(f"{_NAME}{{0,63}}@{_NAME}{{0,63}}"))]
Sha256 = Annotated[str, Meta(max_length=64, pattern=whole("[0-9a-f]{64}"))]
Sku = Annotated[str, Meta(min_length=1, max_length=128, pattern=whole(FIT_NAME))]
Label = Annotated[str, Meta(max_length=256, pattern=whole(FIT))]
Text = Annotated[str, Meta(max_length=1024, pattern=whole(FIT))]
Uri = Annotated[str, Meta(min_length=1, max_length=4096, pattern=whole(FIT))]
Srcset = Annotated[str, Meta(max_length=65_536, pattern=whole(FIT))]
Yaml = Annotated[str, Meta(min_length=1, max_length=65_536, pattern=whole(FIT_LINES))]
EventId = Annotated[str, Meta(max_length=ID_MAX, pattern=whole(FIT))]
Code = Annotated[str, Meta(max_length=CODE_MAX, pattern=whole(FIT))]
FieldPath = Annotated[str, Meta(max_length=FIELD_MAX, pattern=whole(FIT))]
Message = Annotated[str, Meta(max_length=MESSAGE_MAX, pattern=whole(FIT))]
Reason = Annotated[str, Meta(max_length=REASON_MAX, pattern=whole(FIT))]
Version = Annotated[int, Meta(ge=1, le=2**63 - 1)]
Milliseconds = Annotated[int, Meta(ge=0, le=253_402_300_799_999)]  # Unix time; to the end of the year 9999
Pixels = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Bytes = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Nanos = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Share = Annotated[float, Meta(ge=0, le=1)]
Number = Annotated[float, Meta(ge=-_DOUBLE_MAX, le=_DOUBLE_MAX)]
Parameters = Annotated[dict[Annotated[Label, Meta(min_length=1)], Text], Meta(max_length=64)]
Measures = Annotated[dict[Label, Number], Meta(max_length=1024)]
Models = Annotated[list[ModelRef], Meta(max_length=64)]


class Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=False):
    """Base of every record: immutable, keyword-only, unknown fields refused."""


class Source(Record, frozen=True, kw_only=True):
    """Where a product photograph lies: http(s), file or s3, and its digest when the sender knows it."""

    uri: Uri
    sha256: Sha256 | None = None


class CatalogChanged(Record, frozen=True, kw_only=True, tag="CatalogChanged", tag_field="type"):
    """A PIM says that a product is new, different or gone. `version` grows with every change of the product."""

    change: Change = "upsert"
    tenant: Name
    sku: Sku
    version: Version
    title: Text = ""
    category: Text = ""
    colour: Text | None = None
    sources: Annotated[list[Source], Meta(max_length=32)] = field(default_factory=list)
    channels: Annotated[list[Name], Meta(max_length=32)] = field(default_factory=list)
    attributes: Annotated[dict[Annotated[Label, Meta(min_length=1)], Text], Meta(max_length=1000)] = field(
        default_factory=dict
    )
    recipe: Name = "marketplace"
    priority: Lane = "standard"
    occurred_at_ms: Milliseconds | None = None

    def __post_init__(self) -> None:
        if self.change == "upsert" and not self.sources:
            raise ValueError("`sources` must name at least one image for an upsert")
        if self.change == "upsert" and not self.channels:
            raise ValueError("`channels` must name at least one channel for an upsert")
        if len(set(self.channels)) != len(self.channels):
            raise ValueError("`channels` must not repeat a channel")


class ReplanRequested(Record, frozen=True, kw_only=True, tag="ReplanRequested", tag_field="type"):
    """An operator has the newest version of a product made again. What comes out the same changes nothing."""

    tenant: Name
    sku: Sku
    lane: Lane = "bulk"
    reason: Reason = ""


class ReplansRequested(Record, frozen=True, kw_only=True, tag="ReplansRequested", tag_field="type"):
    """An operator has many products of a tenant made again: intake asks for each of them, a few at a time."""

    tenant: Name
    skus: Annotated[list[Sku], Meta(min_length=1, max_length=1000)]
    lane: Lane = "bulk"
    reason: Reason = ""


class ReplansContinued(Record, frozen=True, kw_only=True, tag="ReplansContinued", tag_field="type"):
    """Products of a tenant are left to be made again; intake tells itself so between two steps."""

    tenant: Name


class CampaignRequested(Record, frozen=True, kw_only=True, tag="CampaignRequested", tag_field="type"):
    """A marketing tool asks for pictures of products after a recipe, by a deadline (Unix time in ms).

    `version` grows with every request and every cancellation of the campaign, and the newest counts. An event without
    one (0) is older than all that have one; among those the order counts in which their topic has them. One version
    may come in `parts` that differ in their products only; what it names no more is taken out once all are known.
    `place` is ours: where the event stood, plus one, of which an unversioned one is a part.
    """

    tenant: Name
    campaign: Name
    skus: Annotated[list[Sku], Meta(min_length=1, max_length=100_000)]
    recipe: Name = "campaign"
    channels: Annotated[list[Name], Meta(min_length=1, max_length=32)]
    priority: Lane = "urgent"
    deadline_ms: Milliseconds | None = None
    version: Annotated[int, Meta(ge=0, le=2**62)] = 0
    part: Annotated[int, Meta(ge=1, le=100_000)] = 1
    parts: Annotated[int, Meta(ge=1, le=100_000)] = 1
    place: Annotated[int, Meta(ge=0, le=2**61)] = 0

    def __post_init__(self) -> None:
        if self.part > self.parts:
            raise ValueError("`part` must not be above `parts`")


class CampaignCancelled(Record, frozen=True, kw_only=True, tag="CampaignCancelled", tag_field="type"):
    """Marketing takes a campaign back: nothing more is made for it, what is live of it is retracted.

    It counts for requests up to its `version`; for that, and for `place`, see CampaignRequested.
    """

    tenant: Name
    campaign: Name
    reason: Text = ""
    version: Annotated[int, Meta(ge=0, le=2**62)] = 0
    place: Annotated[int, Meta(ge=0, le=2**61)] = 0


class CampaignContinued(Record, frozen=True, kw_only=True, tag="CampaignContinued", tag_field="type"):
    """There are products of a campaign left to begin, or to take out; intake tells itself so between two steps."""

    tenant: Name
    campaign: Name


class Step(Record, frozen=True, kw_only=True):
    """One operation of a slip and, as its branches, what follows it. Parameter values are written as text."""

    operation: Name
    asset: AssetName | None = None
    channel: Name | None = None
    parameters: Parameters = field(default_factory=dict)
    next: Annotated[list["Step"], Meta(max_length=_MANY)] = field(default_factory=list)


class Blob(Record, frozen=True, kw_only=True):
    """Pixels in the blob store, by content."""

    role: Label
    digest: Sha256
    media_type: Label
    width_px: Pixels
    height_px: Pixels
    size_bytes: Bytes


class Task(Record, frozen=True, kw_only=True, tag="Task", tag_field="type"):
    """One step for one pool. A first step has a `source` to fetch, a later one has `inputs` in the blob store.

    `measures` are those of the steps before, as `operation.measure`, and `models` the networks that worked on its
    inputs. `asked_at_ms` is the Unix time of the event that asked for it; `demoted` says why it is in another lane than
    that asked for. `way` is the id of the steps up to this one, as they were planned.
    """

    task_id: Sha256
    tenant: Name
    sku: Sku
    version: Version
    lane: Lane
    step: Step
    source: Source | None = None
    inputs: Annotated[list[Blob], Meta(max_length=1024)] = field(default_factory=list)
    measures: Measures = field(default_factory=dict)
    category: Text = ""
    campaign: Name | None = None
    deadline_ms: Milliseconds | None = None
    asked_at_ms: Milliseconds | None = None
    demoted: Text | None = None
    models: Models = field(default_factory=list)
    way: Sha256 | None = None


class Shadow(Record, frozen=True, kw_only=True):
    """What another network made of the same picture, which nobody gets to see, beside what is used.

    `agreement` is the intersection over union of what both hold for product, `difference` the mean difference of alpha
    (0..1); `error` says why there is neither.
    """

    model: ModelRef
    agreement: Number = 0.0
    difference: Number = 0.0
    engine_ms: Number = 0.0
    error: Message = ""


class Cost(Record, frozen=True, kw_only=True):
    """What a stage of a task used up, and its price in billionths of the currency that the operator reckons in.

    `engine_ms` is the task's share of its batches, `cpu_ms` that of the thread which worked on it; bytes are those that
    came in from elsewhere and went out to storage.
    """

    engine_ms: Number = 0.0
    cpu_ms: Number = 0.0
    bytes_in: Bytes = 0
    bytes_out: Bytes = 0
    price_nanos: Nanos = 0


class TaskCompleted(Record, frozen=True, kw_only=True, tag="TaskCompleted", tag_field="type"):
    """A task ended without an error: done, or dropped unworked because it was superseded, cancelled or expired.

    `timings_ms` and `costs` are by stage. Those of a result that another task had made are what finding it took, and
    `saved` is what making it had cost; a task that finds what it had made itself tells of that again. `engine` is the
    fingerprint of all that decides on the pixels, `model` the network in it.
    """

    task: Task
    outcome: Outcome
    outputs: Annotated[list[Blob], Meta(max_length=1024)] = field(default_factory=list)
    measures: Measures = field(default_factory=dict)
    result_id: Label = ""
    engine: Label = ""
    cached: bool = False
    timings_ms: Measures = field(default_factory=dict)
    costs: Annotated[dict[Label, Cost], Meta(max_length=256)] = field(default_factory=dict)
    saved: Cost | None = None
    model: ModelRef | None = None
    shadow: Shadow | None = None


class TaskFailed(Record, frozen=True, kw_only=True, tag="TaskFailed", tag_field="type"):
    """A task ended with an error that no further try will mend; the task's bytes lie in the dead letters."""

    task: Task
    kind: FailureKind
    code: Code
    field: FieldPath = ""
    message: Message = ""


class PublicationFailed(Record, frozen=True, kw_only=True, tag="PublicationFailed", tag_field="type"):
    """An asset that passed cannot be published; the request's bytes lie in the dead letters."""

    tenant: Name
    sku: Sku
    version: Version
    asset: AssetName
    code: Code
    field: FieldPath = ""
    message: Message = ""


class Check(Record, frozen=True, kw_only=True):
    """One line of a verdict. `point` is the checklist's point; a check that did not run says `not_run`."""

    point: Label
    name: Label
    outcome: CheckOutcome
    measured: Number | None = None
    limit: Label = ""
    rule: Label = ""


class Verdict(Record, frozen=True, kw_only=True):
    """What the quality gates say of one asset, measured against dated rules."""

    outcome: VerdictOutcome
    checks: Annotated[list[Check], Meta(max_length=256)]
    rules: Label


class ReviewRequested(Record, frozen=True, kw_only=True, tag="ReviewRequested", tag_field="type"):
    """An asset that the gates do not let pass waits for a person."""

    review_id: Sha256
    completed: TaskCompleted
    verdict: Verdict
    reason: Reason


class ReviewDecided(Record, frozen=True, kw_only=True, tag="ReviewDecided", tag_field="type"):
    """A person's decision. A rejected asset is redone with `parameters` when `redo`, else it ends.

    `version` is its place among the words on this review, from 1: the newest counts, in whatever order they come.
    """

    review_id: Sha256
    tenant: Name
    sku: Sku
    approved: bool
    reason: Text = ""
    decided_by: Text = ""
    redo: bool = False
    parameters: Parameters = field(default_factory=dict)
    version: Version = 1


class DecisionUndone(Record, frozen=True, kw_only=True, tag="DecisionUndone", tag_field="type"):
    """A person takes just this `decision` back: what went live by it goes, and the review waits again.

    `version` is the place among the words on the review, as a decision has it.
    """

    tenant: Name
    sku: Sku
    decision: ReviewDecided
    version: Version
    reason: Text = ""
    decided_by: Text = ""


class RetractionDecided(Record, frozen=True, kw_only=True, tag="RetractionDecided", tag_field="type"):
    """A person takes assets of this version of a product off the shop: the named ones, or all when `assets` is empty.

    They stay away until a newer version, or until the product is made again.
    """

    tenant: Name
    sku: Sku
    version: Version
    assets: Annotated[list[AssetName], Meta(max_length=1000)] = field(default_factory=list)
    reason: Text
    decided_by: Text = ""


class PublishRequested(Record, frozen=True, kw_only=True, tag="PublishRequested", tag_field="type"):
    """An asset that passed its gates, or a person, shall go live."""

    tenant: Name
    sku: Sku
    version: Version
    asset: AssetName
    channel: Name
    file: Blob
    verdict: Verdict
    engine: Label
    result_id: Label
    title: Text = ""
    campaign: Name | None = None
    approved_by: Text | None = None
    models: Models = field(default_factory=list)


class AssetWithheld(Record, frozen=True, kw_only=True, tag="AssetWithheld", tag_field="type"):
    """A planned asset will not come: it failed, or a person rejected it."""

    tenant: Name
    sku: Sku
    version: Version
    asset: AssetName
    reason: Reason


class RetractRequested(Record, frozen=True, kw_only=True, tag="RetractRequested", tag_field="type"):
    """Assets of a product up to `version` shall go from the origin: the named ones, or all when `assets` is null.

    With `result_id` only where just that result is live.
    """

    tenant: Name
    sku: Sku
    version: Version
    assets: Annotated[list[AssetName], Meta(max_length=_MANY)] | None = None
    reason: Reason = ""
    result_id: Sha256 | None = None


class Rendition(Record, frozen=True, kw_only=True):
    """One size and format of an asset on the origin, under an immutable name."""

    key: Uri
    url: Uri
    media_type: Label
    width_px: Pixels
    height_px: Pixels
    size_bytes: Bytes
    sha256: Sha256


class AssetPublished(Record, frozen=True, kw_only=True, tag="AssetPublished", tag_field="type"):
    """An asset is live: `file` is the channel's own file, `srcset` holds a ready attribute value per media type.

    `unchanged` when its files and their URLs are those that were announced for it last, and only what is said of them
    is new, such as the version.
    """

    tenant: Name
    sku: Sku
    version: Version
    asset: AssetName
    channel: Name
    file: Rendition
    renditions: Annotated[list[Rendition], Meta(max_length=1024)]
    srcset: Annotated[dict[Label, Srcset], Meta(max_length=64)]
    verdict: Verdict
    engine: Label
    manifest_url: Uri
    published_at_ms: Milliseconds
    campaign: Name | None = None
    approved_by: Text | None = None
    models: Models = field(default_factory=list)
    unchanged: bool = False


class ProductPublished(Record, frozen=True, kw_only=True, tag="ProductPublished", tag_field="type"):
    """Every asset of the product's plan is live or, with its reason, withheld."""

    tenant: Name
    sku: Sku
    version: Version
    assets: Annotated[list[AssetName], Meta(max_length=_MANY)]
    withheld: Annotated[dict[AssetName, Reason], Meta(max_length=_MANY)]
    manifest_url: Uri
    published_at_ms: Milliseconds


class AssetRetracted(Record, frozen=True, kw_only=True, tag="AssetRetracted", tag_field="type"):
    """An asset that was live is live no more.

    `urls` are gone from the origin when `urls_until_ms` is 0: the asset was taken back, or its product deleted. Else it
    only left the plan of a newer version, and they answer until then at least. Caches before the origin may
    answer for longer.
    """

    tenant: Name
    sku: Sku
    version: Version
    asset: AssetName
    reason: Reason
    urls: Annotated[list[Uri], Meta(max_length=_MANY)]
    retracted_at_ms: Milliseconds
    urls_until_ms: Milliseconds = 0


class LetterResolved(Record, frozen=True, kw_only=True, tag="LetterResolved", tag_field="type"):
    """A person has dealt with the dead letter at position `letter` (topic/partition/offset): it is open no more."""

    letter: EventId
    event_id: EventId
    resolution: Resolution
    reason: Text = ""
    resolved_by: Text = ""
    resolved_at_ms: Milliseconds


class ModelAdded(Record, frozen=True, kw_only=True, tag="ModelAdded", tag_field="type"):
    """A network that may be released. `manifest` is YAML; the graph lies in the blob store by the digest in it."""

    operation: Name
    model: ModelRef
    manifest: Yaml
    added_by: Text = ""
    added_at_ms: Milliseconds


class ModelReleased(Record, frozen=True, kw_only=True, tag="ModelReleased", tag_field="type"):
    """An operator decides where a network stands.

    shadow: it works beside the stable one on a share of the products, compared and not used. canary: it works for the
    tenants named and for a share of the products of others. stable: it works for all. withdrawn: it works for nobody,
    and with `recall` nothing that it made goes on or live any more: it is made again.
    """

    operation: Name
    model: ModelRef
    stage: ReleaseStage
    share: Share = 1.0
    tenants: Annotated[list[Name], Meta(max_length=1000)] = field(default_factory=list)
    recall: bool = False
    reason: Text = ""
    released_by: Text = ""
    released_at_ms: Milliseconds

    def __post_init__(self) -> None:
        if self.recall and self.stage != "withdrawn":
            raise ValueError("`recall` is for a model that is withdrawn")


class RecipeReleased(Record, frozen=True, kw_only=True, tag="RecipeReleased", tag_field="type"):
    """A recipe counts from now on, in this version. `text` is its YAML, which says the name and the version, too."""

    recipe: Name
    version: Version
    text: Yaml
    reason: Text = ""
    released_by: Text = ""
    released_at_ms: Milliseconds


class DefaultsReleased(Record, frozen=True, kw_only=True, tag="DefaultsReleased", tag_field="type"):
    """A tenant's default parameters count from now on, in this version. `text` is their YAML."""

    tenant: Name
    version: Version
    text: Yaml
    reason: Text = ""
    released_by: Text = ""
    released_at_ms: Milliseconds


class ChannelReleased(Record, frozen=True, kw_only=True, tag="ChannelReleased", tag_field="type"):
    """A channel's rules count from now on. `text` is their YAML.

    `version` is theirs as a number, 202611002 for 2026-11.2.
    """

    channel: Name
    version: Version
    text: Yaml
    reason: Text = ""
    released_by: Text = ""
    released_at_ms: Milliseconds


class ReleaseContinued(Record, frozen=True, kw_only=True, tag="ReleaseContinued", tag_field="type"):
    """There are products left to be held against a release; whoever works on it tells itself so between two steps.

    `name` is that of a recipe, of the tenant of defaults or of a channel. The products behind `after_tenant` and
    `after_sku` are left.
    """

    kind: ReleaseKind
    name: Name
    version: Version
    after_tenant: Name
    after_sku: Sku


Event = (
    CatalogChanged
    | ReplanRequested
    | ReplansRequested
    | ReplansContinued
    | CampaignRequested
    | CampaignCancelled
    | CampaignContinued
    | Task
    | TaskCompleted
    | TaskFailed
    | PublicationFailed
    | ReviewRequested
    | ReviewDecided
    | DecisionUndone
    | RetractionDecided
    | PublishRequested
    | AssetWithheld
    | RetractRequested
    | AssetPublished
    | ProductPublished
    | AssetRetracted
    | LetterResolved
    | ModelAdded
    | ModelReleased
    | RecipeReleased
    | DefaultsReleased
    | ChannelReleased
    | ReleaseContinued
)
EVENTS: tuple[type[Event], ...] = (
    CatalogChanged,
    ReplanRequested,
    ReplansRequested,
    ReplansContinued,
    CampaignRequested,
    CampaignCancelled,
    CampaignContinued,
    Task,
    TaskCompleted,
    TaskFailed,
    PublicationFailed,
    ReviewRequested,
    ReviewDecided,
    DecisionUndone,
    RetractionDecided,
    PublishRequested,
    AssetWithheld,
    RetractRequested,
    AssetPublished,
    ProductPublished,
    AssetRetracted,
    LetterResolved,
    ModelAdded,
    ModelReleased,
    RecipeReleased,
    DefaultsReleased,
    ChannelReleased,
    ReleaseContinued,
)
Submission = CatalogChanged | CampaignRequested | CampaignCancelled


prepare(*EVENTS, Submission)
