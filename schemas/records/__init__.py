"""Every event that crosses a topic, as one frozen typed record each, by what it tells of.

The Avro files beside this package are the source of truth for the wire; a test holds each record against its file.
Field types carry their constraints, so that a record that exists is a record that is well formed.
"""

from schemas.decoding import prepare
from schemas.records.base import (
    LANES,
    MANY,
    AssetName,
    Bytes,
    Change,
    CheckOutcome,
    Code,
    EventId,
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
    RatingPurpose,
    Reason,
    Record,
    ReleaseKind,
    ReleaseStage,
    Resolution,
    Sha256,
    Share,
    Sku,
    Srcset,
    Text,
    Uri,
    VerdictOutcome,
    Version,
    Yaml,
)
from schemas.records.campaigns import CampaignCancelled, CampaignContinued, CampaignRequested
from schemas.records.catalogue import CatalogChanged, ReplanRequested, ReplansContinued, ReplansRequested, Source
from schemas.records.letters import LetterResolved
from schemas.records.publication import (
    AssetPublished,
    AssetRetracted,
    AssetWithheld,
    DriftFound,
    Duty,
    ProductPublished,
    Provenance,
    PublicationFailed,
    PublishRequested,
    Rendition,
    RetractRequested,
)
from schemas.records.releases import (
    ChannelReleased,
    DefaultsReleased,
    ModelAdded,
    ModelReleased,
    PolicyContinued,
    PolicyReleased,
    RecipeReleased,
    ReleaseContinued,
    ShelfMeasured,
)
from schemas.records.reviews import (
    Check,
    CutoutRetouched,
    DecisionUndone,
    Doubt,
    OpinionGiven,
    PictureRated,
    RetractionDecided,
    ReviewDecided,
    ReviewRequested,
    Verdict,
)
from schemas.records.tasks import Action, Blob, Cost, Origin, Shadow, Step, Task, TaskCompleted, TaskFailed

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
    | OpinionGiven
    | PictureRated
    | CutoutRetouched
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
    | PolicyReleased
    | PolicyContinued
    | ReleaseContinued
    | ShelfMeasured
    | DriftFound
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
    OpinionGiven,
    PictureRated,
    RetractionDecided,
    CutoutRetouched,
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
    PolicyReleased,
    PolicyContinued,
    ReleaseContinued,
    ShelfMeasured,
    DriftFound,
)
Submission = CatalogChanged | CampaignRequested | CampaignCancelled

__all__ = [
    "EVENTS",
    "LANES",
    "MANY",
    "Action",
    "AssetName",
    "AssetPublished",
    "AssetRetracted",
    "AssetWithheld",
    "Blob",
    "Bytes",
    "CampaignCancelled",
    "CampaignContinued",
    "CampaignRequested",
    "CatalogChanged",
    "Change",
    "ChannelReleased",
    "Check",
    "CheckOutcome",
    "Code",
    "Cost",
    "CutoutRetouched",
    "DecisionUndone",
    "DefaultsReleased",
    "Doubt",
    "DriftFound",
    "Duty",
    "Event",
    "EventId",
    "FailureKind",
    "FieldPath",
    "Label",
    "Lane",
    "LetterResolved",
    "Measures",
    "Message",
    "Milliseconds",
    "ModelAdded",
    "ModelRef",
    "ModelReleased",
    "Models",
    "Name",
    "Nanos",
    "Number",
    "OpinionGiven",
    "Origin",
    "Outcome",
    "Parameters",
    "PictureRated",
    "Pixels",
    "PolicyContinued",
    "PolicyReleased",
    "ProductPublished",
    "Provenance",
    "PublicationFailed",
    "PublishRequested",
    "RatingPurpose",
    "Reason",
    "RecipeReleased",
    "Record",
    "ReleaseContinued",
    "ReleaseKind",
    "ReleaseStage",
    "Rendition",
    "ReplanRequested",
    "ReplansContinued",
    "ReplansRequested",
    "Resolution",
    "RetractRequested",
    "RetractionDecided",
    "ReviewDecided",
    "ReviewRequested",
    "Sha256",
    "Shadow",
    "Share",
    "ShelfMeasured",
    "Sku",
    "Source",
    "Srcset",
    "Step",
    "Submission",
    "Task",
    "TaskCompleted",
    "TaskFailed",
    "Text",
    "Uri",
    "Verdict",
    "VerdictOutcome",
    "Version",
    "Yaml",
]


prepare(*EVENTS, Submission)
