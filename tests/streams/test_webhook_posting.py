"""Deliveries over real HTTP on loopback: to the example receiver, to hosts that mean harm, never to those inside."""

import asyncio
import contextlib
import http.server
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from streams.facts import Database, Secret, Webhooks
from streams.facts.sealing import Sealer
from streams.webhooks.dispatcher import Dispatcher
from streams.webhooks.posting import Poster
from streams.webhooks.schedule import Answer
from streams.webhooks.signing import new_secret
from tests.streams.webhook_world import endpoint, message

EXAMPLE = Path(__file__).parents[2] / "infra" / "examples" / "webhook_receiver.py"
LOOPBACK = ("127.0.0.0/8",)
WITHIN_S = 120.0


class Host(http.server.BaseHTTPRequestHandler):
    """Answers each path as it says: /302, /503 with Retry-After, /long, /slow."""

    requests: list[str]

    def do_POST(self) -> None:
        self.requests.append(self.path)
        self.rfile.read(int(self.headers["Content-Length"]))
        path = self.path.lstrip("/")
        if path == "slow":
            time.sleep(30)
        self.send_response(int(path) if path.isdigit() else 200)
        if path == "302":
            self.send_header("Location", "/elsewhere")
        if path == "503":
            self.send_header("Retry-After", "77")
        self.end_headers()
        if path == "long":
            with contextlib.suppress(OSError):  # nobody reads on
                for _ in range(10_000):
                    self.wfile.write(b"x" * 10_000)
            return
        self.wfile.write(b"said\x1b[2J")

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture
def host() -> Iterator[tuple[str, list[str]]]:
    found: list[str] = []
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("H", (Host,), {"requests": found}))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", found
    server.shutdown()
    thread.join()
    server.socket.close()


def post(url: str, networks: tuple[str, ...] = LOOPBACK, timeout_s: float = WITHIN_S) -> Answer:
    async def once() -> Answer:
        async with Poster(networks, 1, timeout_s) as poster:
            return await poster.post(url, {"webhook-id": "msg_1"}, b"{}")

    return asyncio.run(once())


def test_names_that_nobody_answers_for_hold_up_no_other_receiver(
    host: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, _ = host
    real, given_up = socket.getaddrinfo, threading.Event()

    def looked_up(name: Any, *rest: Any, **more: Any) -> Any:
        if str(name).startswith("stalls"):
            given_up.wait(WITHIN_S)
            raise socket.gaierror("nobody answers")
        return real(name, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", looked_up)

    async def once() -> tuple[int, Answer]:
        async with Poster(LOOPBACK, 64, 30.0) as poster:
            stalled = [asyncio.create_task(poster.post(f"https://stalls{n}.example/", {}, b"{}")) for n in range(32)]
            await asyncio.sleep(0.5)
            answer = await poster.post(url.replace("127.0.0.1", "localhost"), {}, b"{}")
            waiting = sum(not each.done() for each in stalled)
            given_up.set()
            await asyncio.gather(*stalled)
        return waiting, answer

    waiting, answer = asyncio.run(once())
    assert (waiting, answer.status) == (32, 200)


def test_a_redirect_is_a_failure_and_not_followed(host: tuple[str, list[str]]) -> None:
    url, requested = host
    assert post(f"{url}/302").status == 302
    assert requested == ["/302"]


def test_what_a_receiver_says_is_kept_in_short_and_commands_no_terminal(host: tuple[str, list[str]]) -> None:
    url, _ = host
    answer = post(f"{url}/503")
    assert (answer.status, answer.retry_after_s) == (503, 77)
    assert "\x1b" not in answer.reason
    assert len(post(f"{url}/long").reason) <= 2000


def test_one_that_never_answers_ends_at_the_time_out(host: tuple[str, list[str]]) -> None:
    url, _ = host
    assert post(f"{url}/slow", timeout_s=0.5) == Answer(None, "no answer within 0.5 s")


@pytest.mark.parametrize(
    "name", ["127.0.0.1", "127.1", "2130706433", "0x7f.1", "localhost", "[::1]", "[::ffff:127.0.0.1]"]
)
def test_addresses_inside_are_refused_however_they_are_written(host: tuple[str, list[str]], name: str) -> None:
    url, requested = host
    port = url.rpartition(":")[2]
    answer = post(f"http://{name}:{port}/200", networks=())
    assert answer.status is None
    assert answer.reason.startswith("private_address")
    assert requested == []


def test_a_name_that_leads_inside_is_refused(host: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    url, requested = host
    known = socket.getaddrinfo

    def false_address(name: Any, port: Any, *args: Any, **more: Any) -> Any:
        return known("127.0.0.1" if name == "shop.example" else name, port, *args, **more)

    monkeypatch.setattr(socket, "getaddrinfo", false_address)
    address = f"http://shop.example:{url.rpartition(':')[2]}/200"
    assert post(address, networks=()).reason.startswith("private_address")
    assert requested == []
    assert post(address).status == 200


def test_nobody_there_is_an_answer() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        answer = post(f"http://127.0.0.1:{taken.getsockname()[1]}/")
    assert answer.status is None
    assert "ClientConnectorError" in answer.reason


def test_the_example_receiver_verifies_what_we_send_and_refuses_what_others_send(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    secret = new_secret("v1")
    environment = {**os.environ, "SECRET": secret}
    command = [sys.executable, "-I", "-S", str(EXAMPLE), str(port)]  # nothing that is installed
    receiver = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        _wait_for(port)
        url = f"http://127.0.0.1:{port}/"
        database = Database(f"sqlite:///{tmp_path}/facts.db")
        database.create_tables()
        webhooks = Webhooks(database, Sealer())
        rotated = (Secret(new_secret("v1a")), Secret(new_secret("v1")), Secret(secret))
        webhooks.add(endpoint("ours", url=url, secrets=rotated))
        webhooks.add(endpoint("others", url=url, secrets=(Secret(new_secret("v1")),)))
        now_ms = round(time.time() * 1000)
        for number in range(5):
            webhooks.note(message(number), ["ours"], now_ms)
        webhooks.note(message(9), ["others"], now_ms)
        _send_until(webhooks, lambda: webhooks.counts("ours") == {"delivered": 5} and _was_tried(webhooks))
        [refused] = webhooks.deliveries("others")
        assert refused.log[0].status == 401
        assert receiver.stdout is not None
        assert [receiver.stdout.readline() for _ in range(5)] == [f'{{"n": {number}}}\n' for number in range(5)]
        database.close()
    finally:
        receiver.kill()
        receiver.communicate()


def _was_tried(webhooks: Webhooks) -> bool:
    return bool(webhooks.deliveries("others")[0].log)


def _send_until(webhooks: Webhooks, is_done: Any) -> None:
    stop = threading.Event()
    sender = threading.Thread(target=Dispatcher(webhooks).run, args=(stop, LOOPBACK))
    sender.start()
    give_up_at = time.monotonic() + WITHIN_S
    while not is_done() and time.monotonic() < give_up_at:
        time.sleep(0.05)
    stop.set()
    sender.join()
    assert is_done()


def _wait_for(port: int) -> None:
    give_up_at = time.monotonic() + WITHIN_S
    while time.monotonic() < give_up_at:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            time.sleep(0.05)
    raise TimeoutError
