"""What the control groups of Linux allow this process: a pod's limits, which the machine's own numbers do not show."""

import math
import os
from collections.abc import Iterator
from pathlib import Path


def allowed_cores(root: Path = Path("/")) -> int:
    """Processor cores that this process may keep busy, rounded up: the least that its control groups, its affinity and
    the machine allow.
    """
    limits = [_cores_2(folder) for folder in folders(root, None)]
    limits += [_cores_1(folder) for folder in folders(root, "cpu")]
    return max(1, math.ceil(min([*limits, _affinity()])))


def folders(root: Path, controller: str | None) -> Iterator[Path]:
    """The folders of this process' control groups, its own and those above: of version 2 for None, else of version 1.

    In a container a group may be mounted as the root, whatever its name is outside.
    """
    mounted = root / "sys/fs/cgroup" / (controller or "")
    yield mounted
    for line in text(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if (controller in controllers.split(",")) if controller else not controllers:
            own = mounted / path.lstrip("/")
            yield from (each for each in (own, *own.parents) if each.is_relative_to(mounted))


def text(path: Path) -> str:
    """What a file says, without the end of its line; nothing where there is none."""
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def _cores_2(folder: Path) -> float:
    quota, _, period = text(folder / "cpu.max").partition(" ")
    return _share(quota, period)


def _cores_1(folder: Path) -> float:
    return _share(text(folder / "cpu.cfs_quota_us"), text(folder / "cpu.cfs_period_us"))


def _share(quota_us: str, period_us: str) -> float:
    """Cores; without a limit it is "max", -1 or no file."""
    if not quota_us.isdigit() or not period_us.isdigit() or int(period_us) == 0:
        return math.inf
    return int(quota_us) / int(period_us)


def _affinity() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
