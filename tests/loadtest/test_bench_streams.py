"""The jobs of bench-streams: each does with an event what the comparison says."""

import pytest

from loadtest.benchmarks import contenders
from loadtest.benchmarks.streams import PHOTOGRAPHS, _event
from schemas import codec
from schemas.records import CatalogChanged, Task
from streams.consumer.letters import Delivery, outgoing


@pytest.mark.parametrize(("name", "kind"), [("bare", CatalogChanged), ("plan", Task)])
def test_a_job_writes_as_many_records_as_there_are_photographs(name: str, kind: type) -> None:
    event = outgoing(_event(1), "test")
    delivery = Delivery(event.topic, 0, 0, event.key, event.value, event.headers, 1_790_000_000_000)
    written = contenders.Answers(name).to(delivery)
    assert [type(codec.decode(record.value)) for record in written] == [kind] * PHOTOGRAPHS
    assert {record.topic for record in written} == {contenders.OUTPUT}
