"""Folders and files for their owner alone, which nobody else can have put there.

Whoever may write to a folder can plant a link where a file of ours will be, or hold a lock that we will ask for. So our
files lie in folders of our own, are opened without following links, and whose they are is looked at once they are open.
"""

import contextlib
import errno
import os
import stat
from pathlib import Path

FOLDER_MODE = 0o700
FILE_MODE = 0o600
OTHERS = 0o077
ROOT = 0


class NotPrivate(Exception):
    """A folder or file that another user can change, or has put there; the message names it."""


def private_folder(path: Path) -> Path:
    """The folder, made where it is not there; of ours, others are shut out. Raises NotPrivate, OSError.

    A link of our own leads elsewhere. A folder of root's, as volumes are mounted, may be open to our group.
    """
    _check_link(path)
    path = path.resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        os.mkdir(path, FOLDER_MODE)
    folder = _open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        _check(path, folder, FOLDER_MODE)
    finally:
        os.close(folder)
    return path


def open_private(path: Path, flags: int = os.O_RDWR) -> int:
    """The descriptor of a file of ours, made where it is not there; 0600, no link. Raises NotPrivate, OSError."""
    file = _open(path, flags | os.O_CREAT)
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise NotPrivate(f"{path} is no regular file")
        _check(path, file, FILE_MODE)
    except BaseException:
        os.close(file)
        raise
    return file


def write_private(path: Path, text: str) -> None:
    """Puts a file of ours in its place, whole."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with open(open_private(temporary, os.O_WRONLY | os.O_TRUNC), "w") as file:
        file.write(text)
    os.replace(temporary, path)


def _open(path: Path, flags: int) -> int:
    try:
        return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, FILE_MODE)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EMLINK):
            raise NotPrivate(f"{path} is a link, and nobody's of ours") from error
        raise


def _check_link(path: Path) -> None:
    if path.is_symlink() and os.lstat(path).st_uid not in (os.getuid(), ROOT):
        raise NotPrivate(f"{path} is a link of another user's")


def _check(path: Path, descriptor: int, mode: int) -> None:
    found = os.fstat(descriptor)
    if found.st_uid == os.getuid():
        if found.st_mode & OTHERS:
            os.fchmod(descriptor, mode)
    elif found.st_uid != ROOT or found.st_mode & stat.S_IWOTH:
        raise NotPrivate(f"{path} belongs to another user, or all may write to it; name a folder of your own")
