"""Facts in SQL: what is true now of products, assets, tasks, reviews and campaigns."""

from streams.facts.campaigns import CampaignProgress, rank_of
from streams.facts.costs import Fate, Grouping, Share, Spending
from streams.facts.database import Database, DatabaseUnavailable, ProductStates
from streams.facts.facts import (
    PLANNED_STATES,
    Asset,
    AssetState,
    Facts,
    Product,
    ProductState,
    Refusal,
    Review,
    TaskFact,
)
from streams.facts.losses import Loss, Losses
from streams.facts.models import Comparison
from streams.facts.outbox import UNSENT_AFTER_S, Backlog, Unsent
from streams.facts.replans import Replan
from streams.facts.trials import Trial, Trials
from streams.facts.webhooks import Attempt, Endpoint, EndpointState, Message, Secret, Settled, WebhookDelivery, Webhooks

__all__ = [
    "PLANNED_STATES",
    "UNSENT_AFTER_S",
    "Asset",
    "AssetState",
    "Attempt",
    "Backlog",
    "CampaignProgress",
    "Comparison",
    "Database",
    "DatabaseUnavailable",
    "Endpoint",
    "EndpointState",
    "Facts",
    "Fate",
    "Grouping",
    "Loss",
    "Losses",
    "Message",
    "Product",
    "ProductState",
    "ProductStates",
    "Refusal",
    "Replan",
    "Review",
    "Secret",
    "Settled",
    "Share",
    "Spending",
    "TaskFact",
    "Trial",
    "Trials",
    "Unsent",
    "WebhookDelivery",
    "Webhooks",
    "rank_of",
]
