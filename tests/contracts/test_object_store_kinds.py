"""What only one kind of object store does: buckets of a server, folders of a disk; and the URLs that name them."""

import json
import multiprocessing
import os
import signal
import time
import uuid
from pathlib import Path

import pytest

from infra.servers.process import free_port
from streams.blobs import (
    BadKey,
    BadUrl,
    FolderStore,
    NotFound,
    PreconditionFailed,
    StoreFull,
    StoreRefused,
    StoreUnavailable,
    open_store,
)
from streams.blobs.s3 import S3Store
from streams.runtime.errors import Unavailable

_SPAWN = multiprocessing.get_context("spawn")


def test_two_prefixes_of_a_bucket_do_not_meet(s3_endpoint: str) -> None:
    one, other = (S3Store("packshot", f"{name}-{uuid.uuid4().hex}", s3_endpoint) for name in ("one", "one"))
    one.put("key", b"1")
    assert not other.exists("key")
    assert list(other.keys()) == []


def test_a_bucket_that_is_not_there(s3_endpoint: str) -> None:
    store = S3Store("no-such-bucket", "", s3_endpoint)
    with pytest.raises(StoreRefused, match="no bucket no-such-bucket"):
        store.check()
    with pytest.raises(StoreRefused, match="no-such-bucket"):
        store.put("key", b"1")


def test_a_server_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "any")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "any")
    store = S3Store("bucket", "", f"http://127.0.0.1:{free_port()}")
    with pytest.raises(StoreUnavailable, match="does not answer") as caught:
        store.check()
    assert isinstance(caught.value, Unavailable)


def test_wrong_credentials(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(StoreRefused):
        S3Store("packshot", "", s3_endpoint.replace("127.0.0.1", "localhost")).check()


def test_a_key_cannot_be_a_folder_of_others(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    store.put("a/b", b"1")
    with pytest.raises(BadKey, match="one path"):
        store.put("a", b"2")
    with pytest.raises(BadKey, match="one path"):
        store.put("a/b/c", b"2")
    with pytest.raises(NotFound):
        store.get("a")
    with pytest.raises(NotFound):
        store.get("a/b/c")
    store.delete("a")
    assert list(store.keys()) == ["a/b"]


def test_a_name_that_the_disk_does_not_take_is_the_keys_fault_and_waited_for_by_nobody(tmp_path: Path) -> None:
    root = tmp_path
    while len(str(root)) < 3700:  # of 4096 bytes that Linux has for a path
        root = root / ("x" * 200)
    store = FolderStore(root)
    key = "/".join(["y" * 200] * 4)
    for call in (lambda: store.put(key, b"data"), lambda: store.get(key), lambda: store.exists(key)):
        with pytest.raises(BadKey):
            call()
    store.put("short", b"data")


def test_a_full_disk_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FolderStore(tmp_path)
    store.put("key", b"old")

    def no_space(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(StoreFull, match="No space left"):
        store.put("key", b"new")
    monkeypatch.undo()
    assert store.get("key").data == b"old"
    assert list((tmp_path / ".store" / "writing").iterdir()) == []


def test_what_killed_writers_left_is_cleared_away(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    store.check()
    old, new = (tmp_path / ".store" / "writing" / name for name in ("old", "new"))
    old.write_bytes(b"half")
    new.write_bytes(b"half")
    os.utime(old, (time.time() - 7200,) * 2)
    store.check()
    assert not old.exists()
    assert new.exists()


def test_a_file_that_something_else_put_there_is_served(tmp_path: Path) -> None:
    (tmp_path / "logo.png").write_bytes(b"png")
    stored = FolderStore(tmp_path).get("logo.png")
    assert (stored.data, stored.content_type) == (b"png", "application/octet-stream")


def test_of_processes_that_count_in_one_object_no_step_is_lost(tmp_path: Path) -> None:
    FolderStore(tmp_path).put("counter", b"0")
    workers = [_SPAWN.Process(target=_count_up, args=(str(tmp_path), 25)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    assert FolderStore(tmp_path).get("counter").data == b"75"


def _count_up(root: str, times: int) -> None:
    store = FolderStore(root)
    while times:
        stored = store.get("counter")
        try:
            store.put("counter", str(int(stored.data) + 1).encode(), if_match=stored.etag)
            times -= 1
        except PreconditionFailed:
            continue


def test_a_killed_writer_leaves_the_old_object_or_the_new(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    store.put("key", _record(0), content_type="text/0")
    for _ in range(3):
        writer = _SPAWN.Process(target=_write_for_ever, args=(str(tmp_path),))
        writer.start()
        assert writer.pid is not None
        before = store.get("key").etag
        while store.get("key").etag == before:
            assert writer.is_alive()
        os.kill(writer.pid, signal.SIGKILL)
        writer.join()
        stored = store.get("key")
        number = json.loads(stored.data)["number"]
        assert stored.data == _record(number)
        assert stored.content_type == f"text/{number}"
        store.put("key", _record(number + 1), content_type=f"text/{number + 1}", if_match=stored.etag)


def _record(number: int) -> bytes:
    return json.dumps({"number": number, "padding": "x" * 100_000}).encode()


def _write_for_ever(root: str) -> None:
    store = FolderStore(root)
    number = json.loads(store.get("key").data)["number"]
    while True:
        number += 1
        store.put("key", _record(number), content_type=f"text/{number}")


def test_urls_that_name_a_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    spaced = (tmp_path / "with space").as_uri()
    assert open_store(spaced).url == spaced
    assert open_store("file:pixels").url == (tmp_path / "pixels").as_uri()
    assert open_store("s3://bucket/a/b/").url == "s3://bucket/a/b"
    assert open_store("s3://bucket").url == "s3://bucket"


@pytest.mark.parametrize(
    "url",
    ["", "pixels", "/pixels", "file:", "file://host/pixels", "s3:///key", "gs://bucket", "s3://b/../c", "file:///a?b"],
)
def test_urls_that_do_not(url: str) -> None:
    with pytest.raises(BadUrl, match="blobs_url"):
        open_store(url)
