"""Kubernetes' control plane on loopback: API server, store, controllers and scheduler, as they are released.

There is no kubelet: pods are admitted, bound to nodes and counted by whoever asks for them, and none of them runs.
"""

import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx

from infra.servers.process import LOOPBACK, ServerUnavailable, answers_on, free_port, run, running

NAME = "Kubernetes"
VERSION = "1.37.2"
_PROGRAM = Path(f"kubernetes-{VERSION}") / "control-plane"
_TOKEN = "admin-token"
_ISSUER = "https://kubernetes.default.svc"
_SERVICES = "10.0.0.0/24"  # addresses that nothing here answers on
_STARTS_WITHIN_S = 300.0  # 6 to 9 s where nothing else runs
_ANSWERS_WITHIN_S = 60.0
# A node that nobody renews would be marked as away after 40 s: these have no kubelet that could.
_CONTROLLERS = "*,-node-lifecycle-controller"


@dataclass(frozen=True)
class ControlPlane:
    """Where the API answers, for whom everything is allowed."""

    url: str
    authority: Path
    kubeconfig: Path

    def client(self) -> httpx.Client:
        """Asks the API as its administrator."""
        return httpx.Client(
            base_url=self.url,
            headers={"Authorization": f"Bearer {_TOKEN}"},
            verify=ssl.create_default_context(cafile=str(self.authority)),
            timeout=_ANSWERS_WITHIN_S,
        )


@contextmanager
def kubernetes(folder: Path, cache: Path) -> Iterator[ControlPlane]:
    """Run all four in `folder` until the block ends. Raises ServerUnavailable.

    They are one program, which `make test-cluster` builds into `cache`.
    """
    program = cache / _PROGRAM
    if not program.exists():
        raise ServerUnavailable(f"{NAME}: {program.name} is not built: make test-cluster, which needs Go")
    _make_keys(folder)
    with ExitStack() as stack:
        store = stack.enter_context(_etcd(program, folder))
        plane = stack.enter_context(_api_server(program, folder, store))
        stack.enter_context(_manager(program, folder, plane))
        stack.enter_context(_scheduler(program, folder))
        yield plane


def _make_keys(folder: Path) -> None:
    """What accounts' tokens are signed with, and who may ask."""
    key = folder / "accounts.key"
    run(NAME, ["openssl", "genrsa", "-out", str(key), "2048"])
    run(NAME, ["openssl", "rsa", "-in", str(key), "-pubout", "-out", str(folder / "accounts.pub")])
    (folder / "tokens.csv").write_text(f'{_TOKEN},admin,1,"system:masters"\n')


@contextmanager
def _etcd(program: Path, folder: Path) -> Iterator[str]:
    port = free_port()
    url, peers = (f"http://{LOOPBACK}:{each}" for each in (port, free_port()))
    command = [str(program), "etcd", str(folder / "etcd"), url, peers]
    with running(NAME, command, folder / "etcd.log", lambda: answers_on(port), within_s=_STARTS_WITHIN_S):
        yield url


@contextmanager
def _api_server(program: Path, folder: Path, store: str) -> Iterator[ControlPlane]:
    port = free_port()
    plane = ControlPlane(f"https://{LOOPBACK}:{port}", folder / "certs" / "apiserver.crt", folder / "kubeconfig")
    command = [
        str(program),
        "apiserver",
        f"--etcd-servers={store}",
        f"--secure-port={port}",
        f"--bind-address={LOOPBACK}",
        f"--advertise-address={LOOPBACK}",
        f"--cert-dir={plane.authority.parent}",
        f"--service-account-issuer={_ISSUER}",
        f"--service-account-key-file={folder / 'accounts.pub'}",
        f"--service-account-signing-key-file={folder / 'accounts.key'}",
        f"--token-auth-file={folder / 'tokens.csv'}",
        "--authorization-mode=RBAC",
        f"--service-cluster-ip-range={_SERVICES}",
        "--endpoint-reconciler-type=none",  # nothing may be told that it is on loopback
    ]
    ready = partial(_is_there, plane, "/readyz")
    with running(NAME, command, folder / "apiserver.log", ready, within_s=_STARTS_WITHIN_S):
        plane.kubeconfig.write_text(_kubeconfig(plane))
        yield plane


@contextmanager
def _manager(program: Path, folder: Path, plane: ControlPlane) -> Iterator[None]:
    command = [
        str(program),
        "manager",
        f"--kubeconfig={plane.kubeconfig}",
        f"--service-account-private-key-file={folder / 'accounts.key'}",
        f"--controllers={_CONTROLLERS}",
        f"--bind-address={LOOPBACK}",
        f"--secure-port={free_port()}",
        "--leader-elect=false",
        "--horizontal-pod-autoscaler-sync-period=2s",  # else 15 s, for which a test would wait
        "--pvclaimbinder-sync-period=2s",
    ]
    ready = partial(_is_there, plane, "/api/v1/namespaces/default/serviceaccounts/default")
    with running(NAME, command, folder / "manager.log", ready, within_s=_STARTS_WITHIN_S):
        yield


@contextmanager
def _scheduler(program: Path, folder: Path) -> Iterator[None]:
    port = free_port()
    command = [
        str(program),
        "scheduler",
        f"--kubeconfig={folder / 'kubeconfig'}",
        f"--bind-address={LOOPBACK}",
        f"--secure-port={port}",
        "--leader-elect=false",
    ]
    log = folder / "scheduler.log"
    with running(NAME, command, log, lambda: answers_on(port), within_s=_STARTS_WITHIN_S):
        yield


def _is_there(plane: ControlPlane, path: str) -> bool:
    not_yet = (httpx.TransportError, FileNotFoundError, ssl.SSLError)  # its certificate is written while it starts
    with suppress(*not_yet), plane.client() as client:
        return client.get(path).status_code == httpx.codes.OK
    return False


def _kubeconfig(plane: ControlPlane) -> str:
    return f"""apiVersion: v1
kind: Config
clusters: [{{name: test, cluster: {{server: "{plane.url}", certificate-authority: "{plane.authority}"}}}}]
users: [{{name: admin, user: {{token: {_TOKEN}}}}}]
contexts: [{{name: test, context: {{cluster: test, user: admin}}}}]
current-context: test
"""
