"""Facts in SQL: what is true now of products, assets, tasks, reviews and campaigns."""

from streams.facts.assets import Asset, ProductState
from streams.facts.audits import Audits, NotedAudit, NotedFinding
from streams.facts.campaigns import CampaignProgress, rank_of
from streams.facts.cases import Case, Fitting, Waiting
from streams.facts.claims import Claim, Claims
from streams.facts.connector_records import Connector, ConnectorPicture, ConnectorProduct, NotedChange
from streams.facts.connectors import Connectors
from streams.facts.costs import Fate, Grouping, Share, Spending
from streams.facts.database import Database, DatabaseUnavailable, ProductStates
from streams.facts.facts import Facts
from streams.facts.losses import Loss, Losses
from streams.facts.models import Comparison, Shadowed
from streams.facts.outbox import UNSENT_AFTER_S, Backlog, Unsent
from streams.facts.overviews import CampaignRow, Judged, Live, Queued
from streams.facts.products import Product
from streams.facts.refusals import EventKey, Refusal
from streams.facts.replans import Replan
from streams.facts.reviews import DecisionEvent, Review
from streams.facts.sessions import EVERY, DeskSession, DeskSessions
from streams.facts.states import AssetEvent, AssetState, IllegalTransition
from streams.facts.tasks import TaskFact
from streams.facts.trials import Trial, Trials
from streams.facts.webhook_records import Attempt, Endpoint, EndpointState, Message, Secret, Settled, WebhookDelivery
from streams.facts.webhooks import Webhooks
from streams.facts.workloads import CampaignLeft, Worked

__all__ = [
    "EVERY",
    "UNSENT_AFTER_S",
    "Asset",
    "AssetEvent",
    "AssetState",
    "Attempt",
    "Audits",
    "Backlog",
    "CampaignLeft",
    "CampaignProgress",
    "CampaignRow",
    "Case",
    "Claim",
    "Claims",
    "Comparison",
    "Connector",
    "ConnectorPicture",
    "ConnectorProduct",
    "Connectors",
    "Database",
    "DatabaseUnavailable",
    "DecisionEvent",
    "DeskSession",
    "DeskSessions",
    "Endpoint",
    "EndpointState",
    "EventKey",
    "Facts",
    "Fate",
    "Fitting",
    "Grouping",
    "IllegalTransition",
    "Judged",
    "Live",
    "Loss",
    "Losses",
    "Message",
    "NotedAudit",
    "NotedChange",
    "NotedFinding",
    "Product",
    "ProductState",
    "ProductStates",
    "Queued",
    "Refusal",
    "Replan",
    "Review",
    "Secret",
    "Settled",
    "Shadowed",
    "Share",
    "Spending",
    "TaskFact",
    "Trial",
    "Trials",
    "Unsent",
    "Waiting",
    "WebhookDelivery",
    "Webhooks",
    "Worked",
    "rank_of",
]
