"""The scaler as KEDA meets it, over gRPC on loopback; what it goes by, and what when that is away."""

import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import msgspec
import pytest
from msgspec.structs import replace

from schemas.operations.base import POOLS, Pool
from schemas.records import LANES, CampaignCancelled, CampaignRequested
from streams.consumer.pools import PoolState, Queue
from streams.facts import CampaignLeft, Database, Share
from streams.runtime.errors import Refused, Unavailable
from streams.runtime.settings import Settings
from streams.scaling import demand, serving, wire
from streams.scaling.board import Board, PoolNumber, read_metadata
from streams.scaling.demand import HOUR_S, WINDOWS_S, Known
from streams.scaling.scaler import FACTS_KEPT_S, Scaler
from tests.streams.flow import Flow, upsert
from tests.streams.processing import CAMPAIGN

KEPT_S = 120.0
NOW_S = 1_800_000_000.0
FIELD = re.compile(r"^  (.+) (\w+) = (\d+);", re.MULTILINE)


class Clock:
    def __init__(self) -> None:
        self.now_s = NOW_S

    def time(self) -> float:
        return self.now_s

    def monotonic(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def board(clock: Clock) -> Board:
    return Board(clock, KEPT_S)


@pytest.fixture
def channel(board: Board) -> Iterator[grpc.Channel]:
    server, port = serving.serve(board, "127.0.0.1", 0)
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield channel
    board.close()
    server.stop(None).wait()


def number(clock: Clock, wanted: int, pool: Pool = "cutout") -> PoolNumber:
    return PoolNumber(
        pool=pool,
        replicas=wanted,
        ready=0,
        replicas_max=24,
        basis="facts",
        backlog_s=dict.fromkeys(LANES, 0.0),
        campaigns_s=0.0,
        cold_start_s=300.0,
        at_ms=round(clock.time() * 1000),
    )


# The bytes are as KEDA's own messages have them on the wire, and were not made by our classes.


def text(field: int, said: bytes) -> bytes:
    return bytes([field << 3 | 2, len(said)]) + said


def ref(**metadata: str) -> bytes:
    entries = [text(3, text(1, name.encode()) + text(2, said.encode())) for name, said in metadata.items()]
    return text(1, b"worker") + text(2, b"imagery") + b"".join(entries)


def call(channel: grpc.Channel, method: str, body: bytes) -> bytes:
    answer: bytes = channel.unary_unary(f"/externalscaler.ExternalScaler/{method}")(body, timeout=10)
    return answer


ACTIVE, IDLE = b"\x08\x01", b""
SEVEN = b"\x19\x00\x00\x00\x00\x00\x00\x1c\x40"  # field 3, a double


def test_keda_hears_how_many_replicas_and_that_the_target_is_one_each(
    channel: grpc.Channel, board: Board, clock: Clock
) -> None:
    board.put(number(clock, 7))
    mine = ref(scalerAddress="shop-scaler:8090", pool="cutout")
    one = b"\x19\x00\x00\x00\x00\x00\x00\xf0\x3f"
    assert call(channel, "GetMetricSpec", mine) == text(1, text(1, b"replicas") + one)
    assert call(channel, "GetMetrics", text(1, mine) + text(2, b"replicas")) == text(1, text(1, b"replicas") + SEVEN)
    assert call(channel, "IsActive", mine) == ACTIVE
    board.put(number(clock, 0))
    assert call(channel, "IsActive", mine) == IDLE


def test_replicas_that_others_of_the_pool_give_are_not_asked_for(
    channel: grpc.Channel, board: Board, clock: Clock
) -> None:
    board.put(number(clock, 3))
    assert call(channel, "IsActive", ref(pool="cutout", besides="2")) == ACTIVE
    assert call(channel, "IsActive", ref(pool="cutout", besides="3")) == IDLE


def test_a_change_is_pushed(channel: grpc.Channel, board: Board, clock: Clock) -> None:
    board.put(number(clock, 0))
    stream = channel.unary_stream("/externalscaler.ExternalScaler/StreamIsActive")(ref(pool="cutout"), timeout=30)
    assert next(stream) == IDLE
    board.put(number(clock, 0))
    board.put(number(clock, 2))
    assert next(stream) == ACTIVE
    board.put(number(clock, 0))
    assert next(stream) == IDLE
    board.close()
    assert list(stream) == []


@pytest.mark.parametrize(
    ("metadata", "field"),
    [
        ({}, "pool"),
        ({"pool": "generate"}, "pool"),
        ({"pool": "cutout\x00"}, "pool"),
        ({"pool": "cutout", "besides": "-1"}, "besides"),
        ({"pool": "cutout", "besides": "1e3"}, "besides"),
        ({"pool": "cutout", "besides": "٣"}, "besides"),
        ({"pool": "cutout", "besides": "99999999"}, "besides"),
        ({"pool": "cutout", "poll": "5"}, "poll"),
    ],
)
def test_metadata_that_say_nothing_are_an_answer_that_names_the_field(
    channel: grpc.Channel, board: Board, clock: Clock, metadata: dict[str, str], field: str
) -> None:
    board.put(number(clock, 1))
    with pytest.raises(Refused) as refused:
        read_metadata(metadata)
    assert refused.value.field == field
    for method, body in (
        ("IsActive", ref(**metadata)),
        ("GetMetrics", text(1, ref(**metadata)) + text(2, b"replicas")),
    ):
        with pytest.raises(grpc.RpcError) as error:
            call(channel, method, body)
        assert error.value.code() == grpc.StatusCode.INVALID_ARGUMENT
        assert f"bad_metadata: {field}: " in error.value.details()
    assert call(channel, "IsActive", ref(pool="cutout")) == ACTIVE


def test_bytes_that_are_no_message_and_metrics_that_there_are_not_are_refused(
    channel: grpc.Channel, board: Board, clock: Clock
) -> None:
    board.put(number(clock, 1))
    with pytest.raises(grpc.RpcError) as broken:
        call(channel, "IsActive", b"\xff\xff\xff")
    assert broken.value.code() == grpc.StatusCode.INTERNAL
    with pytest.raises(grpc.RpcError) as large:
        call(channel, "IsActive", b"\x0a" * 100_000)
    assert large.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    with pytest.raises(grpc.RpcError) as other:
        call(channel, "GetMetrics", text(1, ref(pool="cutout")) + text(2, b"lag"))
    assert other.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert call(channel, "IsActive", ref(pool="cutout")) == ACTIVE


def test_who_only_asks_is_answered_however_many_streams_are_open(
    channel: grpc.Channel, board: Board, clock: Clock
) -> None:
    board.put(number(clock, 1))
    opened = channel.unary_stream("/externalscaler.ExternalScaler/StreamIsActive")
    streams = [opened(ref(pool="cutout"), timeout=60) for _ in range(serving.STREAMS_MAX)]
    assert [next(each) for each in streams] == [ACTIVE] * len(streams)
    with pytest.raises(grpc.RpcError) as refused:
        next(opened(ref(pool="cutout"), timeout=60))
    assert refused.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert call(channel, "IsActive", ref(pool="cutout")) == ACTIVE
    for each in streams:
        each.cancel()
    until_s = time.monotonic() + 30
    while time.monotonic() < until_s:  # each thread is given back within a second
        again = opened(ref(pool="cutout"), timeout=60)
        try:
            assert next(again) == ACTIVE
            break
        except grpc.RpcError:
            time.sleep(0.2)
    else:
        pytest.fail("no stream was given back")
    again.cancel()


def test_no_number_and_one_that_is_old_are_unavailable(channel: grpc.Channel, board: Board, clock: Clock) -> None:
    with pytest.raises(grpc.RpcError) as none:
        call(channel, "IsActive", ref(pool="cutout"))
    assert none.value.code() == grpc.StatusCode.UNAVAILABLE
    board.put(number(clock, 1))
    clock.sleep(KEPT_S + 1)
    with pytest.raises(grpc.RpcError) as old:
        call(channel, "IsActive", ref(pool="cutout"))
    assert old.value.code() == grpc.StatusCode.UNAVAILABLE


def test_an_address_in_use_is_a_wrong_setting(board: Board, channel: grpc.Channel) -> None:
    del channel
    server, port = serving.serve(board, "127.0.0.1", 0)
    with pytest.raises(Exception, match="PACKSHOT_SCALER_HOST"):
        serving.serve(board, "127.0.0.1", port)
    server.stop(None).wait()


def test_the_messages_are_those_of_the_proto_beside_them() -> None:
    said = (Path(serving.__file__).parent / "externalscaler.proto").read_text()
    messages = {
        name: tuple(
            (int(at), kind, field) for kind, field, at in re.findall(r"^  (.+) (\w+) = (\d+);", body, re.MULTILINE)
        )
        for name, body in re.findall(r"^message (\w+) \{\n(.*?)^\}", said, re.MULTILINE | re.DOTALL)
    }
    assert messages == wire.MESSAGES
    assert f"package {wire.PACKAGE};" in said


# what it goes by


def state(waiting: int = 0, came: int = 0, members: int = 0, partitions: int = 12) -> PoolState:
    queue = Queue(waiting, dict.fromkeys(WINDOWS_S, came), partitions)
    return PoolState({"urgent": queue, "standard": Queue(0, dict.fromkeys(WINDOWS_S, 0), 12), "bulk": queue}, members)


def test_without_facts_the_lag_counts_and_once_they_are_back_they_do(
    tmp_path: Path, board: Board, clock: Clock
) -> None:
    database = Database(f"sqlite:///{tmp_path}/facts.db")
    scaler = Scaler(Settings(), database, board, clock).looking(lambda _: state(waiting=5000, members=1))
    scaler.look()  # there are no tables yet
    alone = board.of("cutout")
    assert alone.basis == "lag"
    assert alone.replicas > 1
    database.create_tables()
    scaler.look()
    assert board.of("cutout").basis == "facts"
    database.drop_tables()
    clock.sleep(FACTS_KEPT_S - 1)
    scaler.look()
    assert board.of("cutout").basis == "facts"
    clock.sleep(2)
    scaler.look()
    assert board.of("cutout").basis == "lag"
    assert board.of("cutout").replicas == alone.replicas
    database.close()


def test_while_the_brokers_are_away_it_goes_on_and_says_that_it_knows_nothing(
    tmp_path: Path, board: Board, clock: Clock
) -> None:
    looked, stop = threading.Event(), threading.Event()

    def away(_: Pool) -> PoolState:
        looked.set()
        raise Unavailable("the brokers are away")

    settings = Settings(scaler_interval_s=0.01)
    scaler = Scaler(settings, Database(f"sqlite:///{tmp_path}/facts.db"), board, clock).looking(away)
    thread = threading.Thread(target=scaler.run, args=(stop,))
    thread.start()
    assert looked.wait(30)
    stop.set()
    thread.join(30)
    assert not thread.is_alive()
    with pytest.raises(Unavailable):
        board.of("cutout")


def test_a_pool_that_it_breaks_on_has_no_number_and_the_others_have(tmp_path: Path, board: Board, clock: Clock) -> None:
    def seen(pool: Pool) -> PoolState:
        return PoolState({}, 0) if pool == "cutout" else state(waiting=5000, members=1)

    Scaler(Settings(), Database(f"sqlite:///{tmp_path}/facts.db"), board, clock).looking(seen).look()
    with pytest.raises(Unavailable):
        board.of("cutout")
    assert board.of("compose").replicas > 1


def test_no_more_than_partitions_and_budget_allow() -> None:
    of = state(partitions=12)
    assert demand.terms(Settings(), of, 300.0).replicas_max == 12
    assert demand.terms(Settings(scaler_budget_hour=7.9, price_engine_hour=2.0), of, 300.0).replicas_max == 3
    assert demand.terms(Settings(scaler_budget_hour=0.0), of, 300.0).replicas_max == 0
    assert demand.terms(Settings(scaler_budget_hour=1.0, price_engine_hour=0.0), of, 300.0).replicas_max == 12


def test_the_same_numbers_are_json(board: Board, clock: Clock) -> None:
    for pool in POOLS:
        board.put(number(clock, 4, pool))
    assert [each["replicas"] for each in msgspec.json.decode(board.view())] == [4, 4]
    assert board.has_all


def worked(database: Database, engine_ms: float, cpu_ms: float) -> Known:
    """What is known once two tasks of two pictures each have taken so long, of the engine and of cores."""
    rows = [
        Share(
            f"{task}" * 64, "r", f"asset-{n}", "acme", "A", task, "web", operation, "", engine_ms, cpu_ms, 0, 0, 0.0, 0
        )
        for task, operation in ((1, "cutout"), (2, "packshot"))
        for n in range(2)
    ]
    with database.begin() as facts:
        facts.costs.put(rows)
    settings = Settings(scaler_task_s=9.0, scaler_worker_cores=2.0)
    with database.read() as facts:
        return demand.known(settings, facts, round(time.time() * 1000))


def test_what_a_task_takes_is_what_its_engine_or_its_cores_took(flow: Flow) -> None:
    found = worked(flow.database, engine_ms=500.0, cpu_ms=4000.0)
    assert found.task_s == {"cutout": 4.0, "compose": 4.0}  # of two pictures, on two cores
    assert found.picture_s == {"cutout": 2.0, "compose": 2.0}


def test_what_ended_long_ago_is_gone_by_no_more(flow: Flow) -> None:
    worked(flow.database, 500.0, 0.0)
    with flow.database.read() as facts:
        later_ms = round((time.time() + 2 * HOUR_S) * 1000)
        assert demand.known(Settings(scaler_task_s=9.0), facts, later_ms).task_s == {"cutout": 9.0, "compose": 9.0}


def test_a_campaign_counts_with_its_lane_its_deadline_and_what_is_to_come() -> None:
    request = CampaignRequested(
        tenant="acme",
        campaign="spring",
        skus=["A"],
        channels=["amazon", "web"],
        priority="bulk",
        deadline_ms=round(NOW_S * 1000) + 60_000,
    )
    left = CampaignLeft(request, planned=10, not_begun=3, unknown=2)
    known = Known({"cutout": 1.0, "compose": 1.0}, {"cutout": 2.0, "compose": 3.0}, [left])
    [job] = demand.observed("cutout", state(), known, round(NOW_S * 1000)).campaigns
    assert (job.lane, job.work_s, job.within_s, job.to_come_s) == ("bulk", 10 * 2.0 + 3 * 4.0, 60.0, 2 * 4.0)


def test_what_comes_and_rises_is_counted_in_engine_seconds() -> None:
    queue = Queue(4, {600.0: 300, 1800.0: 900, 3600.0: 1200}, 12)
    of = PoolState(dict.fromkeys(LANES, queue), members=2)
    known = Known({"cutout": 2.0, "compose": 1.0}, {"cutout": 2.0, "compose": 1.0})
    load = demand.observed("cutout", of, known, 0).lanes["urgent"]
    assert (load.waiting_s, load.coming, load.task_s, load.tasks_an_hour) == (8.0, 1.0, 2.0, 1200)
    assert load.rising == pytest.approx((900 - 300) * 2.0 / 1800 / 1800)


def test_what_is_planned_for_a_campaign_does_not_go_on_coming() -> None:
    request = replace(CAMPAIGN, priority="bulk")
    queue = Queue(4, dict.fromkeys(WINDOWS_S, 100), 12)
    of = PoolState(dict.fromkeys(LANES, queue), members=2)
    left = CampaignLeft(request, 90, 0, 0, dict.fromkeys(WINDOWS_S, 90))
    lanes = demand.observed("cutout", of, Known({"cutout": 6.0}, {"cutout": 6.0}, [left, left]), 0).lanes
    assert (lanes["urgent"].coming, lanes["bulk"].coming) == (1.0, 0.0)


def test_the_facts_know_what_campaigns_are_still_to_have(flow: Flow) -> None:
    due_ms = CAMPAIGN.deadline_ms or 0
    flow.say(upsert())
    flow.say(replace(CAMPAIGN, skus=["A", "UNKNOWN"]))
    with flow.database.read() as facts:
        now_ms = round(time.time() * 1000)
        [left] = facts.workloads.campaigns(due_ms - 1, ((due_ms - 1 - now_ms) / 1000 + HOUR_S, 1.0))
        assert facts.workloads.campaigns(due_ms) == []
        planned = [each for each in facts.assets.of("demo", "A") if each.campaign == CAMPAIGN.campaign]
    assert (left.request.campaign, left.not_begun, left.unknown) == (CAMPAIGN.campaign, 0, 1)
    assert left.planned == len(planned) > 0
    assert list(left.fresh.values()) == [len(planned), 0]
    flow.say(CampaignCancelled(tenant="demo", campaign=CAMPAIGN.campaign))
    with flow.database.read() as facts:
        assert facts.workloads.campaigns(due_ms - 1) == []
