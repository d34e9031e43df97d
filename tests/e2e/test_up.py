"""`packshot up` as somebody starts it for the first time: from any folder, twice, and with a part that cannot run."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

from infra.servers.process import free_port
from streams.runtime import supervisor
from streams.runtime.settings import Settings
from streams.runtime.supervisor import Supervisor

pytestmark = pytest.mark.long

WITHIN_S = 600


def environment(**more: str) -> dict[str, str]:
    mine = {name: value for name, value in os.environ.items() if not name.startswith("PACKSHOT_")}
    return {
        **mine,
        "PACKSHOT_EMBEDDED_BROKER": "memory",
        "PACKSHOT_CDN_PORT": str(free_port()),
        "PACKSHOT_GATEWAY_PORT": str(free_port()),
        **more,
    }


def wait_for(text: str, log: Path, process: subprocess.Popen[bytes]) -> str:
    give_up_at = time.monotonic() + WITHIN_S
    while text not in (printed := log.read_text()):
        assert process.poll() is None, printed
        assert time.monotonic() < give_up_at, printed
        time.sleep(0.2)
    return printed


def check_the_link_signs_in(printed: str) -> None:
    (page, code), *others = re.findall(r"(http://127\.0\.0\.1:\d+/desk/-/sign-in)#(\S+)", printed)
    assert others == []
    form = urllib.parse.urlencode({"code": code}).encode()
    with urllib.request.build_opener(urllib.request.HTTPCookieProcessor()).open(page, form, timeout=60) as answer:
        assert answer.url.endswith("/desk/demo/try")
        assert "Drop a photograph" in answer.read().decode()


def test_it_is_up_from_any_folder_once_every_role_is_ready_and_only_once(tmp_path: Path) -> None:
    command, around, log = [sys.executable, "-m", "streams.commands.cli", "up"], environment(), tmp_path / "screen"
    root = str(Path(__file__).parents[2])
    around["PYTHONPATH"] = root
    shop = tmp_path / "shop"
    shop.mkdir()
    with log.open("wb") as screen:
        process = subprocess.Popen(command, cwd=shop, env=around, stdout=screen, stderr=screen)
    try:
        printed = wait_for("Ctrl-C stops it", log, process)
        assert "packshot is up" in printed
        assert "died" not in printed
        logs = {file.stem: file.read_text() for file in (shop / ".packshot" / "logs").iterdir()}
        assert '"event": "ready"' in logs["worker-cutout"]
        assert '"event": "ready"' in logs["worker-compose"]
        check_the_link_signs_in(printed)
        again = subprocess.run(
            command, cwd=shop, env=around | environment(), capture_output=True, text=True, check=False
        )
        assert again.returncode == 2
        assert again.stderr == f"packshot: {shop / '.packshot'} is up already, by process {process.pid}\n"
        assert again.stdout == ""
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(200)


def test_a_role_that_dies_says_so_and_keeps_the_system_from_being_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "ROLES", (("cdn",), ("bogus",)))
    settings = Settings(data_folder=tmp_path / "data", cdn_port=free_port())
    found: list[str] = []
    stop = threading.Event()
    ready: list[bool] = []

    def reports(sentence: str) -> None:
        found.append(sentence)
        if len(found) == 2:
            stop.set()

    roles = Supervisor(supervisor.environment(settings, "127.0.0.1:1"), tmp_path / "logs", reports)
    try:
        watching = threading.Thread(target=lambda: ready.append(roles.wait_until_ready(stop)))
        watching.start()
        watching.join(WITHIN_S)
        assert ready == [False]
        assert found[0] == f"bogus died (exit status 2) and is started again; see {tmp_path / 'logs' / 'bogus.log'}"
        assert "bogus" in (tmp_path / "logs" / "bogus.log").read_text()
    finally:
        roles.stop()


def test_the_cache_is_the_same_from_every_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PACKSHOT_CACHE_FOLDER", raising=False)
    here = Settings().cache_folder
    monkeypatch.chdir(tmp_path)
    assert Settings().cache_folder == here
    assert here.is_absolute()
