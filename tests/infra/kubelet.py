"""What a kubelet does with a pod, as far as a chart can be wrong about it: volumes, environment, containers, probes.

Containers run under crun on the image's root. There is no network of pods, so pods that run at once need other ports.
"""

import json
import math
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.containers.image import Mount, bundle, run_command, volume
from infra.servers.process import LOOPBACK

Manifest = dict[str, Any]
ENDS_WITHIN_S = 120.0
STARTS_WITHIN_S = 400.0


@dataclass(frozen=True)
class Kubelet:
    """Runs pods of one image, with its files and configuration; `secrets` are the namespace's, by name and key."""

    root: Path
    config: Mapping[str, Any]
    secrets: Mapping[str, Mapping[str, str]]

    @contextmanager
    def running(self, pod: Manifest, folder: Path) -> Iterator["subprocess.Popen[str]"]:
        """The pod's container, once its first ones have ended well and its probes say that it is ready."""
        volumes = self._volumes(pod, folder / "volumes")
        for number, first in enumerate(pod.get("initContainers", [])):
            self._to_its_end(first, volumes, folder / f"first-{number}")
        [container] = pod["containers"]
        process = self._start(container, volumes, folder / "container")
        try:
            _wait_for_probes(container, process, folder / "container.log")
            yield process
        finally:
            process.kill()
            process.wait()

    def to_its_end(self, pod: Manifest, folder: Path) -> None:
        """A job's pod."""
        [container] = pod["containers"]
        self._to_its_end(container, self._volumes(pod, folder / "volumes"), folder / "container")

    def _to_its_end(self, container: Manifest, volumes: Mapping[str, Path], folder: Path) -> None:
        process = self._start(container, volumes, folder)
        assert process.wait(STARTS_WITHIN_S) == 0, Path(f"{folder}.log").read_text()

    def _volumes(self, pod: Manifest, folder: Path) -> dict[str, Path]:
        return {each["name"]: self._volume(each, folder / each["name"]) for each in pod["volumes"]}

    def _volume(self, of: Manifest, folder: Path) -> Path:
        made = volume(folder)
        for item in of.get("secret", {}).get("items", []):
            (made / item["path"]).write_text(self.secrets[of["secret"]["secretName"]][item["key"]])
        assert "emptyDir" in of or "secret" in of, of
        return made

    def _start(self, container: Manifest, volumes: Mapping[str, Path], folder: Path) -> "subprocess.Popen[str]":
        mounts = [
            Mount(each["mountPath"], volumes[each["name"]], bool(each.get("readOnly")))
            for each in container["volumeMounts"]
        ]
        command = container.get("command") or self.config["Entrypoint"]
        environment = dict(each.split("=", 1) for each in self.config["Env"]) | _environment(container)
        made = bundle(folder, self.root, [*command, *container.get("args", [])], environment, mounts)
        with Path(f"{folder}.log").open("w") as log:
            return subprocess.Popen(run_command(made), stdin=subprocess.DEVNULL, stdout=log, stderr=log, text=True)


def end(process: "subprocess.Popen[str]") -> int:
    """What a container ends with that is told to stop: the signal goes to its first process."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    os.kill(int(children[0]), signal.SIGTERM)
    return process.wait(ENDS_WITHIN_S)


def _environment(container: Manifest) -> dict[str, str]:
    return {
        each["name"]: str(each["value"]) if "value" in each else _cores(container) for each in container.get("env", [])
    }


def _cores(container: Manifest) -> str:
    """`limits.cpu`, rounded up as the kubelet does; the only field that we ask for."""
    limit = str(container["resources"]["limits"]["cpu"])
    return str(math.ceil(float(limit.removesuffix("m")) / (1000 if limit.endswith("m") else 1)))


def _wait_for_probes(container: Manifest, process: "subprocess.Popen[str]", log: Path) -> None:
    ports = {each["name"]: each["containerPort"] for each in container["ports"]}
    for which in ("startupProbe", "livenessProbe", "readinessProbe"):
        probe = container[which]["httpGet"]
        url = f"http://{LOOPBACK}:{ports[probe['port']]}{probe['path']}"
        give_up_at = time.monotonic() + STARTS_WITHIN_S
        while not _answers(url):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < give_up_at, json.dumps({"probe": url, "log": log.read_text()[-2000:]})
            time.sleep(0.2)


def _answers(url: str) -> bool:
    with suppress(OSError, urllib.error.HTTPError), urllib.request.urlopen(url, timeout=10):
        return True
    return False
