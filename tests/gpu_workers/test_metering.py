"""What a task used up, and its price."""

import time

import pytest

from gpu_workers.metering import Meter, Prices
from schemas.costs import total
from schemas.records import Cost
from streams.runtime.settings import Settings

PRICES = Prices(engine_hour=3.6, cpu_hour=0.36, fetched_gb=2.0, stored_gb=5.0)  # 1000 and 100 nanos a ms


def test_everything_has_its_price() -> None:
    cost = PRICES.cost(engine_ms=2.0, cpu_ms=3.0, bytes_in=7, bytes_out=11)
    assert cost == Cost(engine_ms=2.0, cpu_ms=3.0, bytes_in=7, bytes_out=11, price_nanos=2000 + 300 + 14 + 55)


def test_the_prices_are_those_of_the_settings() -> None:
    settings = Settings(price_engine_hour=1, price_cpu_hour=2, price_fetched_gb=3, price_stored_gb=4)
    assert Prices.of(settings) == Prices(engine_hour=1, cpu_hour=2, fetched_gb=3, stored_gb=4)


def test_to_wait_takes_time_and_costs_no_processor() -> None:
    meter = Meter(PRICES)
    time.sleep(0.2)
    meter.lap("wait")
    assert meter.timings_ms["wait"] >= 200
    assert meter.costs["wait"].cpu_ms < 100


def test_to_work_costs_the_processors_time() -> None:
    meter = Meter(PRICES)
    until_s = time.thread_time() + 0.05
    while time.thread_time() < until_s:
        pass
    meter.lap("work")
    cost = meter.costs["work"]
    assert cost.cpu_ms >= 50
    assert cost.price_nanos == pytest.approx(cost.cpu_ms * 100, abs=1)


def test_what_the_engine_took_for_others_was_waited_for() -> None:
    meter = Meter(PRICES)
    time.sleep(0.05)
    meter.lap("fetch")
    assert meter.waited_ms == 0
    time.sleep(0.1)
    meter.add_engine_ms(30.0)
    meter.lap("engine")
    assert meter.waited_ms == pytest.approx(meter.timings_ms["engine"] - 30, abs=0.1)


def test_a_stage_that_comes_again_is_added_to_and_the_engine_counts_where_it_was_used() -> None:
    meter = Meter(PRICES)
    meter.lap("cutout")
    meter.add_engine_ms(4.0)
    meter.lap("engine", bytes_in=3)
    meter.lap("cutout")
    meter.add_engine_ms(5.0)
    meter.lap("engine", bytes_out=2)
    assert list(meter.costs) == list(meter.timings_ms) == ["cutout", "engine"]
    engine = meter.costs["engine"]
    assert (engine.engine_ms, engine.bytes_in, engine.bytes_out) == (9.0, 3, 2)
    assert meter.costs["cutout"].engine_ms == 0
    assert total(meter.costs.values()).engine_ms == 9.0
