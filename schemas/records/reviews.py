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
    Reason,
    Record,
    Sha256,
    Sku,
    Text,
    VerdictOutcome,
    Version,
)
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
