"""An OpenID Connect provider: oidc-provider from npm, which is certified, with its pages for developers."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from infra.servers import npm
from infra.servers.process import LOOPBACK, free_port, running

NAME = "oidc-provider"
VERSION = "9.13.3"
START_S = 120.0
CLIENT, SECRET = "packshot", "the secret of the client"


@contextmanager
def provider(
    folder: Path,
    cache: Path,
    back: str,
    people: Mapping[str, Mapping[str, object]],
    machines: Mapping[str, str] | None = None,
) -> Iterator[str]:
    """Runs a provider until the block ends, and gives its address. It knows `people`, with any password, and claims;
    and `machines` by their secrets, which get tokens for Kafka.

    Raises ServerUnavailable.
    """
    modules = npm.installed(NAME, cache / f"oidc-provider-{VERSION}", (f"oidc-provider@{VERSION}",))
    port, log = free_port(), folder / "oidc.log"
    script = str(Path(__file__).with_name("oidc.mjs"))
    command = [npm.node(NAME), script, str(port), CLIENT, SECRET, back, json.dumps(people), json.dumps(machines or {})]
    around = {**os.environ, "NODE_PATH": str(modules)}
    with running(NAME, command, log, lambda: "READY" in log.read_text(errors="replace"), around, within_s=START_S):
        yield f"http://{LOOPBACK}:{port}"
