"""/livez, /readyz, /startupz and /metrics of a role's process, asked over HTTP as a cluster asks."""

import socket
import threading
import urllib.error
import urllib.request

import pytest

from streams.consumer.joining import ASSIGNED_WITHIN_S, Joining
from streams.runtime import admin
from streams.runtime.health import NOT_JOINED, STARTING, STOPPING, Health
from streams.runtime.settings import Settings

STALLED_AFTER_S = 600.0


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def time(self) -> float:
        return self.now_s

    def monotonic(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def health(clock: Clock) -> Health:
    return Health(STALLED_AFTER_S, clock)


@pytest.fixture
def port(health: Health) -> int:
    return admin.serve(Settings(metrics_port=0), health.probes)


def ask(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_what_starts_is_live_and_not_ready(port: int) -> None:
    assert ask(port, "/livez") == (200, "ok\n")
    assert ask(port, "/startupz") == (503, f"{STARTING}\n")
    assert ask(port, "/readyz") == (503, f"{STARTING}\n")


def test_what_has_started_is_ready_once_all_that_it_needs_holds(health: Health, port: int) -> None:
    joined, stop = threading.Event(), threading.Event()
    health.need(NOT_JOINED, joined.is_set)
    health.need(STOPPING, lambda: not stop.is_set())
    health.start()
    assert ask(port, "/startupz") == (200, "ok\n")
    assert ask(port, "/readyz") == (503, f"{NOT_JOINED}\n")
    joined.set()
    assert ask(port, "/readyz?verbose") == (200, "ok\n")
    stop.set()
    assert ask(port, "/readyz") == (503, f"{STOPPING}\n")
    assert ask(port, "/livez")[0] == 200


def test_a_loop_that_does_not_turn_is_not_live_until_it_does(health: Health, clock: Clock, port: int) -> None:
    turned = health.loop("the loop")
    clock.now_s += STALLED_AFTER_S
    assert ask(port, "/livez")[0] == 200
    clock.now_s += 1
    assert ask(port, "/livez") == (503, "the loop did not turn for 601 s\n")
    turned()
    assert ask(port, "/livez")[0] == 200


def test_one_loop_of_two_is_enough_to_be_dead(health: Health, clock: Clock) -> None:
    turned = [health.loop(name) for name in ("one", "two")]
    clock.now_s += STALLED_AFTER_S + 1
    turned[0]()
    assert health.livez() == ["two did not turn for 601 s"]


def test_metrics_are_at_the_same_address(port: int) -> None:
    status, text = ask(port, "/metrics")
    assert status == 200
    assert "python_info" in text


def test_a_need_that_fails_is_an_answer_and_the_next_is_answered(health: Health, port: int) -> None:
    health.need("broken", lambda: bool(1 // 0))
    health.start()
    assert ask(port, "/readyz") == (503, "broken: it cannot be told, ZeroDivisionError\n")
    assert ask(port, "/livez")[0] == 200


def test_who_says_nothing_keeps_nobody_from_an_answer(port: int) -> None:
    silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(20)]
    assert ask(port, "/livez")[0] == 200
    for each in silent:
        each.close()


@pytest.mark.parametrize(
    "said", [b"\xff\xfe\x00\r\n\r\n", b"GET " + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n", b"POST / HTTP/1.1\r\n\r\n"]
)
def test_what_is_no_request_ends_nothing(port: int, said: bytes) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as peer:
        peer.sendall(said)
        peer.recv(1000)
    assert ask(port, "/livez")[0] == 200


def test_it_listens_where_the_setting_says(health: Health) -> None:
    port = admin.serve(Settings(metrics_host="127.0.0.2", metrics_port=0), health.probes)
    with pytest.raises(urllib.error.URLError):
        ask(port, "/livez")
    with urllib.request.urlopen(f"http://127.0.0.2:{port}/livez", timeout=10) as answer:
        assert answer.status == 200


def test_a_member_has_joined_when_it_is_assigned_its_share_or_none_for_long(clock: Clock) -> None:
    joining = Joining(clock)
    joining.subscribed()
    assert not joining.is_done
    clock.now_s += ASSIGNED_WITHIN_S + 1
    assert joining.is_done
    joining.lost()
    clock.now_s += 10 * ASSIGNED_WITHIN_S
    assert not joining.is_done
    joining.assigned()
    assert joining.is_done
