"""The chart on a real API server of Kubernetes, with its controllers and scheduler: `make test-cluster`.

Nodes are made up and no pod runs: test_image starts the pods themselves.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from infra.servers import ControlPlane
from tests.infra.cluster import Cluster, Manifest, Refused, add_node, kubelets, wait_for
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
RESTRICTED = {f"pod-security.kubernetes.io/{how}": "restricted" for how in ("enforce", "warn")}
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

    def nodes(self, component: str) -> list[str]:
        """Where its pods are that have a place."""
        pods = self.cluster.pods(self.namespace, component)
        return [each["spec"]["nodeName"] for each in pods if "nodeName" in each["spec"]]


@pytest.fixture(scope="module")
def cluster(control_plane: ControlPlane) -> Iterator[Cluster]:
    """The API, which knows the kinds of KEDA and of Prometheus' operator."""
    with control_plane.client() as client:
        made = Cluster(client)
        for module, file in OPERATORS:
            _define(made, yaml.safe_load((fetched(module) / file).read_text()))
        yield made


@pytest.fixture
def release(request: pytest.FixtureRequest, cluster: Cluster, control_plane: ControlPlane) -> Iterator[Release]:
    """It and its nodes are gone when the test has ended."""
    namespace = request.node.name.replace("_", "-")[:40].strip("-")
    _make_namespace(cluster, namespace)
    made = Release(cluster, control_plane.kubeconfig, namespace)
    with kubelets(cluster):
        yield made
        made.helm("uninstall", "shop", "--ignore-not-found")
    for node in cluster.items("/api/v1/nodes"):
        cluster.ask("DELETE", f"/api/v1/nodes/{node['metadata']['name']}")


def _define(cluster: Cluster, definition: Manifest) -> None:
    cluster.apply(definition, "")
    spec = definition["spec"]
    served = f"/apis/{spec['group']}/{spec['versions'][0]['name']}"

    def is_known() -> bool:
        try:
            return spec["names"]["kind"] in {each["kind"] for each in cluster.get(served)["resources"]}
        except Refused:
            return False

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
