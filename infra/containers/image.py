"""The image, built without a daemon and without a registry, and run as a pod runs it: `make image`.

Its base is made here of Debian's packages, and called what the Containerfile's FROM says: so the file that a release
is built from is what is built. It has this machine's authorities beside them, so that what is fetched while it is built
is fetched as on this machine. buildah's store lies in a folder of its own, not in the machine's.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

ROOT = Path(__file__).parents[2]
FILE = Path(__file__).with_name("Containerfile")
NAME = "localhost/packshot:dev"
BASE = "docker.io/library/python:3.11-slim-bookworm"
SUITE = "bookworm"
PACKAGES = "ca-certificates,python3,python3-venv"
AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")
WHEELS = Path.home() / ".cache" / "uv"
HYBRID = Path("/sys/fs/cgroup/unified")
PROGRAMS = ("buildah", "mmdebstrap")
USER = 10001
BILL = "packshot.cdx.json"
TOOLS = ROOT / ".venv-infra" / "bin" / "python"  # it has the library for it


class ImageUnavailable(Exception):
    """An image cannot be built here; the message says what is missing."""


@dataclass(frozen=True)
class Builder:
    """Builds in `folder`, which belongs to it: its store of images is there, and goes with it."""

    folder: Path

    def build(self, target: str = "cpu", name: str = NAME) -> None:
        """Makes the base where it is not there, and the image. Raises ImageUnavailable, CalledProcessError."""
        require(PROGRAMS)
        self.folder.mkdir(parents=True, exist_ok=True)
        if not self._has(BASE):
            self._make_base()
        ignore = FILE.with_name("Containerfile.dockerignore")
        options = ["--pull=never", "--layers", "--isolation", "chroot", "--target", target, "--ignorefile", str(ignore)]
        kept = [f"--volume={WHEELS}:/wheels"] if WHEELS.exists() else []  # fetched once already, and not again
        self.buildah("build", *options, *kept, *self._signatures, "--file", str(FILE), "--tag", name, str(ROOT))

    @contextmanager
    def mounted(self, name: str = NAME) -> Iterator[Path]:
        """The image's files, as a root to run, until the block ends."""
        container = self.buildah("from", "--pull-never", *self._signatures, name).strip()
        try:
            yield Path(self.buildah("mount", container).strip())
        finally:
            self.buildah("umount", container)
            self.buildah("rm", container)

    def config(self, name: str = NAME) -> dict[str, object]:
        """What the image says of how it is run: its user, environment and entry point."""
        found = json.loads(self.buildah("inspect", "--type", "image", name))
        config: dict[str, object] = found["OCIv1"]["config"]
        return config

    def buildah(self, *arguments: str) -> str:
        """What buildah prints."""
        store = ["--root", str(self.folder / "store"), "--runroot", str(self.folder / "run")]
        done = subprocess.run(["buildah", *store, *arguments], stdout=subprocess.PIPE, text=True, check=True)
        return done.stdout

    @property
    def _signatures(self) -> tuple[str, str]:
        """A policy that takes images without signatures: all that are there were made here."""
        policy = self.folder / "policy.json"
        policy.write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
        return "--signature-policy", str(policy)

    def _has(self, name: str) -> bool:
        return name in self.buildah("images", "--format", "{{.Name}}:{{.Tag}}").split()

    def _make_base(self) -> None:
        archive = self.folder / "base.tar"
        command = ["mmdebstrap", "--variant=minbase", "--mode=root", f"--include={PACKAGES}", SUITE, str(archive)]
        if AUTHORITIES.exists():
            command[1:1] = [f"--customize-hook=copy-in {AUTHORITIES} /etc/ssl/certs"]
        subprocess.run(command, check=True)
        container = self.buildah("from", "scratch").strip()
        self.buildah("add", "--quiet", container, str(archive), "/")
        for name in ("SSL_CERT_FILE", "PIP_CERT"):
            self.buildah("config", "--env", f"{name}={AUTHORITIES}", container)
        self.buildah("commit", *self._signatures, "--quiet", container, BASE)
        self.buildah("rm", container)
        archive.unlink()


def require(programs: Sequence[str]) -> None:
    """Raises ImageUnavailable where one is missing, or where we may not build."""
    if missing := [each for each in programs if shutil.which(each) is None]:
        raise ImageUnavailable(f"{', '.join(missing)} not found (Debian: apt install {' '.join(missing)})")
    if os.getuid() != 0:
        raise ImageUnavailable("a base is made by root only, and this is another user")


@dataclass(frozen=True)
class Mount:
    """A folder of this machine's, as a container has it at `path`."""

    path: str
    folder: Path
    read_only: bool = False


def bundle(
    folder: Path, root: Path, arguments: Sequence[str], environment: Mapping[str, str], mounts: Sequence[Mount]
) -> Path:
    """A folder that crun runs: the image's root, read-only, as a pod has it: no rights, and nothing to write to but
    volumes. The network is this machine's, for there is none of pods here.
    """
    fixed: list[dict[str, object]] = [
        {"destination": "/proc", "type": "proc", "source": "proc"},
        {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]},
    ]
    config = {
        "ociVersion": "1.0.2",
        "process": {
            "user": {"uid": USER, "gid": USER},
            "args": list(arguments),
            "env": [f"{name}={value}" for name, value in environment.items()],
            "cwd": "/tmp",
            "noNewPrivileges": True,
            "capabilities": {},
        },
        "root": {"path": str(root), "readonly": True},
        "mounts": fixed + [_bound(each) for each in mounts],
        "linux": {"namespaces": [{"type": each} for each in ("mount", "pid", "ipc", "uts")]},
    }
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def run_command(made: Path) -> list[str]:
    """What runs a bundle, as one process whose child is the container's first.

    crun refuses a machine with both versions of control groups, so it is not shown the second there.
    """
    crun = ["crun", "--cgroup-manager=disabled", "run", "--bundle", str(made), f"packshot-{uuid4().hex[:8]}"]
    if not HYBRID.exists():
        return crun
    return ["unshare", "--mount", "sh", "-c", f'umount -l {HYBRID} && exec "$@"', "sh", *crun]


def volume(folder: Path) -> Path:
    """A new empty volume: root's, and for all to write to, as a pod has it."""
    folder.mkdir(parents=True)
    folder.chmod(0o777)
    return folder


def write_bill(root: Path, file: Path) -> None:
    """The bill of materials of an image's files, as CycloneDX. Raises ImageUnavailable, CalledProcessError."""
    if not TOOLS.exists():
        raise ImageUnavailable(f"{TOOLS.relative_to(ROOT)} not found (make .venv-infra/.installed)")
    subprocess.run([str(TOOLS), "-m", "infra.containers.sbom", str(root), str(file)], cwd=ROOT, check=True)


def _bound(mount: Mount) -> dict[str, object]:
    options = ["rbind", "nosuid", "nodev", "ro" if mount.read_only else "rw"]
    return {"destination": mount.path, "type": "bind", "source": str(mount.folder), "options": options}


def main() -> int:
    """Builds it, and its bill of materials; 2 says what is missing."""
    builder = Builder(ROOT / ".cache" / "images")
    try:
        builder.build()
        with builder.mounted() as root:
            write_bill(root, builder.folder / BILL)
    except ImageUnavailable as missing:
        print(f"image: {missing}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
