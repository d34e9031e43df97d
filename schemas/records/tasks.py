"""Tasks, and what became of them."""

from typing import Annotated

from msgspec import Meta, field

from schemas.records.base import (
    MANY,
    AssetName,
    Bytes,
    Code,
    FailureKind,
    FieldPath,
    Label,
    Lane,
    Measures,
    Message,
    Milliseconds,
    ModelRef,
    Models,
    Name,
    Nanos,
    Number,
    Outcome,
    Parameters,
    Pixels,
    Record,
    Sha256,
    Sku,
    Text,
    Version,
)
from schemas.records.catalogue import Source


class Step(Record, frozen=True, kw_only=True):
    """One operation of a slip and, as its branches, what follows it. Parameter values are written as text."""

    operation: Name
    asset: AssetName | None = None
    channel: Name | None = None
    parameters: Parameters = field(default_factory=dict)
    next: Annotated[list["Step"], Meta(max_length=MANY)] = field(default_factory=list)


class Blob(Record, frozen=True, kw_only=True):
    """Pixels in the blob store, by content."""

    role: Label
    digest: Sha256
    media_type: Label
    width_px: Pixels
    height_px: Pixels
    size_bytes: Bytes


class Action(Record, frozen=True, kw_only=True):
    """What one step did to a picture, and the network that it asked, if it asked one, with the digest of its graph."""

    operation: Name
    parameters: Parameters = field(default_factory=dict)
    model: ModelRef | None = None
    model_sha256: Sha256 | None = None


Actions = Annotated[list[Action], Meta(max_length=MANY)]


class Origin(Record, frozen=True, kw_only=True):
    """What a picture began with: the product's own file, and the cutout of it once there is one.

    `retouch` is the place among the words on the cutout, see CutoutRetouched, that it was made by; 0 for none. `digest`
    is the file's, as it was fetched, and `actions` are the steps that are done, in order; both are missing in what was
    made before they were noted.
    """

    source: Source
    cutout: Blob | None = None
    retouch: Annotated[int, Meta(ge=0, le=2**63 - 1)] = 0
    digest: Sha256 | None = None
    actions: Actions = field(default_factory=list)


class Task(Record, frozen=True, kw_only=True, tag="Task", tag_field="type"):
    """One step for one pool. A first step has a `source` to fetch, a later one has `inputs` in the blob store; so has
    a first one of a file that was uploaded.

    `measures` are those of the steps before, as `operation.measure`, and `models` the networks that worked on its
    inputs. `asked_at_ms` is the Unix time of the event that asked for it; `demoted` says why it is in another lane than
    that asked for. `way` is the id of the steps up to this one, as they were planned; `origin` is what they began with.
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
    origin: Origin | None = None


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
    fingerprint of all that decides on the pixels, `model` the network in it, `model_sha256` its graph's digest.
    `source_digest` is that of the file which was fetched, by a task that fetches one.
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
    model_sha256: Sha256 | None = None
    source_digest: Sha256 | None = None


class TaskFailed(Record, frozen=True, kw_only=True, tag="TaskFailed", tag_field="type"):
    """A task ended with an error that no further try will mend; the task's bytes lie in the dead letters."""

    task: Task
    kind: FailureKind
    code: Code
    field: FieldPath = ""
    message: Message = ""
