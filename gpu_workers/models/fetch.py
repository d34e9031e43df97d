"""`python -m gpu_workers.models.fetch [FOLDER]`: fetch every model's weights into FOLDER."""

import sys
from pathlib import Path

from gpu_workers.models.loader import fetch
from gpu_workers.models.manifest import ModelError, load_manifest, model_names


def main(arguments: list[str]) -> int:
    """Fetch into the folder named first, `.cache/weights` when none is; exit status 1 names what failed."""
    folder = Path(arguments[0]) if arguments else Path(".cache/weights")
    for name in model_names():
        try:
            print(fetch(load_manifest(name), folder))
        except ModelError as error:
            print(f"{name}: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
