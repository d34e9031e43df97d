"""How many cores a process may keep busy, by planted files of control groups."""

import os
from pathlib import Path

import pytest

from streams.runtime import cluster
from streams.runtime.control_groups import allowed_cores
from streams.runtime.settings import Settings

HERE = len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({}, HERE),
        ({"sys/fs/cgroup/cpu.max": "max 100000\n"}, HERE),
        ({"sys/fs/cgroup/cpu.max": "100000 100000\n"}, 1),
        ({"sys/fs/cgroup/cpu.max": "50000 100000\n"}, 1),
        ({"sys/fs/cgroup/cpu.max": "110000 100000\n"}, min(2, HERE)),
        ({"sys/fs/cgroup/cpu.max": f"{10_000 * 100_000} 100000\n"}, HERE),
        ({"sys/fs/cgroup/cpu.max": "0 0\n"}, HERE),
        ({"sys/fs/cgroup/cpu.max": "\n"}, HERE),
        ({"sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n"}, HERE),
        ({"sys/fs/cgroup/cpu/cpu.cfs_quota_us": "90000\n", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n"}, 1),
        (
            {
                "proc/self/cgroup": "0::/pod/worker\n",
                "sys/fs/cgroup/pod/worker/cpu.max": "max 100000\n",
                "sys/fs/cgroup/pod/cpu.max": "100000 100000\n",
            },
            1,
        ),
        (
            {
                "proc/self/cgroup": "7:cpu,cpuacct:/pod\n3:memory:/other\n",
                "sys/fs/cgroup/cpu/pod/cpu.cfs_quota_us": "100000\n",
                "sys/fs/cgroup/cpu/pod/cpu.cfs_period_us": "100000\n",
            },
            1,
        ),
        ({"proc/self/cgroup": "0::/../../elsewhere\n", "elsewhere/cpu.max": "100000 100000\n"}, HERE),
    ],
)
def test_the_least_of_what_the_groups_allow_counts(tmp_path: Path, files: dict[str, str], cores: int) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert allowed_cores(tmp_path) == cores


def test_a_worker_has_two_tasks_more_in_hand_unless_configured_otherwise() -> None:
    assert Settings().threads == allowed_cores() + 2
    assert Settings(worker_threads=5).threads == 5


def test_an_engine_counts_for_itself_unless_less_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "allowed_cores", lambda: 2)
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    assert Settings().engine_threads == 2
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    assert Settings().engine_threads == 0
