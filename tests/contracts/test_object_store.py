"""What every object store promises, run on a folder, on a real S3 server and on the stores of the tests."""

import hashlib
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from streams.blobs import (
    BadKey,
    BlobCorrupt,
    Blobs,
    Journal,
    NotFound,
    ObjectStore,
    PreconditionFailed,
)


def test_what_was_put_comes_back_with_its_headers(store: ObjectStore) -> None:
    etag = store.put("a/b.jpg", b"pixels", content_type="image/jpeg", cache_control="max-age=60")
    stored = store.get("a/b.jpg")
    assert (stored.data, stored.content_type, stored.cache_control) == (b"pixels", "image/jpeg", "max-age=60")
    assert stored.etag == etag


def test_a_second_put_replaces_bytes_and_headers(store: ObjectStore) -> None:
    store.put("key", b"one", content_type="text/plain", cache_control="no-store")
    store.put("key", b"two", content_type="image/png")
    stored = store.get("key")
    assert (stored.data, stored.content_type, stored.cache_control) == (b"two", "image/png", None)


@pytest.mark.parametrize("data", [b"", b"\x00", os.urandom(8 << 20)], ids=["empty", "one byte", "8 MiB"])
def test_bodies_of_any_size(store: ObjectStore, data: bytes) -> None:
    store.put("body", data)
    assert hashlib.sha256(store.get("body").data).digest() == hashlib.sha256(data).digest()


@pytest.mark.parametrize("key", ["schöne größe/köln 1+2=3.jpg", "東京/靴.png", "a%2Fb&c?d#e", "x" * 255 + "/y"])
def test_keys_of_any_script(store: ObjectStore, key: str) -> None:
    store.put(key, b"1")
    assert store.exists(key)
    assert store.get(key).data == b"1"
    assert list(store.keys(key[:3])) == [key]


@pytest.mark.parametrize("key", ["", "/a", "a/", "a//b", "../a", "a/../b", "a/./b", ".hidden"])
def test_keys_that_some_file_system_reads_otherwise_are_refused(store: ObjectStore, key: str) -> None:
    with pytest.raises(BadKey, match="key"):
        store.put(key, b"1")


@pytest.mark.parametrize("key", ["a\nb", "a\\b", "x" * 256, "a/" * 450 + "a", "\ud800"])
def test_keys_that_are_too_long_or_unprintable_are_refused(store: ObjectStore, key: str) -> None:
    with pytest.raises(BadKey, match="key"):
        store.put(key, b"1")
    with pytest.raises(BadKey):
        store.get(key)


def test_what_is_not_there(store: ObjectStore) -> None:
    assert not store.exists("a/missing")
    with pytest.raises(NotFound, match="a/missing"):
        store.get("a/missing")
    store.delete("a/missing")


def test_delete_removes_one_object_and_may_be_repeated(store: ObjectStore) -> None:
    store.put("a/1", b"1")
    store.put("a/2", b"2")
    store.delete("a/1")
    store.delete("a/1")
    assert list(store.keys()) == ["a/2"]


def test_sizes_are_those_of_the_objects(store: ObjectStore) -> None:
    for key, size_bytes in {"a/1": 0, "a/2": 5, "b": 70_000}.items():
        store.put(key, b"x" * size_bytes)
    assert list(store.sizes("a/")) == [("a/1", 0), ("a/2", 5)]
    assert dict(store.sizes()) == {"a/1": 0, "a/2": 5, "b": 70_000}


def test_times_are_those_of_the_last_put(store: ObjectStore) -> None:
    before_ms = time.time() * 1000 - 1000  # whole seconds will do
    store.put("a/1", b"1")
    store.put("b", b"1")
    [(key, written_ms)] = store.written("a/")
    assert key == "a/1"
    assert before_ms <= written_ms <= time.time() * 1000 + 1000
    assert [key for key, _ in store.written()] == ["a/1", "b"]
    first = dict(store.written())["b"]
    _wait_for_another_second()
    store.put("b", b"2")
    assert dict(store.written())["b"] > first
    assert dict(store.written())["a/1"] == written_ms
    assert store.written_at_ms("a/1") == written_ms
    assert store.written_at_ms("a") is None


def _wait_for_another_second() -> None:
    # A file's time comes from the kernel's coarse clock, which may lie behind ours
    # by a tick: to wait for our own next second may still give the same one.
    time.sleep(1.1)


def test_listing_is_by_prefix_and_in_the_order_of_bytes(store: ObjectStore) -> None:
    for key in ["b", "a/b", "a-b", "a/a/z", "é", "a/a.x"]:
        store.put(key, b"")
    assert list(store.keys()) == ["a-b", "a/a.x", "a/a/z", "a/b", "b", "é"]
    assert list(store.keys("a/")) == ["a/a.x", "a/a/z", "a/b"]
    assert list(store.keys("a/a")) == ["a/a.x", "a/a/z"]
    assert list(store.keys("nothing/here")) == []


def test_listing_and_deleting_beyond_one_page_of_a_thousand(store: ObjectStore) -> None:
    keys = [f"many/{number:05}" for number in range(1010)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda key: store.put(key, b""), keys))
    store.put("other", b"")
    assert list(store.keys("many/")) == keys
    store.delete_prefix("many/")
    assert list(store.keys()) == ["other"]


def test_deleting_everything_has_to_be_meant(store: ObjectStore) -> None:
    with pytest.raises(BadKey, match="empty"):
        store.delete_prefix("")


def test_compare_and_set_moves_only_from_what_was_read(store: ObjectStore) -> None:
    first = store.put("manifest", b"1")
    second = store.put("manifest", b"2", if_match=first)
    with pytest.raises(PreconditionFailed, match="manifest"):
        store.put("manifest", b"3", if_match=first)
    assert store.get("manifest").data == b"2"
    assert store.get("manifest").etag == second


def test_compare_and_set_of_an_object_that_is_gone(store: ObjectStore) -> None:
    etag = store.put("manifest", b"1")
    store.delete("manifest")
    with pytest.raises(PreconditionFailed):
        store.put("manifest", b"2", if_match=etag)
    assert not store.exists("manifest")


def test_only_where_there_is_none(store: ObjectStore) -> None:
    store.put("once", b"1", if_absent=True)
    with pytest.raises(PreconditionFailed, match="once"):
        store.put("once", b"2", if_absent=True)
    assert store.get("once").data == b"1"


def test_of_threads_that_create_one_object_one_wins(store: ObjectStore) -> None:
    winners = _race(8, lambda number: store.put("race", str(number).encode(), if_absent=True))
    assert len(winners) == 1
    assert store.get("race").data == str(winners[0]).encode()


def test_of_threads_that_move_one_object_one_wins_each_round(store: ObjectStore) -> None:
    etag = store.put("race", b"start")
    for round_number in range(5):
        body = f"round {round_number} thread {{}}"
        expected = etag

        def move(number: int, body: str = body, expected: str = expected) -> str:
            return store.put("race", body.format(number).encode(), if_match=expected)

        winners = _race(6, move)
        assert len(winners) == 1
        stored = store.get("race")
        assert stored.data == body.format(winners[0]).encode()
        etag = stored.etag


def _race(count: int, put: Callable[[int], str]) -> list[int]:
    """The numbers of those threads whose conditional put went through, all started at once."""
    barrier = threading.Barrier(count)

    def run(number: int) -> bool:
        barrier.wait()
        try:
            put(number)
        except PreconditionFailed:
            return False
        return True

    with ThreadPoolExecutor(count) as threads:
        won = list(threads.map(run, range(count)))
    return [number for number, has_won in enumerate(won) if has_won]


def test_readers_never_see_half_an_object(store: ObjectStore) -> None:
    bodies = {letter * 200_000: f"text/{letter.decode()}" for letter in (b"a", b"b")}
    store.put("moving", b"a" * 200_000, content_type="text/a")
    done = threading.Event()

    def write() -> None:
        for _ in range(10):
            for body, content_type in bodies.items():
                store.put("moving", body, content_type=content_type)
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    seen = [store.get("moving")]
    while not done.is_set():
        seen.append(store.get("moving"))
    writer.join()
    assert all(bodies[stored.data] == stored.content_type for stored in seen)


def test_a_working_store_passes_its_check(store: ObjectStore) -> None:
    store.check()
    assert list(store.keys()) == []


def test_blobs_are_stored_once_under_their_digest(store: ObjectStore) -> None:
    blobs = Blobs(store)
    digest = blobs.put(b"pixels", "image/png")
    assert digest == hashlib.sha256(b"pixels").hexdigest()
    key = f"sha256/{digest[:2]}/{digest}"
    assert blobs.put(b"pixels", "text/plain") == digest
    assert list(store.keys()) == [key]
    assert store.get(key).content_type == "image/png", "the second put must not have written"
    assert blobs.get(digest) == b"pixels"
    assert blobs.exists(digest)
    assert not blobs.exists("0" * 64)


def test_a_blob_that_was_damaged_is_not_handed_out(store: ObjectStore) -> None:
    blobs = Blobs(store)
    digest = blobs.put(b"pixels")
    store.put(f"sha256/{digest[:2]}/{digest}", b"pixelz")
    with pytest.raises(BlobCorrupt, match=digest):
        blobs.get(digest)


@pytest.mark.parametrize("digest", ["", "abc", "A" * 64, "../" + "0" * 61])
def test_what_is_no_digest_is_refused(store: ObjectStore, digest: str) -> None:
    with pytest.raises(BadKey, match="64"):
        Blobs(store).get(digest)


def test_results_are_found_again_and_may_be_repeated(store: ObjectStore) -> None:
    blobs = Blobs(store)
    assert blobs.get_result("cafe01") is None
    blobs.put_result("cafe01", b"record")
    blobs.put_result("cafe01", b"record")
    assert blobs.get_result("cafe01") == b"record"
    assert list(store.keys("results/")) == ["results/ca/cafe01"]
    with pytest.raises(BadKey, match="result id"):
        blobs.put_result("a/b", b"")


DAY_MS = 86_400_000


def test_what_is_used_again_after_a_day_is_written_anew(store: ObjectStore) -> None:
    digest = Blobs(store).put(b"pixels", "image/png")
    Blobs(store).put_result("cafe01", b"record")
    before = dict(store.written())
    _wait_for_another_second()
    assert Blobs(store).put(b"pixels", "image/png") == digest
    assert Blobs(store).renew("cafe01", [digest])
    assert dict(store.written()) == before
    tomorrow = Blobs(store, lambda: time.time_ns() // 1_000_000 + DAY_MS)
    assert tomorrow.renew("cafe01", [digest])
    renewed = dict(store.written())
    assert all(renewed[key] > before[key] for key in before)
    assert store.get(f"sha256/{digest[:2]}/{digest}").content_type == "image/png"
    _wait_for_another_second()
    tomorrow.put(b"pixels", "image/png")
    assert store.written_at_ms(f"sha256/{digest[:2]}/{digest}") != renewed[f"sha256/{digest[:2]}/{digest}"]


def test_a_result_of_which_anything_is_gone_is_not_renewed(store: ObjectStore) -> None:
    blobs = Blobs(store)
    digest = blobs.put(b"pixels")
    assert not blobs.renew("cafe01", [digest])
    blobs.put_result("cafe01", b"record")
    assert blobs.renew("cafe01", [digest])
    assert not blobs.renew("cafe01", [digest, "0" * 64])


def test_a_journal_lies_apart_from_the_results(store: ObjectStore) -> None:
    journal = Journal(store)
    assert journal.read("cafe01") is None
    journal.write("cafe01", b"note")
    journal.write("cafe01", b"newer")
    assert journal.read("cafe01") == b"newer"
    assert list(store.keys()) == ["journal/ca/cafe01"]
    assert Blobs(store).get_result("cafe01") is None


def test_a_note_of_an_older_version_is_found_among_the_results(store: ObjectStore) -> None:
    Blobs(store).put_result("cafe01", b"older")
    assert Journal(store).read("cafe01") == b"older"
    Journal(store).write("cafe01", b"newer")
    assert Journal(store).read("cafe01") == b"newer"
