"""The journal: notes without which something would be lost. No cache: nothing ever takes them away."""

from streams.blobs.content import filed, result_key
from streams.blobs.store import NotFound, ObjectStore

JOURNAL = "journal/"


class Journal:
    """Notes by id in an object store, each under `journal/ab/<id>`.

    Those of older versions lie among the results and are found there; pruning (`services.operating`) leaves them alone.
    """

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def write(self, note_id: str, note: bytes) -> None:
        """Writes a note over the one with the same id."""
        self._store.put(f"{JOURNAL}{filed(note_id)}", note)

    def read(self, note_id: str) -> bytes | None:
        """The note, or None when there is none."""
        for key in (f"{JOURNAL}{filed(note_id)}", result_key(note_id)):
            try:
                return self._store.get(key).data
            except NotFound:
                continue
        return None
