"""`python -m gpu_workers.models.fetch [FOLDER]`: the weights of every network that ships, into FOLDER."""

import sys
from pathlib import Path

from gpu_workers.models import people
from gpu_workers.models.loader import fetch, fetch_published
from gpu_workers.models.manifest import ModelError, shipped


def main(arguments: list[str]) -> int:
    """Fetch into the folder named first, `.cache/weights` when none is; exit status 1 names what failed."""
    folder = Path(arguments[0]) if arguments else Path(".cache/weights")
    for model in shipped().values():
        try:
            print(fetch(model, folder))
        except ModelError as error:
            print(f"{model.ref}: {error}", file=sys.stderr)
            return 1
    try:
        print(fetch_published(people.PUBLISHED, folder))
    except ModelError as error:
        print(f"people: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
