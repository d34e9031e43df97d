"""`python -m gpu_workers.models.fetch FOLDER`: the weights of every network that ships, into FOLDER."""

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from gpu_workers.models import people
from gpu_workers.models.loader import FetchFailed, fetch, fetch_published, is_right
from gpu_workers.models.manifest import ModelError, shipped


def fetch_all(folder: Path, report: Callable[[str], None]) -> None:
    """Makes `folder` hold the weights of every network that ships; `tell` hears of each that is fetched.

    Raises FetchFailed, naming the network that cannot be had.
    """
    seen = people.PUBLISHED
    wanted: list[tuple[str, Path, str, Callable[[], Path]]] = [
        (model.ref, folder / model.file, model.sha256, partial(fetch, model, folder)) for model in shipped().values()
    ]
    wanted.append(("people", folder / seen.file, seen.sha256, partial(fetch_published, seen, folder)))
    for name, path, sha256, get in wanted:
        if is_right(path, sha256):
            continue
        report(f"fetching {name} into {folder}")
        try:
            get()
        except ModelError as error:
            raise FetchFailed(f"{name}: {error}") from error


def main(arguments: list[str]) -> int:
    """Fetch into the folder that is named; exit status 1 says what failed."""
    try:
        fetch_all(Path(arguments[0]), print)
    except ModelError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
