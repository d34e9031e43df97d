"""Object storage in a folder: the default on a laptop, and a server's disk behind a CDN.

An object is the file `root/key`, so that any web server can serve the folder. Its headers lie beside it in
`root/.store/headers`, under a name made of key *and* etag: old and new headers are there at the same time while the
object itself changes hands in one rename, so a crash leaves the old object or the new one, each with its own headers.
"""

import errno
import fcntl
import hashlib
import json
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from streams.blobs.store import (
    DEFAULT_CONTENT_TYPE,
    BadKey,
    NotFound,
    PreconditionFailed,
    Stored,
    StoreError,
    StoreFull,
    StoreRefused,
    StoreUnavailable,
    check_key,
    check_prefix,
)

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_REFUSED = {errno.EACCES, errno.EPERM, errno.EROFS}
_NO_NAME = {errno.ENAMETOOLONG, errno.EILSEQ}
_PATH_TAKEN = {errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENOTEMPTY}
_NO_FILE = (FileNotFoundError, NotADirectoryError, IsADirectoryError)
_ABANDONED_S = 3600.0


class FolderStore:
    """An ObjectStore in the folder `root`, safe between threads and processes of one machine.

    One rule beyond every store's: a key cannot be the beginning of another's path (`a` and `a/b`): BadKey.
    The etag is the SHA-256 of the content.
    """

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root).absolute()
        self.url = self.root.as_uri()
        self._own = self.root / ".store"

    def get(self, key: str) -> Stored:
        path = self._path(key)
        with self._os_errors(key), self._locked(key, fcntl.LOCK_SH):
            try:
                data = path.read_bytes()
            except _NO_FILE as missing:
                raise NotFound(f"{self.url}: no object {key}") from missing
            etag = _etag(data)
            headers = self._read_headers(key, etag)
        return Stored(data, etag, headers.get("content_type") or DEFAULT_CONTENT_TYPE, headers.get("cache_control"))

    def put(
        self,
        key: str,
        data: bytes,
        *,
        content_type: str = DEFAULT_CONTENT_TYPE,
        cache_control: str | None = None,
        if_match: str | None = None,
        if_absent: bool = False,
    ) -> str:
        path = self._path(key)
        etag = _etag(data)
        headers = json.dumps({"content_type": content_type, "cache_control": cache_control}).encode()
        with self._os_errors(key), self._temporary(data) as temporary, self._locked(key, fcntl.LOCK_EX):
            before = self._etag_of(path)
            self._check_precondition(key, before, if_match, if_absent)
            self._write_headers(key, etag, headers)
            _move(temporary, path)
            if before is not None and before != etag:
                self._headers_path(key, before).unlink(missing_ok=True)
        return etag

    def exists(self, key: str) -> bool:
        path = self._path(key)
        with self._os_errors(key):
            return path.is_file()

    def delete(self, key: str) -> None:
        path = self._path(key)
        with self._os_errors(key), self._locked(key, fcntl.LOCK_EX):
            etag = self._etag_of(path)
            if etag is not None:
                path.unlink()
                self._headers_path(key, etag).unlink(missing_ok=True)

    def delete_prefix(self, prefix: str) -> None:
        if not prefix:
            raise BadKey("delete_prefix: the prefix is empty, which would remove everything")
        for key in list(self.keys(prefix)):
            self.delete(key)

    def keys(self, prefix: str = "") -> Iterator[str]:
        folder = check_prefix(prefix).rpartition("/")[0]
        with self._os_errors(prefix):
            yield from (key for key in self._walk(folder) if key.startswith(prefix))

    def sizes(self, prefix: str = "") -> Iterator[tuple[str, int]]:
        return ((key, found.st_size) for key, found in self._looked_up(prefix))

    def written(self, prefix: str = "") -> Iterator[tuple[str, int]]:
        return ((key, found.st_mtime_ns // 1_000_000) for key, found in self._looked_up(prefix))

    def written_at_ms(self, key: str) -> int | None:
        path = self._path(key)
        with self._os_errors(key):
            try:
                return path.stat().st_mtime_ns // 1_000_000 if path.is_file() else None
            except _NO_FILE:  # removed since
                return None

    def check(self) -> None:
        """As in ObjectStore; also clears away what killed writers left half-written over an hour ago."""
        with self._os_errors(""), self._temporary(b"check") as temporary:
            oldest = temporary.stat().st_mtime - _ABANDONED_S
            for path in temporary.parent.iterdir():
                with suppress(FileNotFoundError):
                    if path.stat().st_mtime < oldest:
                        path.unlink()

    def _path(self, key: str) -> Path:
        return self.root / check_key(key)

    def _looked_up(self, prefix: str) -> Iterator[tuple[str, os.stat_result]]:
        for key in self.keys(prefix):
            with self._os_errors(key), suppress(FileNotFoundError):  # one that was removed since it was listed
                yield key, self._path(key).stat()

    def _walk(self, folder: str) -> Iterator[str]:
        try:
            entries = list(os.scandir(self.root / folder))
        except (FileNotFoundError, NotADirectoryError):
            return
        names = [entry.name + "/" * entry.is_dir() for entry in entries if not entry.name.startswith(".")]
        for name in sorted(names, key=str.encode):
            key = f"{folder}/{name}" if folder else name
            if key.endswith("/"):
                yield from self._walk(key[:-1])
            else:
                yield key

    def _etag_of(self, path: Path) -> str | None:
        try:
            return _etag(path.read_bytes())
        except _NO_FILE:
            return None

    def _check_precondition(self, key: str, etag: str | None, if_match: str | None, if_absent: bool) -> None:
        if if_absent and etag is not None:
            raise PreconditionFailed(f"{self.url}: {key} is there already")
        if if_match is not None and etag != if_match:
            raise PreconditionFailed(f"{self.url}: {key} has changed since it was read")

    def _headers_path(self, key: str, etag: str) -> Path:
        name = hashlib.sha256(f"{etag}/{key}".encode()).hexdigest()
        return self._own / "headers" / name[:2] / name

    def _read_headers(self, key: str, etag: str) -> dict[str, str | None]:
        """The object's headers; none for a file that something else put into the folder."""
        try:
            headers: dict[str, str | None] = json.loads(self._headers_path(key, etag).read_bytes())
        except FileNotFoundError:
            return {}
        return headers

    def _write_headers(self, key: str, etag: str, headers: bytes) -> None:
        with self._temporary(headers) as temporary:
            _move(temporary, self._headers_path(key, etag))

    @contextmanager
    def _temporary(self, data: bytes) -> Iterator[Path]:
        """A file in the store's own file system that holds `data`, on disk; removed unless it was moved away."""
        folder = self._own / "writing"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / uuid.uuid4().hex
        try:
            with path.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            yield path
        finally:
            path.unlink(missing_ok=True)

    @contextmanager
    def _locked(self, key: str, mode: int) -> Iterator[None]:
        """Hold the lock that all processes share for this key (and for the 1/256 of keys that share its file)."""
        folder = self._own / "locks"
        name = hashlib.sha256(key.encode()).hexdigest()[:2]
        try:
            lock = os.open(folder / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
        except FileNotFoundError:
            folder.mkdir(parents=True, exist_ok=True)
            lock = os.open(folder / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
        try:
            fcntl.flock(lock, mode)
            yield
        finally:
            os.close(lock)

    @contextmanager
    def _os_errors(self, key: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise self._store_error(key, error) from error

    def _store_error(self, key: str, error: OSError) -> StoreError:
        if error.errno in _PATH_TAKEN:
            return BadKey(f"{self.url}: key {key!r} and another key lie on one path")
        if error.errno in _NO_NAME:
            return BadKey(f"{self.url}: no file can be called {key!r} here: {error.strerror}")
        if error.errno in _FULL:
            return StoreFull(f"{self.url}: no space left: {error.strerror}")
        if error.errno in _REFUSED:
            return StoreRefused(f"{self.url}: not allowed: {error.strerror}: {error.filename}")
        return StoreUnavailable(f"{self.url}: {error}")


def _etag(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _move(temporary: Path, path: Path) -> None:
    """Put a complete file in its place for good: the rename, then the folder entry itself, reach the disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    os.replace(temporary, path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
