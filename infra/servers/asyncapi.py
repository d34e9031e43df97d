"""AsyncAPI's own parser, from npm, with Avro: whether a document is a valid one."""

import os
import subprocess
from pathlib import Path

from infra.servers import npm

NAME = "AsyncAPI's parser"
VERSION, AVRO_VERSION = "3.6.3", "3.0.24"
WARNING = 1  # what is below is an error; above are hints, as that there is a newer AsyncAPI
_PACKAGES = (f"@asyncapi/parser@{VERSION}", f"@asyncapi/avro-schema-parser@{AVRO_VERSION}")
_PEERS = "--legacy-peer-deps"  # the second one names an older first one, and works with this


def problems(document: Path, cache: Path) -> list[str]:
    """The errors and warnings of a document, a line each. Raises ServerUnavailable without Node and npm."""
    modules = npm.installed(NAME, cache / f"asyncapi-parser-{VERSION}", (_PEERS, *_PACKAGES))
    command = [npm.node(NAME), str(Path(__file__).with_name("asyncapi.cjs")), str(document)]
    around = {**os.environ, "NODE_PATH": str(modules)}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=around)
    return [line for line in done.stdout.splitlines() if int(line.partition("\t")[0]) <= WARNING]
