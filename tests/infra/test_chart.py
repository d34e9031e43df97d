"""The chart: valid for Kubernetes, for Pod Security, and for what the roles are, in each of its three examples."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.kafka import acls
from schemas import topics
from schemas.operations.base import POOLS
from schemas.records import LANES
from streams.consumer import groups
from streams.runtime.health import Health
from streams.runtime.settings import Settings
from streams.scaling.board import read_metadata
from tests.infra.held import command_of, unknown_settings
from tests.servers import skip_or_fail

pytestmark = pytest.mark.infra

ROOT = Path(__file__).parents[2]
CHART = ROOT / "infra" / "helm" / "packshot"
EXAMPLES = sorted(CHART.glob("examples/*.yaml"))
HELM = ROOT / ".cache" / "helm-4.3.2" / "helm"
VALIDATE = ROOT / ".venv-infra" / "bin" / "kubernetes-validate"
OF_OPERATORS = ("keda.sh/v1alpha1", "monitoring.coreos.com/v1")  # their schemas are not Kubernetes'
KUBERNETES = "1.36"

Manifest = dict[str, Any]


def helm(*arguments: str) -> "subprocess.CompletedProcess[str]":
    program = shutil.which("helm") or (str(HELM) if HELM.exists() else None)
    if program is None:
        skip_or_fail(f"helm: make {HELM.relative_to(ROOT)}, which needs Go")
    return subprocess.run([program, *arguments], capture_output=True, text=True, check=False)


@pytest.fixture(scope="module", params=EXAMPLES, ids=lambda path: path.stem)
def rendered(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    done = helm("template", "shop", str(CHART), "--namespace", "imagery", "--values", str(request.param))
    assert done.returncode == 0, done.stderr
    file = tmp_path_factory.mktemp("chart") / f"{request.param.stem}.yaml"
    file.write_text(done.stdout)
    return file


@pytest.fixture(scope="module")
def manifests(rendered: Path) -> list[Manifest]:
    return [each for each in yaml.safe_load_all(rendered.read_text()) if each]


def of(manifests: list[Manifest], *kinds: str) -> list[Manifest]:
    return [each for each in manifests if each["kind"] in kinds]


def pods(manifests: list[Manifest]) -> Iterator[tuple[str, Manifest]]:
    """The name and specification of every pod."""
    for each in of(manifests, "Deployment", "Job"):
        yield each["metadata"]["name"], each["spec"]["template"]["spec"]


def containers(manifests: list[Manifest]) -> Iterator[tuple[str, Manifest]]:
    """Those that run packshot."""
    for name, pod in pods(manifests):
        yield from ((name, each) for each in pod["containers"])


def test_kubernetes_takes_every_field(rendered: Path) -> None:
    if not VALIDATE.exists():
        skip_or_fail("kubernetes-validate: make .venv-infra/.installed")
    command = [str(VALIDATE), "--strict", "-k", KUBERNETES, str(rendered)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    unknown = re.findall(r"Couldn't find schema for kind \S+ with api version (\S+)", done.stdout + done.stderr)
    assert set(unknown) <= set(OF_OPERATORS)


def test_a_misspelt_field_is_found(tmp_path: Path) -> None:
    if not VALIDATE.exists():
        skip_or_fail("kubernetes-validate: make .venv-infra/.installed")
    file = tmp_path / "pod.yaml"
    spec = {"terminationGracePeriodSecond": 5, "containers": [{"name": "a", "image": "b"}]}
    file.write_text(yaml.safe_dump({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": spec}))
    command = [str(VALIDATE), "--strict", "-k", KUBERNETES, str(file)]
    assert subprocess.run(command, capture_output=True, check=False).returncode != 0


def test_every_container_runs_a_command_that_there_is_with_settings_that_there_are(manifests: list[Manifest]) -> None:
    for name, container in containers(manifests):
        command_of(container["args"])
        names = [each["name"] for each in container["env"]]
        assert unknown_settings(names) == [], name
        assert len(names) == len(set(names)), f"{name}: a name that is there twice breaks a server-side apply"
        given = {each["name"]: each.get("value") for each in container["env"]}
        Settings(
            **{key: given[f"PACKSHOT_{key.upper()}"] for key in ("kafka_partitions", "provisioning", "metrics_port")}
        )


def test_every_role_is_probed_where_it_listens(manifests: list[Manifest]) -> None:
    for each in of(manifests, "Deployment"):
        [container] = each["spec"]["template"]["spec"]["containers"]
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        env = {one["name"]: one.get("value") for one in container["env"]}
        assert str(ports["metrics"]) == env["PACKSHOT_METRICS_PORT"]
        probes = [container[f"{which}Probe"]["httpGet"] for which in ("startup", "liveness", "readiness")]
        assert {probe["path"] for probe in probes} == set(Health().probes)
        assert {probe["port"] for probe in probes} == {"metrics"}
        if "gateway" in each["metadata"]["name"]:
            assert ports["http"] == Settings.gateway_port
            assert env["PACKSHOT_GATEWAY_HOST"] == "0.0.0.0"


def test_pods_have_no_rights_as_pod_security_restricted_asks(manifests: list[Manifest]) -> None:
    for name, pod in pods(manifests):
        assert pod["automountServiceAccountToken"] is False, name
        assert pod["securityContext"]["runAsNonRoot"]
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in [*pod.get("initContainers", []), *pod["containers"]]:
            security = container["securityContext"]
            assert security["readOnlyRootFilesystem"]
            assert security["capabilities"] == {"drop": ["ALL"]}
            assert security["allowPrivilegeEscalation"] is False
            assert container["resources"]["limits"]["memory"]
            assert not container["image"].endswith(":latest")
    assert of(manifests, "Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding", "Secret") == []


def test_secrets_are_mounted_and_never_values(rendered: Path, manifests: list[Manifest]) -> None:
    for name, pod in pods(manifests):
        volumes = {each["name"] for each in pod["volumes"]}
        for container in [*pod.get("initContainers", []), *pod["containers"]]:
            assert {each["name"] for each in container["volumeMounts"]} <= volumes, name
        [container] = pod["containers"]
        mounted = [each["mountPath"] for each in container["volumeMounts"]]
        for each in container["env"]:
            if str(each.get("value", "")).startswith("/run/secrets/"):
                assert str(Path(each["value"]).parent) in mounted, (name, each)
        assert not [each["name"] for each in container["env"] if "secretKeyRef" in str(each)]
    assert not re.search(r"PASSWORD, value: (?!/run)", rendered.read_text())


def test_nobody_says_how_many_where_something_scales(manifests: list[Manifest]) -> None:
    scaled = {
        each["spec"]["scaleTargetRef"]["name"] for each in of(manifests, "ScaledObject", "HorizontalPodAutoscaler")
    }
    deployments = {each["metadata"]["name"]: each["spec"] for each in of(manifests, "Deployment")}
    assert scaled <= set(deployments)
    assert {name for name, spec in deployments.items() if "replicas" not in spec} == scaled


def test_a_disruption_never_locks_a_drain(manifests: list[Manifest]) -> None:
    budgets = {each["metadata"]["name"]: each["spec"] for each in of(manifests, "PodDisruptionBudget")}
    assert set(budgets) == {each["metadata"]["name"] for each in of(manifests, "Deployment")}
    for name, budget in budgets.items():
        assert budget["unhealthyPodEvictionPolicy"] == "AlwaysAllow"
        assert str(budget["maxUnavailable"]).endswith("%") == ("worker" in name)


def test_a_gpu_is_given_back_before_it_is_asked_for(manifests: list[Manifest]) -> None:
    for each in of(manifests, "Deployment"):
        [container] = each["spec"]["template"]["spec"]["containers"]
        gpus = [name for name in container["resources"]["limits"] if "/" in name]
        rolling = each["spec"]["strategy"]["rollingUpdate"]
        assert rolling == ({"maxSurge": 0, "maxUnavailable": 1} if gpus else {"maxSurge": 1, "maxUnavailable": 0})
        assert ("cuda" in container["image"]) == bool(gpus)


def test_a_pod_has_longer_to_end_than_its_worker_drains(manifests: list[Manifest]) -> None:
    for name, pod in pods(manifests):
        [container] = pod["containers"]
        env = {each["name"]: each.get("value") for each in container["env"]}
        if "PACKSHOT_DRAIN_S" in env and container["args"][0] == "run":
            assert pod["terminationGracePeriodSeconds"] > float(env["PACKSHOT_DRAIN_S"]), name
            assert {"cache", "tmp", "data"} <= {each["name"] for each in container["volumeMounts"]}


def test_every_pod_finds_its_account_class_and_scaler_its_topics(manifests: list[Manifest]) -> None:
    accounts = {each["metadata"]["name"] for each in of(manifests, "ServiceAccount")}
    classes = {each["metadata"]["name"] for each in of(manifests, "PriorityClass")}
    for name, pod in pods(manifests):
        assert pod["serviceAccountName"] in accounts
        assert pod.get("priorityClassName") in {*classes, *([None] if name.endswith("provision") else [])}
    known = {(groups.worker(pool, lane), topics.TASKS[pool, lane].name) for pool in POOLS for lane in LANES}
    asked = any(name.endswith("-scaler") for name, _ in pods(manifests))
    for each in of(manifests, "ScaledObject"):
        triggers = each["spec"]["triggers"]
        assert [trigger["name"] for trigger in triggers] == (["scaler"] if asked else list(LANES))
        if not asked:
            assert {(one["metadata"]["consumerGroup"], one["metadata"]["topic"]) for one in triggers} <= known


def test_keda_asks_the_scaler_where_it_listens_with_what_it_understands(manifests: list[Manifest]) -> None:
    services = {f"{each['metadata']['name']}.imagery.svc": each for each in of(manifests, "Service")}
    deployments = {each["metadata"]["name"]: each for each in of(manifests, "Deployment")}
    for each in of(manifests, "ScaledObject"):
        [trigger] = each["spec"]["triggers"]
        assert (trigger["type"], trigger["metricType"]) == ("external-push", "AverageValue")
        pool, besides = read_metadata(trigger["metadata"])
        host, _, port = trigger["metadata"]["scalerAddress"].partition(":")
        [served] = services[host]["spec"]["ports"]
        assert str(served["port"]) == port
        [container] = deployments[services[host]["metadata"]["name"]]["spec"]["template"]["spec"]["containers"]
        assert {"name": served["targetPort"], "containerPort": Settings.scaler_port} in container["ports"]
        assert {"name": "PACKSHOT_SCALER_HOST", "value": "0.0.0.0"} in container["env"]
        fixed = [its["spec"]["replicas"] for its in deployments.values() if _is_fixed(its, pool)]
        assert besides == sum(fixed)


def _is_fixed(deployment: Manifest, pool: str) -> bool:
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    return container["args"][-2:] == ["--pool", pool] and "replicas" in deployment["spec"]


def test_without_a_scaler_keda_asks_kafka_and_one_pool_has_one_number() -> None:
    node = CHART / "examples" / "gpu-node.yaml"
    done = helm("template", "shop", str(CHART), "--values", str(node), "--set", "roles.scaler.enabled=false")
    made = [each for each in yaml.safe_load_all(done.stdout) if each and each["kind"] == "ScaledObject"]
    assert made
    assert {one["type"] for each in made for one in each["spec"]["triggers"]} == {"kafka"}
    zones = CHART / "examples" / "three-zones-spot.yaml"
    done = helm(
        "template", "shop", str(CHART), "--values", str(zones), "--set", "workers.cutout.autoscaling.enabled=true"
    )
    assert done.returncode != 0
    assert "one number for a pool" in done.stderr


def test_tokens_of_an_openid_provider_stand_in_for_passwords(tmp_path: Path) -> None:
    """Of every role, and of KEDA where that asks Kafka; by settings that there are."""
    node, oauth = CHART / "examples" / "gpu-node.yaml", tmp_path / "oauth.yaml"
    said = {"tokenUrl": "https://id.example.com/token", "scope": "kafka", "ca": {"name": "id-ca"}}
    oauth.write_text(yaml.safe_dump({"kafka": {"mechanism": "OAUTHBEARER", "oauth": said}}))
    values = ("--values", str(node), "--values", str(oauth), "--set", "roles.scaler.enabled=false")
    done = helm("template", "shop", str(CHART), *values)
    assert done.returncode == 0, done.stderr
    made = [each for each in yaml.safe_load_all(done.stdout) if each]
    mounts = "/run/secrets/packshot"
    for name, container in containers(made):
        given = {each["name"]: each.get("value") for each in container["env"]}
        assert unknown_settings(list(given)) == [], name
        assert {key for key in given if "SASL" in key} == {"PACKSHOT_KAFKA_SASL_MECHANISM"}
        assert given["PACKSHOT_KAFKA_SASL_MECHANISM"] == "OAUTHBEARER"
        assert given["PACKSHOT_KAFKA_OAUTH_TOKEN_URL"] == "https://id.example.com/token"
        assert given["PACKSHOT_KAFKA_OAUTH_CLIENT_ID"].removeprefix("packshot-") in acls.load()
        assert given["PACKSHOT_KAFKA_OAUTH_CLIENT_SECRET_FILE"] == f"{mounts}/kafka/password"
        assert given["PACKSHOT_KAFKA_OAUTH_CA_FILE"] == f"{mounts}/oauth-ca/ca.crt"
        assert {f"{mounts}/kafka", f"{mounts}/oauth-ca"} <= {each["mountPath"] for each in container["volumeMounts"]}
    for each in of(made, "TriggerAuthentication"):
        told = {one["parameter"]: one["name"] for one in each["spec"]["env"]}
        assert told == {
            "username": "PACKSHOT_KAFKA_OAUTH_CLIENT_ID",
            "oauthTokenEndpointUri": "PACKSHOT_KAFKA_OAUTH_TOKEN_URL",
            "scopes": "PACKSHOT_KAFKA_OAUTH_SCOPE",
        }
    assert {one["metadata"]["sasl"] for each in of(made, "ScaledObject") for one in each["spec"]["triggers"]} == {
        "oauthbearer"
    }


def test_each_role_is_the_user_that_has_its_rights(manifests: list[Manifest]) -> None:
    users = acls.load()
    for name, container in containers(manifests):
        for each in container["env"]:
            if each["name"] == "PACKSHOT_KAFKA_SASL_USERNAME":
                user = each["value"].removeprefix("packshot-")
                assert user in users, name
                said = container["args"]
                assert user == {"provision": "operator", "models": "worker-cutout"}.get(
                    said[0], f"worker-{said[-1]}" if "--pool" in said else said[-1]
                )


def test_selectors_choose_the_pods_that_they_are_for(manifests: list[Manifest]) -> None:
    labels = {
        each["metadata"]["name"]: each["spec"]["template"]["metadata"]["labels"] for each in of(manifests, "Deployment")
    }
    for each in of(manifests, "Deployment", "PodDisruptionBudget"):
        wanted = each["spec"]["selector"]["matchLabels"].items()
        assert [name for name, its in labels.items() if wanted <= its.items()] == [each["metadata"]["name"]]


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("storage.blobs=file:///blobs", "storage/blobs"),
        ("kafka.bootstrapServers=", "bootstrapServers"),
        ("image.tag=latest", "image/tag"),
        ("workers.cutout.pool=generate", "pool"),
        ("workers.cutout.replicaz=3", "replicaz"),
        ("disruption.workers=0%", "disruption/workers"),
        ("settings.PACKSHOT_DATABASE_URL=postgresql://planted", "PACKSHOT_DATABASE_URL"),
        ("gpu.resource=gpu", "gpu/resource"),
        ("kafka.mechanism=OAUTH", "kafka/mechanism"),
        ("kafka.oauth.tokenUrl=id.example.com", "tokenUrl"),
    ],
)
def test_what_a_value_cannot_be_is_reported_before_anything_is_changed(said: str, why: str) -> None:
    laptop = CHART / "examples" / "laptop.yaml"
    done = helm("template", "shop", str(CHART), "--values", str(laptop), "--set", said)
    assert done.returncode != 0
    assert why in done.stderr


def test_helm_finds_nothing() -> None:
    done = helm("lint", "--strict", str(CHART), "--values", str(CHART / "examples" / "laptop.yaml"))
    assert done.returncode == 0, done.stdout
