"""`make chaos`: a seeded stream of events through the whole system while its parts are killed, paused and starved.

Apache Kafka, PostgreSQL and an S3 server; two streams processes, two workers a pool, two publishers, two that send
webhooks. Only the network is a stand-in. At the end everything is audited, every live picture is fetched from the CDN
and looked at, a listing service has heard of all that was published, and every dead letter is one that was expected.
"""

import argparse
import json
import signal
import sys
import tempfile
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from statistics import quantiles

import structlog
from confluent_kafka import KafkaError, Producer

from infra.servers import raw_kafka
from loadtest.chaos.cluster import Cluster
from loadtest.chaos.faults import Fault, FaultInjector
from loadtest.chaos.hosts import HostileHost
from loadtest.chaos.listener import Listener
from loadtest.chaos.poison import Poison
from loadtest.chaos.stalls import Stalls
from loadtest.chaos.verdict import LOST_KINDS, Verdict, is_settled, judge
from loadtest.chaos.workload import Workload, draw_pictures
from streams.consumer.clients import producer_config
from streams.consumer.letters import Outgoing
from streams.runtime.errors import Unavailable
from streams.runtime.settings import Settings
from streams.services.audit.audit import audit

EVENTS = 3000
EVENTS_PER_S = 25.0
WARM_WITHIN_S = 300.0
SETTLED_WITHIN_S = 900.0
FAULTS_SHOWN = 40
TARGETS = {
    "events": ("ge", 3000),
    "lost": ("le", 0),
    "stale_published": ("le", 0),
    "double_published": ("le", 0),
    "dead_lettered_unexpected": ("le", 0),
    "poison_unanswered": ("le", 0),
    "webhooks_untold": ("le", 0),
    "webhooks_unsigned": ("le", 0),
    "not_recovered": ("le", 0),
}


class Feeder:
    """Writes the events at a steady pace, but never runs ahead of the faults.

    `codes` tells what the broker said to each poison by its name, 0 when it took it.
    """

    def __init__(self, settings: Settings, records: Iterable[Outgoing | Poison]) -> None:
        self.sent = 0
        self.refused: list[KafkaError] = []
        self.codes: dict[str, int] = {}
        self._settings = settings
        self._producer = Producer(producer_config(settings) | {"log_level": 0})
        self._records = records
        self._allowed = threading.Condition()
        self._may_send = 0
        self._thread = threading.Thread(target=self._run, name="feeder", daemon=True)
        self._thread.start()

    def allow(self, count: int) -> None:
        """That many records in all may be written from now on."""
        with self._allowed:
            self._may_send = count
            self._allowed.notify()

    def wait_for(self, count: int) -> None:
        """Until that many records in all are written."""
        while self.sent < count and self._thread.is_alive():
            time.sleep(0.1)

    def finish(self) -> None:
        """Waits until everything is written and acknowledged."""
        self._thread.join()
        self._producer.flush()

    def _run(self) -> None:
        for record in self._records:
            with self._allowed:
                self._allowed.wait_for(lambda: self.sent < self._may_send)
            self._write(record)
            self.sent += 1
            time.sleep(1 / EVENTS_PER_S)

    def _write(self, record: Outgoing | Poison) -> None:
        self._producer.poll(0)
        if isinstance(record, Outgoing):
            self._producer.produce(
                record.topic, record.value, record.key, headers=list(record.headers), on_delivery=self._delivered
            )
            return
        partition = zlib.crc32(record.name.encode()) % self._settings.kafka_partitions
        written = partial(raw_kafka.write, self._settings.bootstrap_servers, record.topic, [record.record])
        self.codes[record.name] = written(partition=partition, crc=record.crc, packed=record.packed)

    def _delivered(self, error: KafkaError | None, _message: object) -> None:
        if error is not None:
            self.refused.append(error)


@dataclass(frozen=True)
class Plan:
    """A run: so many events, one broker or three, and of the faults those that `only` is in the name of.

    Of these the first `injections`, or so many of them again and again where there are less.
    """

    events: int = EVENTS
    brokers: int = 1
    injections: int | None = None
    only: str = ""

    def of(self, injections: Sequence[Fault]) -> list[Fault]:
        """The faults to be injected."""
        chosen = [injection for injection in injections if self.only in injection.name]
        return list(islice(cycle(chosen), len(chosen) if self.injections is None else self.injections))


def main(seeds: Sequence[int], plan: Plan, keep: Path | None) -> int:
    """Runs the seeds one after another; the last line holds the figures of all as JSON."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    runs = [_run_in(seed, plan, keep) for seed in seeds]
    figures = runs[0] if len(runs) == 1 else _summed(runs)
    print(json.dumps({"figures": figures, "targets": TARGETS}))
    return int(any(figures[name] > limit for name, (how, limit) in TARGETS.items() if how == "le"))  # faults


def _run_in(seed: int, plan: Plan, keep: Path | None) -> dict[str, float]:
    if keep is not None:
        folder = keep / f"seed-{seed}"
        folder.mkdir(parents=True)
        folder.chmod(0o755)
        return run(seed, plan, folder)
    with tempfile.TemporaryDirectory() as temporary:
        Path(temporary).chmod(0o755)  # PostgreSQL runs as another user
        return run(seed, plan, Path(temporary))


def run(seed: int, plan: Plan, folder: Path) -> dict[str, float]:
    """One run, in an empty folder; returns its figures."""
    began_s = time.monotonic()

    def say(text: str) -> None:
        print(f"[seed {seed}, {time.monotonic() - began_s:5.0f} s] {text}", flush=True)

    draw_pictures(folder)
    with HostileHost() as host, Listener() as listener:
        workload = Workload(seed, plan.events, folder, host.url)
        cluster = Cluster(folder, plan.brokers)
        try:
            stalls = Stalls(cluster.settings)
            listener.subscribe(cluster.settings)
            cluster.start_members()
            if not cluster.disk.is_small:
                say("no small disk can be mounted here (that takes root): it is not filled")
            injector = FaultInjector(seed, cluster, stalls, say)
            feeder = Feeder(cluster.settings, workload.records())
            _warm_up(feeder, stalls, plan.events // 20)
            say("everything runs")
            _inject(injector, plan.of(injector.list), feeder, plan.events)
            say(f"{feeder.sent} events are written, {len(feeder.refused)} of them not acknowledged")
            _settle(cluster, say)
            verdict = judge(cluster.settings, workload.expected, feeder.codes, listener)
        finally:
            cluster.close()
    stalls.stop()
    for fault in verdict.faults[:FAULTS_SHOWN]:
        say(fault)
    say(f"audit: {verdict.report.figures}")
    of_webhooks = {
        "webhooks_heard": len(listener.heard),
        "webhooks_again": listener.again,
        "webhooks_untold": len(verdict.untold),
        "webhooks_unsigned": listener.unsigned,
    }
    took_s = time.monotonic() - began_s
    return _figures(feeder, injector, verdict, cluster, workload.expected.poison, took_s) | of_webhooks


def _inject(injector: FaultInjector, todo: Sequence[Fault], feeder: Feeder, events: int) -> None:
    """Does one thing after another, while as large a share of the events as of the faults is under way."""
    first = feeder.sent
    for number, faults in enumerate(todo, start=1):
        share = (events - first) // len(todo)
        feeder.allow(first + share * number + 1)
        feeder.wait_for(first + share * (number - 1) + share // 4)  # it is to hit a system at work
        injector.strike(faults)
    feeder.allow(events * 2)
    feeder.finish()


def _warm_up(feeder: Feeder, stalls: Stalls, count: int) -> None:
    """Until the first events have passed everybody. Raises TimeoutError when that does not come to pass."""
    feeder.allow(count)
    deadline_s = time.monotonic() + WARM_WITHIN_S
    sent_s = time.monotonic()
    while feeder.sent < count or not stalls.looked_since(sent_s) or stalls.behind():
        if time.monotonic() > deadline_s:
            raise TimeoutError(f"{stalls.behind()} partitions are not read after {WARM_WITHIN_S:.0f} s of peace")
        sent_s = time.monotonic() if feeder.sent < count else sent_s
        time.sleep(0.1)


def _settle(cluster: Cluster, say: Callable[[str], None]) -> None:
    """Until nothing moves; what moves after that long is a fault that the audit names."""
    deadline_s = time.monotonic() + SETTLED_WITHIN_S
    while time.monotonic() < deadline_s:
        try:
            report = audit(cluster.settings)
            if is_settled(cluster.settings, report):
                say("everything has come to its end")
                return
        except Unavailable as away:
            say(f"the audit has to wait: {away}")
        time.sleep(5)
    say("it has not come to rest")


def _figures(
    feeder: Feeder, injector: FaultInjector, verdict: Verdict, cluster: Cluster, poison: Sequence[Poison], took_s: float
) -> dict[str, float]:
    injections = injector.injections
    stalled = [injection.stalled_s for injection in injections if injection.kind != "members"]
    return {
        "events": feeder.sent,
        "kills": sum(injection.kind in ("kill", "server") for injection in injections),
        "pauses": sum(injection.kind == "pause" for injection in injections),
        "stops_before_a_write": injector.stops,
        "disks_filled": sum(injection.kind == "full" for injection in injections),
        "members_changed": sum(injection.kind == "members" for injection in injections),
        "ended_themselves": cluster.ended_themselves,
        "lost": verdict.count(*LOST_KINDS) + len(verdict.lost) + len(feeder.refused),
        "stale_published": verdict.count("stale_published") + len(verdict.stale),
        "double_published": verdict.count("double_published"),
        "poison_sent": len(poison),
        "poison_answered": len(poison) - len(verdict.unanswered),
        "poison_unanswered": len(verdict.unanswered),
        "poison_share": round(len(poison) / max(1, feeder.sent), 3),
        "poison_kinds": len({each.kind for each in poison}),
        "dead_lettered": verdict.dead,
        "dead_lettered_unexpected": len(verdict.unexpected_dead),
        "live": verdict.published,
        "tasks": verdict.report.counts["tasks"],
        "tasks_repeated": verdict.report.counts["duplicates"],
        "not_recovered": sum(not injection.recovered for injection in injections),
        "recovery_s_p95": round(_p95(stalled), 1),
        "recovery_own_s_p95": round(
            _p95([injection.own_s for injection in injections if injection.kind != "members"]), 1
        ),
        "server_away_s_max": round(max((injection.away_s for injection in injections), default=0.0), 1),
        "rebalance_s_max": round(
            max((injection.stalled_s for injection in injections if injection.kind == "members"), default=0.0), 1
        ),
        "took_s": round(took_s),
    }


def _p95(values: Sequence[float]) -> float:
    return quantiles(values, n=20, method="inclusive")[18] if len(values) > 1 else max(values, default=0.0)


def _summed(runs: Sequence[dict[str, float]]) -> dict[str, float]:
    worst = {
        "recovery_s_p95", "recovery_own_s_p95", "server_away_s_max", "rebalance_s_max", "poison_kinds", "poison_share",
    }  # fmt: skip
    sums = {name: max(r[name] for r in runs) if name in worst else sum(r[name] for r in runs) for name in runs[0]}
    return {"runs": len(runs), **sums}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--events", type=int, default=EVENTS)
    parser.add_argument("--brokers", type=int, choices=(1, 3), default=1)
    parser.add_argument("--blows", type=int, help="do so much to the system")
    parser.add_argument("--only", default="", help="do only what has this in its name, such as: kill the broker")
    parser.add_argument("--keep", type=Path, help="a folder for the logs and data of each run")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # servers are stopped on the way out
    sys.exit(main(given.seeds, Plan(given.events, given.brokers, given.blows, given.only), given.keep))
