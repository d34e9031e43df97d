"""What networks said of a photograph, kept beside its cutout: a retouch of it asks none of them again.

An answer is found by the pixels that were asked about, so that it cannot be of others. All of one photograph lie in a
blob that a result names, and go with it when nobody used them for long.
"""

import hashlib
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import msgspec
import numpy as np

from gpu_workers.imaging.types import Code, Plane
from gpu_workers.imaging.writing import Points
from gpu_workers.operations.cutout.prediction import MaskPredictor
from gpu_workers.reading.reader import Reader
from gpu_workers.reading.recognising import Recognised
from gpu_workers.results import Result
from schemas.decoding import prepare
from schemas.identity import result_id
from schemas.records import Blob
from streams.blobs import BlobCorrupt, Blobs, NotFound

SUBJECT, PEOPLE = "subject", "people"  # what a network is asked for
MEDIA_TYPE = "application/vnd.packshot.answers+msgpack"
_LEVEL = 1  # of zlib: masks of 0 and 1 shrink to a fifth at any level, and more takes longer than the blob store


class Answer(msgspec.Struct, frozen=True, array_like=True):
    """An answer in numbers of 32 or 64 bits, packed; of a line of text also what it says."""

    shape: tuple[int, ...]
    packed: bytes
    text: str = ""


@dataclass
class Answers:
    """The answers to what is asked of one photograph; `computed` of them no network had given before."""

    known: Mapping[str, Answer] = field(default_factory=dict)
    given: dict[str, Answer] = field(default_factory=dict)
    computed: int = 0

    def seeing(self, what: str, predict: MaskPredictor) -> MaskPredictor:
        """`predict`, which says where the subject is, or people, and is asked only what it was never asked."""

        def seen(rgb: Code) -> Plane:
            return _plane(self._answer(what, rgb, lambda: _packed(predict(rgb))))

        return seen

    def reading(self, reader: Reader) -> Reader:
        """`reader`, which is asked only what it was never asked."""

        def find(rgb: Code) -> list[Points]:
            return [*_points(self._answer("find", rgb, lambda: _packed_points(reader.find(rgb))))]

        def recognise(line: Code) -> Recognised:
            return _recognised(self._answer("recognise", line, lambda: _packed_recognised(reader.recognise(line))))

        return replace(reader, find=find, recognise=recognise)

    def are_given(self, what: str) -> bool:
        """Whether any answer was given to this."""
        return any(key.startswith(f"{what} ") for key in self.given)

    def _answer(self, what: str, pixels: Code, ask: Callable[[], Answer]) -> Answer:
        key = f"{what} {_digest(pixels)}"
        known = self.given.get(key) or self.known.get(key)
        if known is None:
            self.computed += 1
            known = ask()
        self.given[key] = known
        return known


def answers_id(source: str, engine: str, reader: Reader | None) -> str:
    """The id under which the answers about a photograph lie: `source` is its digest, `engine` and `reader` who gave
    them."""
    return result_id("answers", {}, [source], engine, "" if reader is None else reader.fingerprint)


def known_answers(blobs: Blobs, identity: str) -> Answers:
    """What is known of a photograph; nothing where that was pruned."""
    record = blobs.get_result(identity)
    if record is None:
        return Answers()
    digests = [each.digest for each in msgspec.json.decode(record, type=Result).outputs]
    if not blobs.renew(identity, digests):
        return Answers()
    try:
        return Answers(msgspec.msgpack.decode(blobs.get(digests[0]), type=dict[str, Answer]))
    except (NotFound, BlobCorrupt):  # a cache: what is not there any more is asked again
        return Answers()


def keep(blobs: Blobs, identity: str, answers: Answers) -> None:
    """Keeps what was given, where it was not known already."""
    if not answers.computed:
        return
    data = msgspec.msgpack.encode(answers.given)
    digest = blobs.put(data, MEDIA_TYPE)
    blob = Blob(role="answers", digest=digest, media_type=MEDIA_TYPE, width_px=0, height_px=0, size_bytes=len(data))
    blobs.put_result(identity, msgspec.json.encode(Result(outputs=[blob], measures={}, engine="", timings_ms={})))


def _digest(pixels: Code) -> str:
    digest = hashlib.sha256(str(pixels.shape).encode())
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()


def _packed(plane: Plane) -> Answer:
    return Answer(plane.shape, zlib.compress(np.ascontiguousarray(plane, np.float32).data, _LEVEL))


def _plane(answer: Answer) -> Plane:
    return np.frombuffer(zlib.decompress(answer.packed), np.float32).reshape(answer.shape).copy()


def _packed_points(found: list[Points]) -> Answer:
    points = np.array(found, np.float64).reshape(-1, 4, 2)
    return Answer(points.shape, zlib.compress(points.data, _LEVEL))


def _points(answer: Answer) -> Points:
    return np.frombuffer(zlib.decompress(answer.packed), np.float64).reshape(answer.shape).copy()


def _packed_recognised(recognised: Recognised) -> Answer:
    return Answer((), np.float64(recognised.confidence).tobytes(), recognised.text)


def _recognised(answer: Answer) -> Recognised:
    return Recognised(answer.text, float(np.frombuffer(answer.packed, np.float64)[0]))


prepare(Answer, dict[str, Answer])
