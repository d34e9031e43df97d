"""The consumer groups: whose committed offsets say how far each topic has been worked on."""

from schemas import topics
from schemas.operations.base import Pool
from schemas.records import Lane
from schemas.topics import Topic

STREAMS = "packshot.streams"
PUBLISHER = "packshot.publisher"
RETRIER = "packshot.retrier"
WEBHOOKS = "packshot.webhooks"
CONNECTORS_IN = "packshot.connectors.in"
CONNECTORS_OUT = "packshot.connectors.out"
READER = "packshot.reader"  # never commits
APART = frozenset({WEBHOOKS, CONNECTORS_IN, CONNECTORS_OUT})
"""Who only tells others of the flow, or hears of it from them: they are no part of it, and may not run at all."""

CONSUMED = (  # by STREAMS
    topics.CATALOG,
    topics.CAMPAIGNS,
    topics.COMPLETED,
    topics.DECISIONS,
    topics.PUBLISHED,
    topics.MODELS,
    topics.RECIPES,
)


def worker(pool: Pool, lane: Lane) -> str:
    """The group of the workers of a pool that read one lane."""
    return f"packshot.{pool}.{lane}"


def readers(retry_delays_ms: tuple[int, ...]) -> dict[str, list[Topic]]:
    """Every group and the topics that it reads."""
    workers = {worker(pool, lane): [topic] for (pool, lane), topic in topics.TASKS.items()}
    return workers | {
        STREAMS: list(CONSUMED),
        PUBLISHER: [topics.PUBLISH],
        WEBHOOKS: [topics.PUBLISHED],
        CONNECTORS_IN: [topics.INBOUND],
        CONNECTORS_OUT: [topics.PUBLISHED],
        RETRIER: [topics.retry(delay_ms) for delay_ms in retry_delays_ms],
    }
