"""Retention follows the oldest unfinished record, and what fell out all the same is kept in mind until it is made good.

Brokers remove records by their age, read or not. The retrier looks at every group's oldest unread record now and then;
where one has used half of its topic's retention, the topic is told to keep its records for twice as long as that one is
old. It is the retrier's to do since waiting is its work: it is idle most of the time, one is enough however much is to
be made, and it may write to nearly every topic anyway. Beyond that it needs leave to look at the groups, to read what
expires and to change topics' settings (infra/kafka/acls.yaml).

What was removed unread is noted in the database, at each look and by each role before it begins to read: a group that
has read past a gap leaves no trace of it on the topics. `recover` has made again what hung on it.
"""

import threading
from collections.abc import Iterable, Mapping, Sequence

import structlog
from prometheus_client import Gauge

from schemas import topics
from schemas.decoding import prepare
from schemas.records import LANES, Lane, Task
from streams.consumer import backlog, drift, groups
from streams.consumer.backlog import Gap, Unread
from streams.facts import Database, Facts, Loss, Losses
from streams.flow.relay import Sender
from streams.runtime.errors import Refused, Unavailable
from streams.runtime.settings import Settings
from streams.services.operating.replanning import Product, replan
from streams.services.reports.views import View

LOOK_EVERY_S = 60.0  # brokers remove what is old every five minutes, after days

log = structlog.get_logger()
unread_age = Gauge("packshot_unread_age_seconds", "Age of the oldest record that a group has not read", ["topic"])
unread_share = Gauge("packshot_unread_retention_share", "That age to its topic's retention; lost at 1", ["topic"])
lost_offsets = Gauge("packshot_lost_offsets", "Offsets removed unread, until somebody has dealt with them", ["topic"])


class ReplannedProduct(View, frozen=True, kw_only=True):
    """A product that is made again, and in which lane."""

    tenant: str
    sku: str
    lane: Lane


class RecoveryView(View, frozen=True, kw_only=True):
    """What was lost, the products that it may concern, and what cannot be made again from here."""

    lost: Sequence[Loss]
    products: Sequence[ReplannedProduct]
    left: Sequence[Loss]


def recovery_view(lost: Sequence[Loss], products: Mapping[Product, Lane], left: Sequence[Loss]) -> RecoveryView:
    """What was made of losses, as it is told."""
    again = [ReplannedProduct(tenant=each[0], sku=each[1], lane=products[each]) for each in sorted(products)]
    return RecoveryView(lost=lost, products=again, left=left)


def look_at_intervals(settings: Settings, database: Database, stop: threading.Event) -> None:
    """Looks every minute until `stop` is set, and does what is needed."""
    while not stop.wait(LOOK_EVERY_S):
        try:
            look(settings, database)
        except (Unavailable, Refused) as error:
            log.warning("retention is not looked after", reason=str(error))
        except Exception:  # the retrier goes on; the next look may do better
            log.exception("retention is not looked after")


def look(settings: Settings, database: Database) -> list[drift.Drift]:
    """Notes and measures what is unread and what is lost; returns the topics that keep their records longer now.

    Raises Unavailable, Refused where topics may not be changed.
    """
    unread = backlog.find(settings, backlog.expiring(settings))
    losses = Losses(database)
    losses.note(lost(unread))
    _measure(unread, losses.open(), settings)
    extended = backlog.too_short(unread)
    for each in extended:
        log.warning("half of the retention is used; records are kept for longer", **each.__dict__)
    return drift.mend(settings, extended) if extended else []


def note_gaps(settings: Settings, database: Database, read_by: Sequence[str]) -> None:
    """Notes what these groups have lost, before any of them reads on. Raises Unavailable."""
    every = groups.readers(settings.retry_delays)
    found = backlog.gaps(settings, {group: every[group] for group in read_by})
    for each in found:
        log.error("records were removed before they were read", **each.__dict__)
    Losses(database).note([_loss(each) for each in found])


def noted(settings: Settings, database: Database) -> list[Loss]:
    """Everything that was lost and that nobody has dealt with yet, of whatever topic. Raises Unavailable."""
    losses = Losses(database)
    losses.note([_loss(each) for each in backlog.gaps(settings, groups.readers(settings.retry_delays))])
    return losses.open()


def lost(unread: Iterable[Unread]) -> list[Loss]:
    """What was removed before it was read, of what a look has found."""
    gaps = (Gap(each.group, each.topic, each.partition, each.committed, each.low) for each in unread if each.lost)
    return [_loss(each) for each in gaps]


def concerned(losses: Sequence[Loss], database: Database) -> dict[Product, Lane]:
    """The products that something lost may have been about, by what the facts wait for, each with its lane.

    Those that wait for something else of the same topic are among them: a repeat costs no inference.
    """
    found: dict[Product, Lane] = {}
    with database.read() as facts:
        for loss in losses:
            for task in _tasks_lost(loss, facts):
                found[task.tenant, task.sku] = _more_urgent(task.lane, found.get((task.tenant, task.sku)))
            if loss.topic == topics.PUBLISH.name or _is_retry(loss):
                for product in facts.assets.unpublished(loss.seen_at_ms):
                    found.setdefault(product, "standard")
    return found


def _tasks_lost(loss: Loss, facts: Facts) -> list[Task]:
    """The tasks, or their completions, that may have been on the topic; a retry's may be of any pool and lane."""
    if loss.topic in _TASKS:
        return [task for task in facts.tasks.queued(loss.seen_at_ms) if topics.tasks(task).name == loss.topic]
    is_of_tasks = loss.topic == topics.COMPLETED.name or _is_retry(loss)
    return facts.tasks.queued(loss.seen_at_ms) if is_of_tasks else []


def recover(database: Database, sender: Sender) -> tuple[dict[Product, Lane], list[Loss]]:
    """Has made again what hung on what was lost; returns these products, and the losses that this does not make good.

    Those are of records that others wrote, and who wrote them has to send them again. May be repeated. Raises
    Unavailable, and NotAcknowledged.
    """
    losses = Losses(database)
    known = losses.open()
    ours = [loss for loss in known if is_recoverable(loss)]
    products = concerned(ours, database)
    for lane in LANES:
        its = [product for product, of in sorted(products.items()) if of == lane]
        if its:
            replan(its, lane, "records of it outlived their retention unread", sender)
    losses.settle(ours)
    return products, [loss for loss in known if not is_recoverable(loss)]


def is_recoverable(loss: Loss) -> bool:
    """Whether the facts know what hung on records of this topic."""
    return loss.topic in _TASKS or loss.topic in (topics.COMPLETED.name, topics.PUBLISH.name) or _is_retry(loss)


_TASKS = frozenset(topic.name for topic in topics.TASKS.values())


def _is_retry(loss: Loss) -> bool:
    return loss.topic.startswith(topics.RETRY_PREFIX)


def _more_urgent(lane: Lane, other: Lane | None) -> Lane:
    return lane if other is None else min(lane, other, key=LANES.index)


def _loss(gap: Gap) -> Loss:
    return Loss(gap.group, gap.topic, gap.partition, gap.first, gap.behind)


def _measure(unread: Sequence[Unread], losses: Sequence[Loss], settings: Settings) -> None:
    for name in {topic.name for read in backlog.expiring(settings).values() for topic in read}:
        its = [each for each in unread if each.topic == name]
        unread_age.labels(name).set(max((each.age_ms for each in its), default=0) / 1000)
        unread_share.labels(name).set(max((each.share for each in its), default=0.0))
        lost_offsets.labels(name).set(sum(each.behind - each.first for each in losses if each.topic == name))


prepare(ReplannedProduct, RecoveryView)
