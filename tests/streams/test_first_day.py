"""The mistakes of a first day: each is answered in one line that says how to go on."""

import errno
import os
import sys
from pathlib import Path

import click
import pytest
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from infra.servers.process import free_port
from streams.commands import cli
from streams.consumer.clients import client_config
from streams.consumer.unreachable import described
from streams.runtime.fields import Wrong, converted
from streams.runtime.settings import Settings
from streams.services.submitting.event_files import problems, read_events

GROUPS = [
    name
    for name in cli.COMMANDS
    if isinstance(cli.packshot.get_command(click.Context(cli.packshot), name), click.Group)
]


def said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What a command that cannot do its work writes to the error's stream."""
    monkeypatch.setattr(sys, "argv", ["packshot", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    printed = capsys.readouterr()
    assert ended.value.code == 2
    assert printed.out == ""
    return printed.err


@pytest.mark.parametrize("group", GROUPS)
def test_a_mistyped_command_of_a_group_is_answered_with_the_one_that_is_meant(
    group: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = cli.packshot.get_command(click.Context(cli.packshot), group)
    assert isinstance(command, click.Group)
    meant = sorted(command.commands)[0]
    assert f"Did you mean '{meant}'?" in said(monkeypatch, capsys, group, f"{meant}x")
    assert f"`packshot {group} --help`" in said(monkeypatch, capsys, group, "xyzzy")


@pytest.mark.parametrize("folder", ["/proc/x", "/dev/null", "/dev/null/x"])
@pytest.mark.parametrize("command", [("up",), ("status", "X")], ids=" ".join)
def test_a_data_folder_that_cannot_be_is_reported_with_the_setting_that_names_another(
    folder: str, command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PACKSHOT_DATA_FOLDER", folder)
    printed = said(monkeypatch, capsys, *command)
    assert printed.startswith(f"packshot: {folder.removesuffix('/x')}")
    assert printed.endswith("; PACKSHOT_DATA_FOLDER names another place for the data\n")
    assert printed.count("\n") == 1


def test_a_file_elsewhere_that_cannot_be_written_is_no_matter_of_the_data_folder(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), "/elsewhere/out.png")

    monkeypatch.setattr(cli.packshot, "invoke", refuse)
    assert said(monkeypatch, capsys, "up") == "packshot: /elsewhere/out.png: Read-only file system\n"


def test_brokers_that_are_not_there_are_reported_with_what_names_them(tmp_path: Path) -> None:
    settings = Settings(data_folder=tmp_path, kafka_bootstrap_servers=f"127.0.0.1:{free_port()}")
    with pytest.raises(KafkaException) as caught:
        AdminClient(client_config(settings)).list_topics(timeout=0.5)
    text = described(settings, caught.value)
    assert text.startswith(f"the brokers at {settings.bootstrap_servers} do not answer (")
    assert text.endswith("); PACKSHOT_KAFKA_BOOTSTRAP_SERVERS names them")


def test_brokers_of_an_up_that_has_ended_are_reported_with_how_to_start_them(tmp_path: Path) -> None:
    (tmp_path / "running.json").write_text('{"bootstrap_servers": "127.0.0.1:1"}')
    text = described(Settings(data_folder=tmp_path), TimeoutError())
    assert text == (
        "the brokers at 127.0.0.1:1 do not answer; the `packshot up` of this folder has ended or hangs: start it again"
    )


def test_brokers_that_refuse_are_not_said_to_be_silent(tmp_path: Path) -> None:
    settings = Settings(data_folder=tmp_path, kafka_bootstrap_servers="127.0.0.1:1")
    error = KafkaException(KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED))
    assert described(settings, error) == "the brokers at 127.0.0.1:1: Broker: Topic authorization failed"


def test_a_value_of_the_wrong_kind_is_reported_in_words() -> None:
    with pytest.raises(Wrong, match="Expected a whole number, got text"):
        converted(Settings, "cdn_port", "abc")


def test_a_mistyped_field_is_reported_with_the_one_that_is_meant() -> None:
    wrong = dict(problems({"type": "CatalogChanged", "titel": "Mug", "xyzzy": 1, "sku": 5, "tenant": "a b"}))
    assert wrong["titel"] == "there is no such field, did you mean title?"
    assert wrong["xyzzy"] == "there is no such field"
    assert wrong["sku"] == "Expected text, got a whole number"
    assert wrong["tenant"].startswith("Expected text of letters without accents, digits, dots,")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"PK\x03\x04\x14\x00", "if it is an Excel or OpenDocument file, save it as CSV"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF", "it is no text"),
        (b"id,name\n1,Mug\n", "the first line names no column sku"),
    ],
)
def test_a_file_that_holds_no_events_is_reported_with_what_it_may_be(tmp_path: Path, content: bytes, why: str) -> None:
    file = tmp_path / "events"
    file.write_bytes(content)
    events, bad = read_events(file)
    assert events == []
    assert [each.message for each in bad] == [f"neither JSON nor CSV: {why}"]
