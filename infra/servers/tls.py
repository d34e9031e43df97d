"""An authority for tests and a key that it has signed, as the PEM files that Kafka takes; by openssl."""

from dataclasses import dataclass
from pathlib import Path

from infra.servers.process import LOOPBACK, run

_NAME = "openssl"
_DAYS = "30"
_KEY = ("-newkey", "rsa:2048", "-nodes")


@dataclass(frozen=True)
class Pem:
    """The authority's certificate, and a server's key with its certificate behind it."""

    authority: Path
    server: Path


def make_pem(folder: Path, common_name: str) -> Pem:
    """Writes both for a server on loopback. Raises ServerUnavailable without openssl."""
    ca_key, ca, key, request, certificate, names = (
        str(folder / name) for name in ("ca.key", "ca.pem", "server.key", "server.csr", "server.crt", "names.cnf")
    )
    Path(names).write_text(f"subjectAltName=IP:{LOOPBACK}\n")
    _openssl("req", "-x509", *_KEY, "-keyout", ca_key, "-out", ca, "-days", _DAYS, "-subj", "/CN=packshot-test")
    _openssl("req", *_KEY, "-keyout", key, "-out", request, "-subj", f"/CN={common_name}")
    signing = ("-CA", ca, "-CAkey", ca_key, "-CAcreateserial", "-days", _DAYS, "-extfile", names)
    _openssl("x509", "-req", "-in", request, "-out", certificate, *signing)
    server = folder / "server.pem"
    server.touch(0o600)
    server.write_text(Path(key).read_text() + Path(certificate).read_text())
    return Pem(Path(ca), server)


def _openssl(*arguments: str) -> None:
    run(_NAME, [_NAME, *arguments])
