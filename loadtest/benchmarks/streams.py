"""What an event costs in the flow: catalogue events through Faust, arroyo and Quix Streams, and what that depends on.

All on one Apache Kafka, with the same events and jobs in the same run; what a group wrote is compared by count and
digest. CPU is that of the processes from when the events are written until the last record is there, start-up left out.

`bare` compares the libraries: an event is validated and two records are written. `plan` is production's job, without
facts, one process and two: what it costs without a broker (`job`) is the same for all and hides much of the difference.
`facts` is production as it is, on SQLite.

What was tried for Faust, in us of CPU an event, on a busy machine: confluent-kafka in place of its own producer, 253
to 97 (a lighter job, before this benchmark); what was read of a partition at once as one message of Faust's, which
makes four tasks and three objects of each, 160 to 71; no monitor, nothing the noise let through, left. For the job:
statements made once and a plan in one statement, 10,600 to 1,800; spans that go nowhere not recorded, 42 to 19. arroyo
and Quix Streams lead in events a second of one process: a batch here waits for its acknowledgements before the next.
"""

import hashlib
import json
import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import psutil
import structlog
from confluent_kafka import Consumer, KafkaException, Message, Producer, TopicPartition
from msgspec.structs import replace

from loadtest.benchmarks.contenders import OUTPUT, Answers, group
from schemas import codec, topics
from schemas.records import CatalogChanged, Source, Task
from streams.consumer import groups
from streams.consumer.clients import make_topics, open_consumer, producer_config
from streams.consumer.letters import Delivery, Outgoing, outgoing
from streams.embedded import choose_broker
from streams.runtime import observability
from streams.runtime.settings import Settings

ROOT = Path(__file__).parents[2]
PYTHONS = {"streams": ROOT / ".venv", "arroyo": ROOT / ".venv-arroyo", "quix": ROOT / ".venv-quix"}
CONTENDERS = ("streams", "arroyo", "quix")
EVENTS = 8_000
WARM_EVENTS = 400
FACTS_EVENTS = 2_000
HOUR_EVENTS = 40_000  # a catalogue of 40,000 products, sent within an hour
PHOTOGRAPHS = 2  # of each product: as many tasks follow from an event
CHANNELS = ["amazon", "google", "zalando"]
FIRST_MS = 1_790_000_000_000
STEADY_PER_S = 200
STEADY_S = 30.0
LEAVES_AFTER_S = 8.0
SETTLING_S = 10.0
TIMEOUT_S = 180.0
QUIET = {"log_level": 0}  # the broker is stopped before these clients are gone
TARGETS = {
    "streams_to_arroyo_per_cpu_s": ("ge", 2),
    "memory_growth": ("le", 1.1),
    "rebalance_pause_s": ("le", 3),
}


class Flow:
    """The broker, with events going in and tasks coming out."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self._settings = settings
        self._folder = folder
        self._producer = Producer(producer_config(settings) | QUIET)
        self._watcher = open_consumer(settings, groups.READER, **QUIET)
        self._said = 0

    def records(self, count: int) -> list[Outgoing]:
        """Events of products that nobody has heard of, as a PIM writes them."""
        numbers = range(self._said, self._said + count)
        self._said += count
        return [outgoing(_event(number), "bench") for number in numbers]

    def say(self, records: Sequence[Outgoing]) -> None:
        """Writes catalogue events, and waits until the broker has them."""
        for record in records:
            while True:
                try:
                    self._producer.produce(record.topic, record.value, record.key, headers=list(record.headers))
                    break
                except BufferError:
                    self._producer.poll(0.1)
        self._producer.flush()

    def ends(self, topic: str) -> dict[int, int]:
        """The next offset of each partition."""
        deadline_s = time.monotonic() + TIMEOUT_S
        while True:
            try:
                places = [TopicPartition(topic, number) for number in range(self._settings.kafka_partitions)]
                return {place.partition: self._watcher.get_watermark_offsets(place, timeout=10)[1] for place in places}
            except KafkaException:  # a topic that was just made
                if time.monotonic() > deadline_s:
                    raise
                time.sleep(0.2)
                self._watcher.list_topics(topic, timeout=10)

    def wait_for(self, tasks: int) -> None:
        """Waits until so many tasks were ever written."""
        _until(lambda: sum(self.ends(OUTPUT).values()) >= tasks, f"{tasks} tasks")

    @property
    def tasks(self) -> int:
        """How many tasks were ever written."""
        return sum(self.ends(OUTPUT).values())

    def written(self, since: dict[int, int]) -> Iterator[Message]:
        """The tasks written since the given offsets."""
        consumer = open_consumer(self._settings, groups.READER)
        ends = self.ends(OUTPUT)
        consumer.assign([TopicPartition(OUTPUT, number, offset) for number, offset in since.items()])
        left = sum(ends.values()) - sum(since.values())
        while left:
            messages = consumer.consume(min(left, 1000), 1.0)
            left -= len(messages)
            yield from messages
        consumer.close()

    @contextmanager
    def members(self, name: str, job: str, count: int) -> Iterator[list[subprocess.Popen[bytes]]]:
        """Members of a contender's group, warm: every one has partitions and has worked."""
        group_id = groups.STREAMS if name == "streams" else group(name)
        self._skip(group_id)
        members = [self.start(name, job) for _ in range(count)]
        try:
            expected = self.tasks + WARM_EVENTS * PHOTOGRAPHS
            self.say(self.records(WARM_EVENTS))
            self.wait_for(expected)
            time.sleep(SETTLING_S if count > 1 else 1)
            yield members
        finally:
            _end(members)

    def start(self, name: str, job: str) -> subprocess.Popen[bytes]:
        """Starts one member."""
        data = self._folder / name
        data.mkdir(exist_ok=True)
        environment = os.environ | {
            "PACKSHOT_KAFKA_BOOTSTRAP_SERVERS": self._settings.bootstrap_servers,
            "PACKSHOT_DATA_FOLDER": str(data),
            "PACKSHOT_LOG_LEVEL": "error",
        }
        python = str(PYTHONS[name] / "bin" / "python")
        command = [python, "-W", "ignore", "-m", "loadtest.benchmarks.contenders", name, job]
        return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)

    def _skip(self, group_id: str) -> None:
        """What was said before is not for this group."""
        consumer: Consumer = open_consumer(self._settings, group_id)
        ends = self.ends(topics.CATALOG.name)
        consumer.commit(offsets=[TopicPartition(topics.CATALOG.name, *end) for end in ends.items()], asynchronous=False)
        consumer.close()


def main() -> None:
    """Prints the scenes, and the figures as JSON in its last line."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    observability.set_up(Settings(log_level="error"), "bench")
    with tempfile.TemporaryDirectory() as folder:
        broker = choose_broker(Path(folder), ROOT / ".cache", "kafka")
        broker.start()
        try:
            settings = Settings(kafka_bootstrap_servers=broker.bootstrap_servers)
            make_topics(settings)
            flow = Flow(settings, Path(folder))
            figures = _bare(flow) | _plan(flow) | _facts(flow) | _memory(flow) | _rebalance(flow)
        finally:
            broker.stop()
    print(json.dumps({"figures": figures, "targets": TARGETS}))


def _bare(flow: Flow) -> dict[str, float]:
    """The better of two rounds: others use this machine too."""
    rounds = [_compared(flow, "bare", 1) for _ in range(2)]
    figures = {name: (max if "_per_s_" in name else min)(each[name] for each in rounds) for name in rounds[0]}
    streams, arroyo, quix = (figures[f"bare_{name}_cpu_us_1"] for name in CONTENDERS)
    return figures | {
        "streams_to_arroyo_per_cpu_s": round(arroyo / streams, 2),
        "streams_to_quix_per_cpu_s": round(quix / streams, 2),
    }


def _plan(flow: Flow) -> dict[str, float]:
    return {"plan_job_cpu_us": _job_us(flow)} | _compared(flow, "plan", 1) | _compared(flow, "plan", 2)


def _facts(flow: Flow) -> dict[str, float]:
    return _throughput(flow, "streams", "facts", 1, flow.records(FACTS_EVENTS), set())


def _compared(flow: Flow, job: str, processes: int) -> dict[str, float]:
    records = flow.records(EVENTS)
    digests: set[str] = set()
    figures: dict[str, float] = {}
    for name in CONTENDERS:
        figures |= _throughput(flow, name, job, processes, records, digests)
    assert len(digests) == 1, "the contenders wrote different records"
    return figures


def _throughput(
    flow: Flow, name: str, job: str, processes: int, records: Sequence[Outgoing], digests: set[str]
) -> dict[str, float]:
    with flow.members(name, job, processes) as members:
        since = flow.ends(OUTPUT)
        began_s, before_s = time.monotonic(), _cpu_s(members)
        flow.say(records)
        flow.wait_for(sum(since.values()) + len(records) * PHOTOGRAPHS)
        took_s, cpu_s = time.monotonic() - began_s, _cpu_s(members) - before_s
    written = sorted((message.key(), _timeless(message.value())) for message in flow.written(since))
    assert len(written) == len(records) * PHOTOGRAPHS, f"{name} wrote {len(written)} records"
    digests.add(hashlib.sha256(repr(written).encode()).hexdigest())
    per_s, cpu_us = round(len(records) / took_s), round(cpu_s / len(records) * 1e6)
    print(f"{job}: {name}, processes: {processes}: {per_s} events/s, {cpu_us} µs of CPU an event", flush=True)
    return {f"{job}_{name}_per_s_{processes}": per_s, f"{job}_{name}_cpu_us_{processes}": cpu_us}


def _timeless(value: bytes) -> bytes:
    """A record without the time at which the broker took its event: each contender reads events of its own."""
    record = codec.decode(value)
    return codec.encode(replace(record, asked_at_ms=0)) if isinstance(record, Task) else value


def _job_us(flow: Flow) -> float:
    """The CPU that production's job takes of an event, without a broker."""
    answers = Answers("plan")
    deliveries = [
        Delivery(each.topic, 0, number, each.key, each.value, each.headers, FIRST_MS)
        for number, each in enumerate(flow.records(EVENTS))
    ]
    before_s = time.process_time()
    for delivery in deliveries:
        answers.to(delivery)
    return round((time.process_time() - before_s) / len(deliveries) * 1e6)


def _memory(flow: Flow) -> dict[str, float]:
    """The memory of a streams process after a quarter of an hour's worth of events, and after all of them."""
    resident_mb = []
    with flow.members("streams", "plan", 1) as members:
        for _ in range(4):
            expected = flow.tasks + HOUR_EVENTS // 4 * PHOTOGRAPHS
            flow.say(flow.records(HOUR_EVENTS // 4))
            flow.wait_for(expected)
            resident_mb.append(psutil.Process(members[0].pid).memory_info().rss / 2**20)
    growth = resident_mb[-1] / resident_mb[0]
    print(
        f"memory: {resident_mb[0]:.0f} MB after a quarter of {HOUR_EVENTS} events, {resident_mb[-1]:.0f} MB after all"
    )
    return {"memory_mb": round(resident_mb[-1]), "memory_growth": round(growth, 3)}


def _rebalance(flow: Flow) -> dict[str, float]:
    """The longest time that no task came of a partition, while one of two members leaves and comes back."""
    with flow.members("streams", "plan", 2) as members:
        since = flow.ends(OUTPUT)
        steady = threading.Thread(target=_steady, args=[flow])
        steady.start()
        time.sleep(LEAVES_AFTER_S)
        _end(members[1:])
        members[1] = flow.start("streams", "plan")
        steady.join()
        flow.wait_for(sum(since.values()) + round(STEADY_PER_S * STEADY_S) * PHOTOGRAPHS)
    times_ms: dict[int, list[int]] = {}
    for message in flow.written(since):
        times_ms.setdefault(int(message.partition() or 0), []).append(message.timestamp()[1])
    pause_s = max(later - earlier for times in times_ms.values() for earlier, later in pairwise(sorted(times))) / 1000
    print(f"rebalance: the longest pause of a partition {pause_s:.2f} s")
    return {"rebalance_pause_s": round(pause_s, 2)}


def _steady(flow: Flow) -> None:
    began_s = time.monotonic()
    for number, record in enumerate(flow.records(round(STEADY_PER_S * STEADY_S))):
        time.sleep(max(0.0, began_s + number / STEADY_PER_S - time.monotonic()))
        flow.say([record])


def _event(number: int) -> CatalogChanged:
    return CatalogChanged(
        tenant=f"tenant-{number % 7}",
        sku=f"SKU-{number}",
        version=1,
        title="Stoneware mug with a handle",
        category="Mugs",
        sources=[Source(uri=f"https://images.example/{number}/{n}.jpg") for n in range(PHOTOGRAPHS)],
        channels=CHANNELS,
        attributes={"material": "stoneware"},
    )


def _cpu_s(members: Sequence[subprocess.Popen[bytes]]) -> float:
    return sum(sum(psutil.Process(member.pid).cpu_times()[:2]) for member in members)


def _end(members: Sequence[subprocess.Popen[bytes]]) -> None:
    for member in members:
        member.terminate()
    for member in members:
        try:
            member.wait(10)
        except subprocess.TimeoutExpired:
            member.kill()
            member.wait()


def _until(holds: Callable[[], bool], what: str) -> None:
    deadline_s = time.monotonic() + TIMEOUT_S
    while not holds():
        assert time.monotonic() < deadline_s, f"waited in vain for {what}"
        time.sleep(0.05)


if __name__ == "__main__":
    main()
