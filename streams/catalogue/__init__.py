"""Facts in SQL: what is true now of products, assets, tasks, reviews and campaigns."""

from streams.catalogue.campaigns import CampaignStanding, rank_of
from streams.catalogue.catalogue import Catalogue, CatalogueStanding, CatalogueUnavailable
from streams.catalogue.costs import Fate, Grouping, Share, Spending
from streams.catalogue.facts import (
    PLANNED_STATES,
    Asset,
    AssetState,
    Facts,
    Product,
    Refusal,
    Review,
    Standing,
    TaskFact,
)
from streams.catalogue.losses import Loss, Losses
from streams.catalogue.models import Comparison
from streams.catalogue.outbox import UNSENT_AFTER_S, Backlog, Unsent
from streams.catalogue.replans import Replan
from streams.catalogue.trials import Trial, Trials

__all__ = [
    "PLANNED_STATES",
    "UNSENT_AFTER_S",
    "Asset",
    "AssetState",
    "Backlog",
    "CampaignStanding",
    "Catalogue",
    "CatalogueStanding",
    "CatalogueUnavailable",
    "Comparison",
    "Facts",
    "Fate",
    "Grouping",
    "Loss",
    "Losses",
    "Product",
    "Refusal",
    "Replan",
    "Review",
    "Share",
    "Spending",
    "Standing",
    "TaskFact",
    "Trial",
    "Trials",
    "Unsent",
    "rank_of",
]
