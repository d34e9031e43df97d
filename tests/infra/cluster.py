"""A Kubernetes cluster as tests ask it: its API, made up nodes, and what kubelets and a provisioner would tell it."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import httpx

Manifest = dict[str, Any]
MANAGER = "packshot-test"
PROVISIONER = "made-up.packshot.test"  # a driver of volumes has no slash in its name
WITHIN_S = 240.0  # a busy machine's; each wait ends as soon as it may
_POLL_S = 0.2
_ZONE = "topology.kubernetes.io/zone"
_JSON = {"Content-Type": "application/json"}
_MERGE = {"Content-Type": "application/merge-patch+json"}
_APPLY = {"Content-Type": "application/apply-patch+yaml"}


class Refused(Exception):
    """The API did not do what it was asked; `status` is HTTP's, the message what the API answered."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


@dataclass(frozen=True)
class Cluster:
    """The API; every failure is Refused."""

    client: httpx.Client
    _kinds: dict[str, dict[str, Manifest]] = field(default_factory=dict)

    def ask(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] = _JSON, **query: str
    ) -> httpx.Response:
        """One request; `body` is sent as JSON, which is YAML too."""
        content = None if body is None else json.dumps(body)
        answer = self.client.request(method, path, content=content, headers=dict(headers), params=query)
        if answer.is_error:
            raise Refused(answer.status_code, answer.text)
        return answer

    def get(self, path: str) -> Manifest:
        found: Manifest = self.ask("GET", path).json()
        return found

    def items(self, path: str, **query: str) -> list[Manifest]:
        found: list[Manifest] = self.ask("GET", path, headers=_JSON, **query).json()["items"]
        return found

    def pods(self, namespace: str, component: str) -> list[Manifest]:
        """Those of a part of the chart that are not told to end."""
        labels = f"app.kubernetes.io/component={component}"
        found = self.items(f"/api/v1/namespaces/{namespace}/pods", labelSelector=labels)
        return [each for each in found if "deletionTimestamp" not in each["metadata"]]

    def deployment(self, namespace: str, name: str) -> Manifest:
        return self.get(f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}")

    def apply(self, manifest: Manifest, namespace: str, *, dry: bool = False) -> list[str]:
        """Applies it as `kubectl apply --server-side` does; an unknown field is Refused. The API's warnings."""
        query = {"fieldManager": MANAGER, "fieldValidation": "Strict", **({"dryRun": "All"} if dry else {})}
        path = f"{self._folder(manifest, namespace)}/{manifest['metadata']['name']}"
        answer = self.ask("PATCH", path, manifest, headers=_APPLY, **query)
        return answer.headers.get_list("Warning")

    def change(self, path: str, what: Manifest, manager: str = MANAGER) -> None:
        """A merge patch."""
        self.ask("PATCH", path, what, _MERGE, fieldManager=manager)

    def resources(self) -> Iterator[tuple[str, Manifest]]:
        """The path and description of every kind that can be listed."""
        groups = [group["preferredVersion"]["groupVersion"] for group in self.get("/apis")["groups"]]
        for version in ("v1", *groups):
            for each in self._of(version).values():
                if "list" in each["verbs"]:
                    yield f"{_root(version)}/{each['name']}", each

    def _folder(self, manifest: Manifest, namespace: str) -> str:
        version = manifest["apiVersion"]
        kind = self._of(version)[manifest["kind"]]
        within = f"/namespaces/{namespace}" if kind["namespaced"] else ""
        return f"{_root(version)}{within}/{kind['name']}"

    def _of(self, version: str) -> dict[str, Manifest]:
        """The kinds of a version of a group, without subresources."""
        if version not in self._kinds:
            found = self.get(_root(version))["resources"]
            self._kinds[version] = {each["kind"]: each for each in found if "/" not in each["name"]}
        return self._kinds[version]


def _root(version: str) -> str:
    return f"/api/{version}" if "/" not in version else f"/apis/{version}"


def wait_for(what: str, happened: Callable[[], bool]) -> None:
    """Until it has, or WITHIN_S are over."""
    give_up_at = time.monotonic() + WITHIN_S
    while not happened():
        assert time.monotonic() < give_up_at, f"{what}: not within {WITHIN_S:.0f} s"
        time.sleep(_POLL_S)


def add_node(
    cluster: Cluster, name: str, zone: str, cores: int = 32, taints: Sequence[Manifest] = (), **more: Manifest
) -> None:
    """A node that is ready. `more`: `resources` besides cores, memory and pods; `labels` besides name and zone."""
    labels = {_ZONE: zone, "kubernetes.io/hostname": name, **more.get("labels", {})}
    made = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}}
    cluster.apply(made, "")
    room = {"cpu": str(cores), "memory": f"{4 * cores}Gi", "pods": "110", **more.get("resources", {})}
    told = {"capacity": room, "allocatable": room, "conditions": [_condition("Ready")]}
    cluster.change(f"/api/v1/nodes/{name}/status", {"status": told})
    # A new node has a taint until a controller has seen that it is ready; that one does not run here.
    cluster.change(f"/api/v1/nodes/{name}", {"spec": {"taints": list(taints)}})


@contextmanager
def kubelets(cluster: Cluster) -> Iterator[threading.Event]:
    """Tells of bound pods what kubelets would if all went well, and of claims what a provisioner would, until the block
    ends; not while the event is set.
    """
    ended, away = threading.Event(), threading.Event()
    with ThreadPoolExecutor(1) as threads:
        telling = threads.submit(_tell_of_all, cluster, ended, away)
        try:
            yield away
        finally:
            ended.set()
            telling.result()


def _tell_of_all(cluster: Cluster, ended: threading.Event, away: threading.Event) -> None:
    while not ended.wait(_POLL_S):
        if away.is_set():
            continue
        for pod in cluster.items("/api/v1/pods"):
            _while_it_is_there(partial(_tell_of, cluster, pod))
        for claim in cluster.items("/api/v1/persistentvolumeclaims"):
            _while_it_is_there(partial(_provision, cluster, claim))


def _while_it_is_there(tell: Callable[[], None]) -> None:
    """What was listed may have gone, or been changed, since."""
    try:
        tell()
    except Refused as refused:
        if refused.status not in (httpx.codes.NOT_FOUND, httpx.codes.CONFLICT):
            raise


def _tell_of(cluster: Cluster, pod: Manifest) -> None:
    about = pod["metadata"]
    path = f"/api/v1/namespaces/{about['namespace']}/pods/{about['name']}"
    if "nodeName" not in pod["spec"]:
        return
    if "deletionTimestamp" in about:
        cluster.ask("DELETE", path, gracePeriodSeconds="0")
    elif pod["status"]["phase"] == "Pending":
        is_done = pod["spec"]["restartPolicy"] == "Never"  # of a job
        told = {"phase": "Succeeded"} if is_done else {"phase": "Running", "conditions": [_condition("Ready")]}
        cluster.change(f"{path}/status", {"status": told})


def _provision(cluster: Cluster, claim: Manifest) -> None:
    about = claim["metadata"]
    asked = about.get("annotations", {}).get("volume.kubernetes.io/storage-provisioner")
    if asked != PROVISIONER or "volumeName" in claim["spec"]:
        return
    spec = {
        "capacity": claim["spec"]["resources"]["requests"],
        "accessModes": claim["spec"]["accessModes"],
        "storageClassName": claim["spec"]["storageClassName"],
        "claimRef": {"namespace": about["namespace"], "name": about["name"], "uid": about["uid"]},
        "csi": {"driver": PROVISIONER, "volumeHandle": about["uid"]},
    }
    made = {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": f"of-{about['uid']}"}, "spec": spec}
    cluster.apply(made, "")


def _condition(which: str) -> Manifest:
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return {"type": which, "status": "True", "reason": "MadeUp", "lastTransitionTime": now}
