"""A log that cannot be written holds up nobody: what is at work when a line is lost is not at fault."""

import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
import structlog
from prometheus_client import REGISTRY

from schemas import topics
from streams.consumer.clients import AcknowledgedProducer, make_topics
from streams.consumer.letters import Delivery, Outgoing, RetryPolicy
from streams.facts import Database
from streams.flow.processing import Processing
from streams.runtime.observability import set_up
from streams.runtime.settings import Settings
from tests.streams.flow import Flow, Recorder, upsert

FULL = Path("/dev/full")  # Linux's: each write to it ends as on a disk that is full
pytestmark = pytest.mark.skipif(not FULL.exists(), reason="no /dev/full here")


def unwritten() -> float:
    return REGISTRY.get_sample_value("packshot_log_unwritten_total") or 0.0


def test_a_full_disk_loses_the_lines_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database = Database(f"sqlite:///{tmp_path}/facts.db")
    database.create_tables()
    recorder = Recorder()
    garbage = Delivery(topics.CATALOG.name, 0, 1, b"demo|A", b"garbage")
    full = FULL.open("w")
    monkeypatch.setattr(sys, "stderr", full)
    set_up(Settings(), "test")
    before = unwritten()
    Processing(database, recorder, RetryPolicy(())).run([garbage])
    structlog.get_logger().error("said", reason="x" * 100_000)
    monkeypatch.undo()
    with suppress(OSError):  # what it still holds
        full.close()
    assert [each.topic for each in recorder.records] == [topics.DEAD.name]
    assert b"unexpected" not in b"".join(value for _, value in recorder.records[0].headers)
    assert unwritten() > before
    assert Flow(database).say(upsert())
    database.close()


def test_a_closed_pipe_ends_no_process(tmp_path: Path) -> None:
    program = (
        "import structlog, sys\n"
        "from streams.runtime.observability import set_up\n"
        "from streams.runtime.settings import Settings\n"
        "set_up(Settings(), 'test')\n"
        "for _ in range(3): structlog.get_logger().error('said')\n"
        "print('went on')\n"
    )
    read, write = os.pipe()
    os.close(read)
    environment = {**os.environ, "PACKSHOT_DATA_FOLDER": str(tmp_path)}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=write, text=True, check=False)
    os.close(write)
    assert done.stdout == "went on\n"


def test_what_a_command_prints_is_json_whatever_it_reads(fresh_bootstrap: str, tmp_path: Path) -> None:
    make_topics(Settings(kafka_bootstrap_servers=fresh_bootstrap))
    producer = AcknowledgedProducer(Settings(kafka_bootstrap_servers=fresh_bootstrap))
    producer.send([Outgoing(topics.LETTERS.name, b"k", b"no resolution\x1b[31m", [])])
    producer.close()
    environment = {"PACKSHOT_DATA_FOLDER": str(tmp_path), "PACKSHOT_KAFKA_BOOTSTRAP_SERVERS": fresh_bootstrap}
    command = [sys.executable, "-m", "streams.commands.cli", "dead", "list", "--json"]
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=False)
    assert json.loads(done.stdout) == []
    assert "not_framed" in done.stderr
