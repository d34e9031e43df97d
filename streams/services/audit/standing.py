"""Partitions that stand: there is a record to work on, a role began with it, and it has got no further since."""

import time
from collections.abc import Iterator, Mapping
from functools import partial

from streams.consumer import groups
from streams.consumer.reading import Place, committed, has_record
from streams.facts import Database, Trial, Trials
from streams.runtime.settings import Settings
from streams.services.audit.findings import Finding

STANDS_AFTER_MS = 120_000  # longer than any one piece of work, and than a role takes to start again a few times


def progress(settings: Settings) -> dict[Place, int]:
    """How far the flow is with every partition; who only tells others of it is no part. Raises Unavailable."""
    return {
        place: offset
        for group, read_by in groups.readers(settings.retry_delays).items()
        if group not in groups.APART
        for place, offset in committed(settings, group, [topic.name for topic in read_by]).items()
    }


def standing(settings: Settings, database: Database, offsets: Mapping[Place, int]) -> Iterator[Finding]:
    """The partitions that have stood for two minutes, by which role, since when and why. Raises Unavailable."""
    is_there = partial(has_record, settings)
    before_ms = time.time_ns() // 1_000_000 - STANDS_AFTER_MS
    for trial in Trials(database).every():
        place = (trial.topic, trial.partition)
        is_old = trial.kind == "start" and trial.since_ms < before_ms
        stays = place in offsets and offsets[place] <= trial.offset  # else it is gone, or has got further
        if is_old and stays and is_there(place, trial.offset):
            yield Finding("standing", f"{trial.topic}/{trial.partition}/{trial.offset}", _said(trial))


def _said(trial: Trial) -> str:
    since = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(trial.since_ms / 1000))
    why = trial.why or ("it ended without a word" if trial.count > 1 else "it has said nothing")
    return f"{trial.role} stands there since {since}, started {trial.count} times: {why}"
