"""Nobody else's folder, link or file stands in for one of ours; what we keep is kept from others."""

import os
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from streams.facts import Database
from streams.publishing.transactions import Transactions
from streams.runtime import private
from streams.runtime.private import NotPrivate, open_private, private_folder, write_private
from streams.runtime.settings import Settings
from streams.runtime.supervisor import AlreadyRunning, only_one, write_running_file

ANOTHER = 12_345


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


@pytest.fixture(autouse=True)
def _open_to_all() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.fixture
def another(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is there belongs to somebody else, who is not root either."""
    monkeypatch.setattr(private, "ROOT", ANOTHER + 1)
    monkeypatch.setattr(os, "getuid", lambda: ANOTHER)


def test_what_we_make_is_ours_alone(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with only_one(folder):
        settings = Settings(data_folder=folder)
        write_running_file(settings, broker="b")
        Database(settings.database).create_tables()
        config = {"bootstrap.servers": "127.0.0.1:1"}
        names = Transactions(config, {}, "publish", "publisher", settings.names_folder, threading.Event())
        made = list(folder.rglob("*"))
        assert {path.name for path in made} >= {"up.lock", "running.json", "facts.db", "names", "publisher-0.lock"}
        assert {mode(path) for path in made if path.is_file()} == {0o600}
        assert {mode(path) for path in [folder, *made] if path.is_dir()} == {0o700}
        names.close()


def test_a_folder_of_ours_that_was_open_is_shut(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(0o777)
    (tmp_path / "data" / "up.lock").touch(0o666)
    with only_one(tmp_path / "data"):
        assert (mode(tmp_path / "data"), mode(tmp_path / "data" / "up.lock")) == (0o700, 0o600)
        with pytest.raises(AlreadyRunning), only_one(tmp_path / "data"):
            pass


def test_a_planted_link_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_text("kept")
    places: dict[str, Callable[[Path], object]] = {
        "up.lock": lambda folder: only_one(folder).__enter__(),
        "facts.db": lambda folder: Database(f"sqlite:///{folder / 'facts.db'}"),
        f".running.json.{os.getpid()}": lambda folder: write_private(folder / "running.json", "{}"),
    }
    for name, opened in places.items():
        folder = tmp_path / f"data-{name}"
        folder.mkdir()
        (folder / name).symlink_to(target)
        with pytest.raises(NotPrivate, match="is a link"):
            opened(folder)
    assert target.read_text() == "kept"


@pytest.mark.usefixtures("another")
def test_what_belongs_to_another_is_refused(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "their.lock").touch()
    (tmp_path / "link").symlink_to(tmp_path / "theirs")
    with pytest.raises(NotPrivate, match="theirs belongs to another user"):
        private_folder(tmp_path / "theirs")
    with pytest.raises(NotPrivate, match=r"their\.lock belongs to another user"):
        open_private(tmp_path / "their.lock")
    with pytest.raises(NotPrivate, match="link is a link of another user's"):
        private_folder(tmp_path / "link")


def test_a_volume_of_roots_may_be_open_to_our_group_and_not_to_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "volume").mkdir(0o775)
    monkeypatch.setattr(private, "ROOT", os.getuid())
    monkeypatch.setattr(os, "getuid", lambda: ANOTHER)
    assert private_folder(tmp_path / "volume") == tmp_path / "volume"
    (tmp_path / "volume").chmod(0o777)
    with pytest.raises(NotPrivate):
        private_folder(tmp_path / "volume")


def test_a_link_of_our_own_leads_to_another_disk(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "data").symlink_to(tmp_path / "disk")
    assert private_folder(tmp_path / "data") == tmp_path / "disk"


def test_a_pipe_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(NotPrivate, match="no regular file"):
        open_private(tmp_path / "pipe")


def test_nothing_of_ours_lies_in_the_shared_temporary_folder() -> None:
    sources = [file for package in ("streams", "gpu_workers") for file in Path(package).rglob("*.py")]
    assert sources
    assert [file for file in sources if "gettempdir" in file.read_text() or '"/tmp' in file.read_text()] == []
