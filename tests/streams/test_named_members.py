"""A role that is killed and started again goes on, on a broker too that frees no partitions of the dead."""

import subprocess
import sys
import textwrap
from pathlib import Path
from uuid import uuid4

import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from streams.consumer.clients import open_member
from streams.runtime import supervisor as module
from streams.runtime.settings import Settings
from streams.runtime.supervisor import Supervisor

WITHIN_S = 120.0
JOINED = textwrap.dedent("""
    import sys, time
    from streams.consumer.clients import open_member
    from streams.runtime.settings import Settings
    consumer = open_member(Settings(kafka_bootstrap_servers=sys.argv[1], kafka_group_instance_id="streams"), "g")
    consumer.subscribe([sys.argv[2]])
    while not consumer.assignment():
        consumer.poll(0.2)
    print("joined", flush=True)
    time.sleep(1000)
""")


def test_who_is_named_like_a_killed_member_has_its_partitions(memory_bootstrap: str) -> None:
    topic = f"named.{uuid4().hex}"
    admin = AdminClient({"bootstrap.servers": memory_bootstrap})
    for made in admin.create_topics([NewTopic(topic, 2, 1)]).values():
        made.result(60)
    command = [sys.executable, "-c", JOINED, memory_bootstrap, topic]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as killed:
        assert killed.stdout is not None
        assert killed.stdout.readline() == b"joined\n"
        killed.kill()
    again = open_member(Settings(kafka_bootstrap_servers=memory_bootstrap, kafka_group_instance_id="streams"), "g")
    again.subscribe([topic])
    for _ in range(round(WITHIN_S / 0.2)):
        again.poll(0.2)
        if again.assignment():
            break
    assert len(again.assignment()) == 2
    again.close()


@pytest.mark.parametrize(("named", "seen"), [(True, "worker-cutout"), (False, "none")])
def test_each_role_is_told_its_name_as_a_member(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: bool, seen: str
) -> None:
    monkeypatch.delenv("PACKSHOT_KAFKA_GROUP_INSTANCE_ID", raising=False)
    monkeypatch.setattr(module, "ROLES", [("worker", "--pool", "cutout")])
    around = {"PACKSHOT_DATA_FOLDER": str(tmp_path)}
    monkeypatch.setattr(sys, "executable", str(_telling(tmp_path)))
    roles = Supervisor(around, tmp_path / "logs", lambda _line: None, named_members=named)
    roles.roles[0].process.wait(60)
    roles.stop()
    assert (tmp_path / "logs" / "worker-cutout.log").read_text().strip() == seen


def _telling(folder: Path) -> Path:
    """A program that says by which name it is to be a member."""
    program = folder / "role"
    program.write_text('#!/bin/sh\necho "${PACKSHOT_KAFKA_GROUP_INSTANCE_ID:-none}"\n')
    program.chmod(0o700)
    return program
