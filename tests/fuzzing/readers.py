"""What reads records, or files, and works on nothing: the decoder, the dead letters' desk, the audit, `submit`."""

import io
import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, redirect_stdout
from dataclasses import replace
from functools import partial
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from unittest.mock import patch

import msgspec

from schemas import codec, topics
from schemas.records import Event, TaskCompleted, TaskFailed
from schemas.text import UNFIT
from streams.blobs import Blobs
from streams.commands.tables.dead import show_letter, show_letters
from streams.commands.tables.submit import show_submission
from streams.commands.tables.system import show_report
from streams.consumer import backlog
from streams.consumer.letters import Delivery, Outgoing, RetryPolicy, event_in, written_at_ms
from streams.facts import Database
from streams.publishing.manifest import Manifest, manifest_key
from streams.runtime.errors import Refused
from streams.runtime.screen import console
from streams.runtime.settings import Settings
from streams.services.audit import audit as auditing
from streams.services.recovery import dead
from streams.services.recovery.dead import DeadLetter, Wanted
from streams.services.submitting import event_files, submission
from tests.fuzzing.files import file_of_events
from tests.fuzzing.oracle import Broken, nothing_unforeseen, sound
from tests.fuzzing.records import Records
from tests.memory_store import MemoryStore
from tests.simulation.flow_running import running
from tests.streams.flow import Recorder

EVERY = [topic.name for topic in topics.every((1000,))]
DELAYS_MS = (1000,)
_UNFIT = re.compile(f"(?!\n)[{UNFIT}]")
DECODED, DAMAGED, NOTED, AUDITED, FILES = 60, 10, 40, 120, 15


def decoder(seed: int) -> int:
    """What a consumer reads first: an event comes out that can be written again, or a typed error that can be shown."""
    records = Records(Random(seed))
    for offset in range(DECODED):
        drawn = records.delivery(EVERY, offset)
        for value in (drawn.value, *(records.damaged(drawn.value) for _ in range(DAMAGED))):
            read = replace(drawn, value=value)
            _decode(read)
            _consider(read)
    return DECODED * (1 + DAMAGED)


def _decode(read: Delivery) -> None:
    try:
        event = codec.decode(read.value)
    except codec.WireError as error:
        if len(str(error)) > 10_000 or not isinstance(error.field, str):
            raise Broken(f"an error that nobody wants to read: {str(error)[:200]}") from error
        return
    if codec.decode(codec.encode(event)) != event:
        raise Broken(f"not the same when it is written again: {event}")


def _belongs(event: Event, topic: str) -> bool:
    """As `topics.belongs`, but for replies by a way of its own: a planted bug has all records belong everywhere."""
    answers = isinstance(event, TaskCompleted | TaskFailed)
    return topics.topic_of(event).name == topic or (answers and topic == topics.REPLIES.name)


def _consider(read: Delivery) -> None:
    try:
        event = event_in(read)
    except Refused as refusal:
        if not refusal.code or not refusal.message.isprintable():
            raise Broken(f"a refusal that cannot be shown: {refusal.message!r}") from refusal
        return
    if not _belongs(event, read.topic) or topics.key_of(event) != read.key:
        raise Broken(f"{read.key!r} on {read.topic} is taken for {event}")


class _Desk:
    """The topics, as the commands read them; what they write is put there."""

    def __init__(self) -> None:
        self.log: dict[str, list[Delivery]] = {}

    def put(self, record: Outgoing, timestamp_ms: int = 1) -> None:
        """Writes a record."""
        of_topic = self.log.setdefault(record.topic, [])
        place = (record.topic, 0, len(of_topic))
        of_topic.append(Delivery(*place, record.key, record.value, list(record.headers), written_at_ms(timestamp_ms)))

    def read(self, _settings: Settings, names: Sequence[str], **_: object) -> Iterator[Delivery]:
        """See streams.consumer.reading.read."""
        return iter([each for name in names for each in self.log.get(name, [])])

    def at(self, _settings: Settings, wanted: Mapping[tuple[str, int], Collection[int]]) -> Iterator[Delivery]:
        """See streams.consumer.reading.at."""
        return iter([self.log[topic][offset] for (topic, _), offsets in wanted.items() for offset in sorted(offsets)])

    @contextmanager
    def only_writer(self, _settings: Settings) -> Iterator["_Desk"]:
        """See streams.services.recovery.dead."""
        yield self

    def begin_transaction(self) -> None: ...

    def produce(self, topic: str, value: bytes, key: bytes | None, headers: list[tuple[str, bytes]]) -> None:
        """See confluent_kafka.Producer."""
        self.put(Outgoing(topic, key, value, headers))

    def commit_transaction(self, _within_s: float) -> None: ...


@contextmanager
def _desk(folder: Path) -> Iterator[tuple[_Desk, Settings]]:
    desk = _Desk()
    settings = Settings(data_folder=folder, retry_delays_ms=",".join(map(str, DELAYS_MS)))
    with ExitStack() as stack:
        stack.enter_context(patch.object(dead, "read", desk.read))
        stack.enter_context(patch.object(dead, "at", desk.at))
        stack.enter_context(patch.object(dead, "_only_writer", desk.only_writer))
        yield desk, settings


def desk_of_dead_letters(seed: int) -> int:
    """`dead list`, `show`, `replay` and `discard`: each letter is shown and ends, or says why it cannot."""
    rng = Random(seed)
    records, blobs = Records(rng), Blobs(MemoryStore())
    policy = RetryPolicy((), originals=blobs)
    with TemporaryDirectory() as folder, nothing_unforeseen(), _desk(Path(folder)) as (desk, settings):
        for offset in range(NOTED):
            read = records.delivery([topics.DEAD.name, topics.LETTERS.name] if rng.random() < 0.5 else EVERY, offset)
            own = rng.random() < 0.5
            refusal = Refused(rng.choice(["bad", "x" * 99]), records.text(), field=records.text(), poison=own)
            desk.put(
                policy.letter(read, refusal, 5) if own else Outgoing(read.topic, read.key, read.value, read.headers)
            )
        _resolve(desk, settings, rng)
    return NOTED


def _resolve(desk: _Desk, settings: Settings, rng: Random) -> None:
    written = desk.log.get(topics.DEAD.name, [])
    found = dead.find(settings, Wanted())
    if not {each.record.position for each in found} <= {each.position for each in written}:
        raise Broken("letters that nobody wrote")
    if written and not found:
        raise Broken("no letter is found")
    _shown(lambda as_json: show_letters(found, as_json=as_json))
    for letter in rng.sample(found, min(len(found), 12)):
        _shown(partial(_show_letter, letter))
        wanted = Wanted(names=frozenset([letter.name]))
        if letter.state != "open":
            continue
        if rng.random() < 0.7:
            replayed = dead.replay(settings, wanted, "ada")
            if any(why.code not in ("no_origin", "original_lost") for _, why in replayed.left):
                raise Broken(f"{letter.name} cannot be resolved: {replayed.left}")
            ended = replayed.sent
            if replayed.left:
                continue
        else:
            ended = dead.discard(settings, wanted, "ada", "old")
        (now,) = dead.find(settings, wanted)
        if [each.name for each in ended] != [letter.name] or now.state == "open":
            raise Broken(f"{letter.name} is resolved, and {now.state}")


def _show_letter(letter: DeadLetter, as_json: bool) -> None:
    show_letter(letter, as_json=as_json)


def _shown(show: Callable[[bool], None]) -> None:
    """Shows something as a table and as JSON: what is no JSON, or steers a terminal, is Broken."""
    for as_json in (False, True):
        written = io.StringIO()
        with patch.object(console, "_file", written), redirect_stdout(written):
            show(as_json)
        text = written.getvalue()
        if as_json:
            json.loads(text)
        elif unfit := _UNFIT.search(text):
            raise Broken(f"a terminal would obey {unfit[0]!r} of {text!r}")


def audit(seed: int) -> int:
    """`audit` over topics that hold anything, and manifests that may be none."""
    rng = Random(seed)
    records = Records(rng)
    with (
        TemporaryDirectory() as folder,
        nothing_unforeseen(),
        _desk(Path(folder)) as (desk, settings),
        ExitStack() as stack,
    ):
        for offset in range(AUDITED):
            read = records.delivery(EVERY, offset)
            desk.put(Outgoing(read.topic, read.key, read.value, read.headers), read.timestamp_ms)
        progress = {(name, 0): rng.randint(0, len(read)) for name, read in desk.log.items() if rng.random() < 0.8}
        origin = MemoryStore()
        for sku in ("A", "Ä 1"):
            data = msgspec.json.encode(Manifest(tenant="acme", sku=sku))
            origin.put(manifest_key("acme", sku), data if rng.random() < 0.9 else records.damaged(data))
        for name, its in {
            "read": desk.read,
            "progress": lambda _settings: progress,
            "standing": lambda *_: [],
            "open_store": lambda *_, **__: origin,
        }.items():
            stack.enter_context(patch.object(auditing, name, its))
        stack.enter_context(patch.object(backlog, "gaps", lambda *_: []))
        database = stack.enter_context(running())
        stack.enter_context(patch.object(auditing, "Database", lambda _url: database))
        stack.enter_context(patch.object(database, "close", lambda: None))
        try:
            report = auditing.audit(settings, deep=rng.random() < 0.5)
        except Refused:  # for a manifest that is none
            return AUDITED
        _shown(lambda as_json: show_report(report, as_json=as_json))
    return AUDITED


def submit(seed: int) -> int:
    """`submit`: every event of a file is sent, or told to be wrong by its line."""
    rng = Random(seed)
    with TemporaryDirectory() as folder, nothing_unforeseen(), running() as database:
        for number in range(FILES):
            data, lines = file_of_events(rng)
            file = Path(folder) / f"{number}"
            file.write_bytes(data)
            _submit(file, lines, database)
    return FILES


def _submit(file: Path, lines: set[int], database: Database) -> None:
    read, bad = event_files.read_events(file)
    if unsaid := lines - {each.line for each in read} - {each.line for each in bad}:
        raise Broken(f"nothing is said of lines {sorted(unsaid)}")
    events, lacking = event_files.with_files(read)
    with database.read() as facts:
        wrong = submission.unmakeable(events, facts)
    recorder = Recorder()
    makeable = [each.event for each in events if each.line not in {wrong.line for wrong in wrong}]
    submitted = submission.send(makeable, recorder)
    if len(submitted) != len(makeable) or len(sound(recorder.records)) < len(makeable):
        raise Broken("an event is not sent")
    with database.read() as facts:
        fates = [submission.fate(each, facts) for each in submitted]
    _shown(lambda as_json: show_submission(submitted, fates, [*bad, *lacking, *wrong], as_json=as_json))
