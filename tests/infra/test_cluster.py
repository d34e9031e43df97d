"""The chart on a real API server of Kubernetes, with its controllers and scheduler: `make test-cluster`.

Nodes are made up and no pod runs: test_image starts the pods themselves.
"""

import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from infra.servers import ControlPlane
from tests.infra.cluster import PROVISIONER, Cluster, Manifest, Refused, add_node, kubelets, wait_for
from tests.infra.go_modules import fetched
from tests.infra.test_chart import CHART, EXAMPLES, helm
from tests.infra.test_operators import MODULE as KEDA

pytestmark = [pytest.mark.infra, pytest.mark.heavy, pytest.mark.timeout(1800)]

# Operators' kinds come with their Go modules, and are not kept here.
MONITORING = "github.com/prometheus-operator/prometheus-operator@v0.85.0"
OPERATORS = (
    (KEDA, "config/crd/bases/keda.sh_scaledobjects.yaml"),
    (KEDA, "config/crd/bases/keda.sh_triggerauthentications.yaml"),
    (MONITORING, "example/prometheus-operator-crd/monitoring.coreos.com_podmonitors.yaml"),
    (MONITORING, "example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml"),
)
GPU_TAINT = {"key": "nvidia.com/gpu", "effect": "NoSchedule"}
SPOT = {"cloud.google.com/gke-spot": "true"}
RESTRICTED = {f"pod-security.kubernetes.io/{how}": "restricted" for how in ("enforce", "warn")}
COMES_AND_GOES = ("events", "leases", "componentstatuses")
HELM_WITHIN = "15m"  # of a busy machine


@dataclass(frozen=True)
class Release:
    """`shop`, in a namespace of its own that takes pods without rights only."""

    cluster: Cluster
    kubeconfig: Path
    namespace: str

    def helm(self, *arguments: str) -> None:
        where = ("--kubeconfig", str(self.kubeconfig), "--namespace", self.namespace)
        done = helm(*arguments, *where, "--wait", "--timeout", HELM_WITHIN)
        assert done.returncode == 0, done.stdout + done.stderr

    def deployment(self, component: str) -> Manifest:
        return self.cluster.deployment(self.namespace, f"shop-{component}")

    def scale(self, component: str, replicas: int) -> None:
        """As an autoscaler does."""
        path = f"/apis/apps/v1/namespaces/{self.namespace}/deployments/shop-{component}/scale"
        self.cluster.change(path, {"spec": {"replicas": replicas}}, manager="keda")

    def nodes(self, component: str) -> list[str]:
        """Where its pods are that have a place."""
        pods = self.cluster.pods(self.namespace, component)
        return [each["spec"]["nodeName"] for each in pods if "nodeName" in each["spec"]]

    def wait_until_bound(self, component: str, count: int) -> None:
        wait_for(f"{count} of {component}", lambda: len(self.nodes(component)) == count)

    def evict(self, component: str, *, works: bool = True) -> None:
        """One of its pods, by the eviction API, which asks its budget: one that has a place, or one that waits."""
        pods = self.cluster.pods(self.namespace, component)
        name = next(each["metadata"]["name"] for each in pods if ("nodeName" in each["spec"]) is works)
        eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}
        self.cluster.ask("POST", f"/api/v1/namespaces/{self.namespace}/pods/{name}/eviction", eviction)

    def wait_until_allowed(self, component: str, disruptions: int) -> None:
        path = f"/apis/policy/v1/namespaces/{self.namespace}/poddisruptionbudgets/shop-{component}"
        told = f"{disruptions} disruptions of {component}"
        wait_for(told, lambda: self.cluster.get(path).get("status", {}).get("disruptionsAllowed") == disruptions)


@pytest.fixture(scope="module")
def cluster(control_plane: ControlPlane) -> Iterator[Cluster]:
    """The API, which knows the kinds of KEDA and of Prometheus' operator."""
    with control_plane.client() as client:
        made = Cluster(client)
        for module, file in OPERATORS:
            _define(made, yaml.safe_load((fetched(module) / file).read_text()))
        yield made


@pytest.fixture(scope="module")
def away(cluster: Cluster) -> Iterator[threading.Event]:
    """Kubelets, until it is set."""
    with kubelets(cluster) as event:
        yield event


@pytest.fixture
def release(
    request: pytest.FixtureRequest, cluster: Cluster, control_plane: ControlPlane, away: threading.Event
) -> Iterator[Release]:
    """It, its nodes and its claims are gone when the test has ended."""
    namespace = request.node.name.replace("_", "-")[:40].strip("-")
    _make_namespace(cluster, namespace)
    made = Release(cluster, control_plane.kubeconfig, namespace)
    yield made
    away.clear()
    made.helm("uninstall", "shop", "--ignore-not-found")
    for node in cluster.items("/api/v1/nodes"):
        cluster.ask("DELETE", f"/api/v1/nodes/{node['metadata']['name']}")


def _define(cluster: Cluster, definition: Manifest) -> None:
    cluster.apply(definition, "")
    spec = definition["spec"]
    served = f"/apis/{spec['group']}/{spec['versions'][0]['name']}/{spec['names']['plural']}"

    def is_known() -> bool:
        """It is refused as well while its storage is being made ready."""
        try:
            cluster.items(served)
        except Refused:
            return False
        return True

    wait_for(spec["names"]["kind"], is_known)


def _make_namespace(cluster: Cluster, name: str) -> None:
    made = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": RESTRICTED}}
    cluster.apply(made, "")
    accounts = f"/api/v1/namespaces/{name}/serviceaccounts"
    wait_for("the namespace's account", lambda: bool(cluster.items(accounts)))


def _rendered(example: Path) -> list[Manifest]:
    done = helm("template", "shop", str(CHART), "--namespace", "asked", "--values", str(example))
    assert done.returncode == 0, done.stderr
    return [each for each in yaml.safe_load_all(done.stdout) if each]


@pytest.fixture(scope="module")
def asked(cluster: Cluster) -> str:
    """A namespace that nothing is ever written to."""
    _make_namespace(cluster, "asked")
    return "asked"


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_the_api_takes_every_field_of_an_example_and_warns_of_none(cluster: Cluster, asked: str, example: Path) -> None:
    made = _rendered(example)
    told = {(each["kind"], each["metadata"]["name"]): cluster.apply(each, asked, dry=True) for each in made}
    assert {name: warnings for name, warnings in told.items() if warnings} == {}
    assert cluster.items(f"/apis/apps/v1/namespaces/{asked}/deployments") == []


@pytest.mark.parametrize("kind", ["Deployment", "ScaledObject", "PodMonitor", "PrometheusRule", "NetworkPolicy"])
def test_a_misspelt_field_is_refused(cluster: Cluster, asked: str, kind: str) -> None:
    [node] = [path for path in EXAMPLES if path.stem == "gpu-node"]
    made = next(each for each in _rendered(node) if each["kind"] == kind)
    made["spec"]["misspelt"] = 1
    with pytest.raises(Refused, match="misspelt"):
        cluster.apply(made, asked, dry=True)


def test_a_pod_that_asks_for_rights_is_refused(cluster: Cluster, asked: str) -> None:
    """Or that pods of the chart come to be would tell nothing."""
    spec = {"containers": [{"name": "a", "image": "packshot"}]}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": spec}
    with pytest.raises(Refused, match="violates PodSecurity") as refused:
        cluster.apply(pod, asked, dry=True)
    assert refused.value.status == 403


def test_laptop_fits_four_cores_and_eight_gibibytes(release: Release) -> None:
    add_node(release.cluster, "laptop", "here", cores=4, resources={"memory": "8Gi"})
    release.helm("install", "shop", str(CHART), "--values", str(CHART / "examples" / "laptop.yaml"))
    for role in ("streams", "publisher", "retrier", "gateway", "worker-cutout", "worker-compose"):
        assert release.nodes(role) == ["laptop"]


def test_a_release_comes_changes_goes_back_and_leaves_nothing_but_volumes(release: Release) -> None:
    cluster = release.cluster
    add_node(cluster, "cores", "a", cores=64)
    slices = {"nvidia.com/mig-1g.18gb": "4"}
    product = {"nvidia.com/gpu.product": "NVIDIA-H200"}
    add_node(cluster, "gpu", "a", taints=[GPU_TAINT], resources=slices, labels=product)
    _make_what_gpu_node_takes_for_granted(release)
    before = _everything(cluster)

    node = ("--values", str(CHART / "examples" / "gpu-node.yaml"))
    release.helm("install", "shop", str(CHART), *node)
    claim = f"/api/v1/namespaces/{release.namespace}/persistentvolumeclaims/packshot-cache-h200"
    assert cluster.get(claim)["status"]["phase"] == "Bound"
    assert release.nodes("worker-cutout") == ["gpu"]
    assert set(release.nodes("streams")) == {"cores"}
    release.scale("worker-cutout", 3)
    release.wait_until_bound("worker-cutout", 3)

    release.helm("upgrade", "shop", str(CHART), *node, "--set", "settings.PACKSHOT_STALLED_AFTER_S=900")
    assert _told(release, "PACKSHOT_STALLED_AFTER_S") == ["900"]
    assert release.deployment("worker-cutout")["spec"]["replicas"] == 3
    release.helm("rollback", "shop", "1")
    assert _told(release, "PACKSHOT_STALLED_AFTER_S") == []
    assert release.deployment("worker-cutout")["spec"]["replicas"] == 3

    release.helm("uninstall", "shop")
    wait_for("nothing left", lambda: {each[0] for each in _everything(cluster) - before} == {"persistentvolumes"})
    assert cluster.get(claim)["status"]["phase"] == "Bound"


def _make_what_gpu_node_takes_for_granted(release: Release) -> None:
    runtime = {"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": {"name": "nvidia"}, "handler": "x"}
    storage = {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": "shared"},
        "provisioner": PROVISIONER,
        "volumeBindingMode": "WaitForFirstConsumer",
    }
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "packshot-cache-h200"},
        "spec": {
            "accessModes": ["ReadWriteMany"],
            "storageClassName": "shared",
            "resources": {"requests": {"storage": "8Gi"}},
        },
    }
    for each in (runtime, storage, claim):
        release.cluster.apply(each, release.namespace)


def _everything(cluster: Cluster) -> set[tuple[str, str, str]]:
    """Kind, namespace and name of all that there is."""
    return {
        (kind["name"], each["metadata"].get("namespace", ""), each["metadata"]["name"])
        for path, kind in cluster.resources()
        if kind["name"] not in COMES_AND_GOES
        for each in cluster.items(path)
    }


def _told(release: Release, variable: str) -> list[str]:
    [container] = release.deployment("worker-cutout")["spec"]["template"]["spec"]["containers"]
    return [each["value"] for each in container["env"] if each["name"] == variable]


def test_three_zones_share_gpus_by_urgency_and_let_nodes_be_drained(release: Release, away: threading.Event) -> None:
    cluster = release.cluster
    for zone in "abc":
        add_node(cluster, f"cores-{zone}", zone)
        add_node(cluster, f"gpu-{zone}", zone, taints=[GPU_TAINT], labels=SPOT, resources={"nvidia.com/gpu": "4"})
    release.helm("install", "shop", str(CHART), "--values", str(CHART / "examples" / "three-zones-spot.yaml"))
    assert sorted(release.nodes("worker-cutout")) == ["gpu-a", "gpu-b", "gpu-c"]
    assert set(Counter(release.nodes("streams"))) == {"cores-a", "cores-b", "cores-c"}
    wait_for("the autoscaler's least", lambda: release.deployment("gateway")["spec"]["replicas"] == 3)

    release.scale("worker-cutout-spot", 9)
    release.wait_until_bound("worker-cutout-spot", 9)  # with the urgent ones, all twelve
    release.scale("worker-cutout", 5)
    release.wait_until_bound("worker-cutout", 5)
    assert len(release.nodes("worker-cutout-spot")) == 7
    wait_for("two preempted", lambda: _preempted(release) == {"worker-cutout-spot": 2})
    release.scale("worker-cutout", 3)
    release.wait_until_bound("worker-cutout-spot", 9)  # who waited has them back

    _drain(release, away)


def _preempted(release: Release) -> Counter[str]:
    events = release.cluster.items(f"/api/v1/namespaces/{release.namespace}/events", fieldSelector="reason=Preempted")
    return Counter(each["involvedObject"]["name"].removeprefix("shop-").rsplit("-", 2)[0] for each in events)


def _drain(release: Release, away: threading.Event) -> None:
    """While a worker more is wanted than there are GPUs; what is evicted does not come back."""
    release.scale("worker-cutout-spot", 10)
    release.wait_until_allowed("worker-cutout-spot", 2)  # a quarter of ten may be away, and one is
    release.wait_until_allowed("streams", 1)
    away.set()
    for component, allowed in (("worker-cutout-spot", 2), ("streams", 1)):
        for _ in range(allowed):
            release.evict(component)
        with pytest.raises(Refused) as refused:
            release.evict(component)
        assert refused.value.status == 429
    release.evict("worker-cutout-spot", works=False)
