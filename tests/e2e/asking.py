"""How the tests ask the API of a running system."""

import subprocess
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from tests.e2e.system import System, draw_product


def api(system: System) -> str:
    return f"http://127.0.0.1:{system.environment['PACKSHOT_GATEWAY_PORT']}"


def wait_until_ready(system: System) -> None:
    """Roles are started one after the other; this one says itself when it is ready."""
    script = "until curl -fsS $API/readyz; do sleep 0.5; done"
    subprocess.run(["bash", "-c", script], env={**system.environment, "API": api(system)}, check=True, timeout=600)


def post(
    system: System, key: str, what: str, photo: bytes, accept: str = "*/*", wait_s: int = 60
) -> tuple[int, Any, bytes]:
    headers = {
        "Authorization": f"Bearer {key}",
        "Content-Type": "image/png",
        "Prefer": f"wait={wait_s}",
        "Accept": accept,
    }
    request = urllib.request.Request(f"{api(system)}{what}", photo, {**headers, "Cancel-After": "600"})
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def made(system: System, key: str, what: str, photo: bytes, accept: str = "*/*") -> tuple[Any, bytes]:
    """What is answered in the end: the same again asks for the same job."""
    status, headers, body = 202, None, b""
    while status == 202:
        status, headers, body = post(system, key, what, photo, accept)
    assert status == 200, body
    return headers, body


def photo_of(folder: Path, red: int) -> bytes:
    draw_product(folder / "photo.png", (red, 110, 90))
    return (folder / "photo.png").read_bytes()
