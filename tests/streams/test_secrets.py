"""A password that stands in a setting is shown by nothing: no screen, error, log, span, file or list of processes."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from streams.commands import cli
from streams.commands.running import announce
from streams.facts import Database, DatabaseUnavailable
from streams.runtime.addresses import SecretStr
from streams.runtime.exits import Exit
from streams.runtime.masking import masked
from streams.runtime.settings import Settings, SettingsError, read_settings
from streams.runtime.supervisor import write_running_file
from tests.streams.test_screens import commands

SECRET = "hunter2planted"
HELD = {  # every setting that may hold one
    "PACKSHOT_KAFKA_SASL_PASSWORD": SECRET,
    "PACKSHOT_DATABASE_URL": f"postgresql://ada:{SECRET}@127.0.0.1:1/facts?password={SECRET}",
    "PACKSHOT_SCHEMA_REGISTRY_URL": f"http://ada:{SECRET}@127.0.0.1:1/",
}
TYPOS = [
    f"postgres://ada:{SECRET}@db.example/facts",
    f"postgresql:/ada:{SECRET}@db.example/facts",
    f"postgresql://ada:{SECRET}@db.example:54x2/facts",
    f"postgresql://ada:p/{SECRET}@db.example/facts",
    f"postgresql://ada:p#{SECRET}@db.example/facts",
    f"postgresql://ada:p?{SECRET}@db.example/facts",
    f"postgresql://ada:[{SECRET}@db.example/facts",
    f"postgresql://ada:\u2100{SECRET}@db.example/facts",
    f"ada:{SECRET}@db.example",
    f"{SECRET}",
]


def set_all(monkeypatch: pytest.MonkeyPatch, values: Mapping[str, str]) -> None:
    for name, value in values.items():
        monkeypatch.setenv(name, value)


def test_settings_show_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, HELD)
    settings = Settings()
    assert settings.database.count(SECRET) == 2
    assert settings.sasl_password == SECRET
    for shown in (repr(settings), str(settings), str(asdict(settings))):
        assert SECRET not in shown
    assert all(isinstance(getattr(settings, name.removeprefix("PACKSHOT_").lower()), SecretStr) for name in HELD)


@pytest.mark.parametrize("name", ["BLOBS_URL", "ORIGIN_URL", "S3_ENDPOINT", "CDN_BASE_URL"])
def test_addresses_that_are_shown_hold_none(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"PACKSHOT_{name}", f"https://ada:{SECRET}@store.example/x")
    with pytest.raises(SettingsError, match=f"PACKSHOT_{name}: no user name or password") as refused:
        read_settings()
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize("text", ["127.0.0.1/8", "10.0.0.0/33", f"ada:{SECRET}@db.example"])
def test_networks_that_are_none_are_reported_at_the_start_and_not_at_a_task(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PACKSHOT_SOURCE_PRIVATE_NETWORKS", f"10.0.0.0/8,{text}")
    with pytest.raises(SettingsError, match="PACKSHOT_SOURCE_PRIVATE_NETWORKS: network 2 is none") as refused:
        read_settings()
    assert text not in str(refused.value)


@pytest.mark.parametrize("typo", TYPOS)
@pytest.mark.parametrize("name", ["DATABASE_URL", "SCHEMA_REGISTRY_URL", "BLOBS_URL", "ENGINE", "BATCH_MAX"])
def test_a_typo_is_named_and_not_repeated(
    name: str, typo: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PACKSHOT_DATA_FOLDER", str(tmp_path))
    monkeypatch.setenv(f"PACKSHOT_{name}", typo)
    monkeypatch.setattr(sys, "argv", ["packshot", "status", "SKU"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    printed = capfd.readouterr()
    assert SECRET not in printed.out + printed.err
    assert ended.value.code == 2
    if name == "DATABASE_URL":
        with pytest.raises((SettingsError, DatabaseUnavailable)) as raised:
            Database(Settings().database).create_tables()
        assert SECRET not in str(raised.value) + repr(raised.value)


@pytest.mark.parametrize("path", [path for path, _ in commands() if path not in (("up",), ("run",))], ids="-".join)
def test_no_command_shows_a_password(
    path: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    set_all(monkeypatch, HELD)
    monkeypatch.setenv("PACKSHOT_DATA_FOLDER", str(tmp_path))
    monkeypatch.setenv("PACKSHOT_TRACES", str(tmp_path / "spans"))
    monkeypatch.chdir(tmp_path)
    command = dict(commands())[path]
    given = [_value(each) for each in command.params if each.param_type_name == "argument" and each.required]
    options = [[each.opts[0], "1"] for each in command.params if each.param_type_name == "option" and each.required]
    monkeypatch.setattr(sys, "argv", ["packshot", *path, *given, *chain.from_iterable(options)])
    with contextlib.suppress(SystemExit):
        cli.main()
    printed = capfd.readouterr()
    assert SECRET not in printed.out + printed.err
    assert SECRET not in "".join(file.read_text(errors="ignore") for file in tmp_path.rglob("*") if file.is_file())


def _value(argument: Any) -> str:
    return argument.type.choices[0] if hasattr(argument.type, "choices") else __file__


def test_what_nobody_foresaw_is_reported_without(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    def breaks(*_: object, **__: object) -> None:
        raise RuntimeError(f"could not open {HELD['PACKSHOT_DATABASE_URL']}")

    monkeypatch.setattr(cli.packshot, "invoke", breaks)
    monkeypatch.setattr(sys, "argv", ["packshot", "check"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    stderr = capsys.readouterr().err
    assert ended.value.code == Exit.BROKE
    assert "RuntimeError: could not open postgresql://***@127.0.0.1:1/facts" in stderr
    assert SECRET not in stderr


@pytest.mark.parametrize("form", ["json", "console"])
def test_logs_and_spans_hold_none(form: Any, tmp_path: Path) -> None:
    code = f"""
import logging, structlog
from streams.runtime import observability
from streams.runtime.settings import Settings
observability.set_up(Settings(log_format={form!r}, traces={str(tmp_path / "spans")!r}), "test")
url = {HELD["PACKSHOT_DATABASE_URL"]!r}
with observability.span("s", {{}}, {{"url": url}}):
    try:
        raise ValueError(url)
    except ValueError:
        structlog.get_logger().exception(url, where=url, many=[url])
        logging.getLogger("library").exception("at %s", url)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    spans = (tmp_path / "spans").read_text()
    assert "library" in done.stderr
    assert '"name": "s"' in spans
    assert SECRET not in done.stderr + done.stdout + spans


def test_what_runs_says_where_its_facts_are_without(tmp_path: Path, capsys: Any) -> None:
    settings = Settings(data_folder=tmp_path, database_url=HELD["PACKSHOT_DATABASE_URL"])
    write_running_file(settings, bootstrap_servers="127.0.0.1:1", broker="b", promises="", cdn=settings.cdn)
    announce(settings)
    stdout = capsys.readouterr().out
    assert "facts     postgresql://***@127.0.0.1:1/facts" in stdout
    assert SECRET not in stdout + settings.running_file.read_text()


def test_a_role_whose_database_is_away_shows_none(fresh_bootstrap: str, tmp_path: Path) -> None:
    held = {name: value for name, value in HELD.items() if name != "PACKSHOT_SCHEMA_REGISTRY_URL"}
    fields = {"PACKSHOT_DATA_FOLDER": str(tmp_path), "PACKSHOT_KAFKA_BOOTSTRAP_SERVERS": fresh_bootstrap}
    environment = {**os.environ, **held, **fields, "PACKSHOT_TRACES": str(tmp_path / "spans")}
    with (tmp_path / "log").open("w") as log:
        role = subprocess.Popen(
            [sys.executable, "-m", "streams.commands.cli", "run", "streams"], env=environment, stdout=log, stderr=log
        )
    try:
        give_up_at = time.monotonic() + 300
        while "the database does not answer" not in (tmp_path / "log").read_text():
            assert role.poll() is None, (tmp_path / "log").read_text()
            assert time.monotonic() < give_up_at
            time.sleep(0.2)
        assert SECRET.encode() not in Path(f"/proc/{role.pid}/cmdline").read_bytes()
    finally:
        role.terminate()
        role.wait(60)
    assert SECRET not in "".join(file.read_text(errors="ignore") for file in tmp_path.rglob("*") if file.is_file())


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://ada:s3@cret/@db.example/facts", "postgresql://***@db.example/facts"),
        ("at https://token@h.example/x and b@c.example", "at https://***@h.example/x and b@c.example"),
        ("https://s.example/a?X-Amz-Signature=abc&w=3", "https://s.example/a?X-Amz-Signature=***&w=3"),
        ("host=h password=abc dbname=d", "host=h password=*** dbname=d"),
        ("https://shop.example:8080/a@2x.jpg", "https://***@2x.jpg"),
        ("no secret here: 12:30, user@host", "no secret here: 12:30, user@host"),
    ],
)
def test_masking(text: str, shown: str) -> None:
    assert masked(text) == shown


@pytest.mark.parametrize(
    "text", ["x" * 100_000, "x." * 50_000, "a:" * 50_000, "a:/" * 30_000, "://" * 30_000, "0" * 100_000 + " a@"]
)
@pytest.mark.parametrize("end", ["", "@", " @", "/@"])
def test_masking_reads_a_long_text_once(text: str, end: str) -> None:
    began_s = time.process_time()
    masked(text + end)
    assert time.process_time() - began_s < 1  # a few ms each; with a look back at every character it was 35 s
