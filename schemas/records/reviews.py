"""What the gates say of an asset, and what people decide."""

from typing import Annotated

from msgspec import Meta, field

from schemas.records.base import (
    AssetName,
    CheckOutcome,
    Label,
    Name,
    Number,
    Parameters,
    RatingPurpose,
    Reason,
    Record,
    Sha256,
    Sku,
    Text,
    VerdictOutcome,
    Version,
)
from schemas.records.catalogue import Source
from schemas.records.tasks import TaskCompleted


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


class ReviewDecided(Record, frozen=True, kw_only=True, tag="ReviewDecided", tag_field="type"):
    """A person's decision. A rejected asset is redone with `parameters` when `redo`, else it ends.

    With a `case` it is on all that is in doubt for that cause, and counts for every asset that waits for it, and for
    those to come of which nothing but `checks` is in doubt for it; `review_id` is one of them. `version` is its place
    among the words on the case, else on the review, from 1: the newest counts, in whatever order they come. An
    approval without a case that names `checks` holds for no others: one that is read behind newer rules is refused.
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
    case: Sha256 | None = None
    checks: Annotated[list[Label], Meta(max_length=256)] = field(default_factory=list)


class Doubt(Record, frozen=True, kw_only=True):
    """One cause for which an asset waits: the case, what it is about, and the names of the checks that say so."""

    case: Sha256
    about: Name
    checks: Annotated[list[Label], Meta(max_length=256)]


class ReviewRequested(Record, frozen=True, kw_only=True, tag="ReviewRequested", tag_field="type"):
    """An asset that the gates do not let pass waits for a person, for each of its `doubts`.

    It does not wait where `settled`: by what was decided on the same picture, or on all of its cases, before. `again`
    says why what was decided before does not hold.
    """

    review_id: Sha256
    completed: TaskCompleted
    verdict: Verdict
    reason: Reason
    doubts: Annotated[list[Doubt], Meta(max_length=64)] = field(default_factory=list)
    settled: ReviewDecided | None = None
    again: Reason = ""


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


class CutoutRetouched(Record, frozen=True, kw_only=True, tag="CutoutRetouched", tag_field="type"):
    """A person has a photograph cut out otherwise: with other `parameters`, by the strokes in the blob `strokes`.

    It counts for every version of the product that has just this `source`, until a newer word; one with neither takes
    back those before it. With `approved` the person has seen what comes of it, and its edges are not asked about again.
    `version` is its place among the words on this photograph's cutout, from 1.
    """

    tenant: Name
    sku: Sku
    source: Source
    version: Version
    parameters: Parameters = field(default_factory=dict)
    strokes: Sha256 | None = None
    approved: bool = False
    case: Sha256 | None = None
    reason: Text = ""
    decided_by: Text = ""


class OpinionGiven(Record, frozen=True, kw_only=True, tag="OpinionGiven", tag_field="type"):
    """What one person says of a case that more than one has to decide on. It moves nothing: a ReviewDecided settles.

    It is on what `checks` told, as a decision is. `withdrawn`: it counts no more. `version` is its place among the
    words on the case, from 1; of one person the newest counts, and none from before the newest decision.
    """

    tenant: Name
    sku: Sku
    case: Sha256
    approved: bool
    version: Version
    redo: bool = False
    reason: Text = ""
    decided_by: Text = ""
    checks: Annotated[list[Label], Meta(max_length=256)] = field(default_factory=list)
    withdrawn: bool = False


class PictureRated(Record, frozen=True, kw_only=True, tag="PictureRated", tag_field="type"):
    """Somebody says whether a `picture`, by the digest of its file, is right. It moves nothing.

    `purpose`: a thumb of whoever looks at a product, or a second look at one of a sample of what passed. Some of a
    sample are known to be wrong, `is_known_bad`, which whoever looks is not told. `stratum` is the part of what passed
    that it was drawn from. `version` is its place among the words of `rated_by` on the picture: the newest counts.
    """

    tenant: Name
    sku: Sku
    asset: AssetName
    channel: Name
    picture: Sha256
    is_right: bool
    version: Version
    purpose: RatingPurpose
    stratum: Label = ""
    is_known_bad: bool = False
    reason: Text = ""
    rated_by: Text = ""
