"""Facts in SQL: what is true now of products, assets, tasks, reviews and campaigns."""

from streams.facts.campaigns import CampaignStanding, rank_of
from streams.facts.costs import Fate, Grouping, Share, Spending
from streams.facts.database import Catalogue, CatalogueStanding, CatalogueUnavailable
from streams.facts.facts import PLANNED_STATES, Asset, AssetState, Facts, Product, Refusal, Review, Standing, TaskFact
from streams.facts.losses import Loss, Losses
from streams.facts.models import Comparison
from streams.facts.outbox import UNSENT_AFTER_S, Backlog, Unsent
from streams.facts.replans import Replan
from streams.facts.trials import Trial, Trials

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
