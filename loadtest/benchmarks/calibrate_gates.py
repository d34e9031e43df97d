"""Plants faults of every kind at five strengths in good pictures, and tells how many of them the gates find.

`make calibrate-gates`, or with pictures of one's own, PICTURES="FOLDER…": those in it that have an alpha; of six
products of each, or `--products=` as many as you say, or with `--all` of all. `--known` measures nothing, and tells of
what is known. Products in every third place are held out: no limit is set by what is seen of them. What was measured is
kept in `.packshot/gates`, a line a trial, so that a run goes on where one was ended, and a limit that was changed is
told without measuring anew; it begins anew where code that measures has changed. The table is written into
loadtest/README.md. Figures are found / planted, with E. Wilson's interval of 95 % (1927).
"""

import hashlib
import json
import math
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import structlog

from gpu_workers.pools.outputs import code_fingerprint
from loadtest.benchmarks import gate_trials
from loadtest.benchmarks.gate_faults import FAULTS, SEEN_FROM, Fault
from loadtest.benchmarks.gate_trials import CHANNEL, Measures, Sample
from schemas import channels
from streams.flow.gates import CHECKLIST, gates
from streams.flow.processors.judging import judge

ROOT = Path(__file__).parents[2]
README = ROOT / "loadtest" / "README.md"
KEPT = ROOT / ".packshot" / "gates"
HEADING = "## Quality gates, with faults planted"
ALL, COUNT, KNOWN = "--all", "--products=", "--known"
PRODUCTS = 6  # of a lot, unless all are wanted: 15 minutes of two cores
PROCESSES = 2  # each with products of its own, which are cut out once
HELD_EVERY = 3
STAGES = tuple(dict.fromkeys(fault.stage for fault in FAULTS))
FOUND_MIN, FALSE_MAX = 0.95, 0.05
COMMAND = "make calibrate-gates"
# To be written anew with the limits: a table is worth what it was not fitted on.
CHOSEN = (
    "The limits that this command is for were chosen by eye, as round numbers, when four products had been measured, "
    "two of those held out among them: their false alarms are no proof, and what is found of them hardly one."
)


Key = tuple[str, str, str, int]  # a sample, a stage, a fault and its strength


@dataclass(frozen=True)
class Trial:
    """What was measured of a sample with a fault at a strength from 1 on; `fault` is empty for none. Measures are None
    where the fault changed nothing."""

    sample: str
    product: str
    is_rendered: bool
    stage: str
    fault: str
    strength: int
    measures: Measures | None


def main(arguments: Sequence[str]) -> None:
    """Measures what is not measured yet, prints progress, and writes the table; figures as JSON in the last line."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    kinds = ("studio", "busy") if ALL in arguments else ("studio",)
    count = next((int(each.removeprefix(COUNT)) for each in arguments if each.startswith(COUNT)), PRODUCTS)
    lots = [list(gate_trials.rendered_samples(kinds))]
    lots += [list(gate_trials.real_samples(Path(each))) for each in arguments if not each.startswith("--")]
    samples = [each for lot in lots for each in (lot if ALL in arguments else some(lot, count))]
    trials = list(known_trials(samples, _known()) if KNOWN in arguments else measured(samples))
    text = report(trials)
    README.write_text(with_section(README.read_text(), text))
    print(text)
    print(json.dumps({"figures": figures(trials), "limits": limits(trials)}))


def some(samples: Sequence[Sample], count: int) -> list[Sample]:
    """A picture each of so many products."""
    first = {each.product: each for each in reversed(samples)}
    products = sorted(first)
    return [first[each] for each in (*products[::2], *products[1::2])[:count]]


# measuring


def measured(samples: Sequence[Sample]) -> Iterator[Trial]:
    """Every trial, those of an earlier run as they were."""
    KEPT.mkdir(parents=True, exist_ok=True)
    file, known = _file(), _known()
    jobs = [(each, samples[(n + 2) % len(samples)], name) for n, each in enumerate(samples) for name in _names()]
    left = [job for job in jobs if any(_key(each) not in known for each in _wanted(job[0], job[2]))]
    with ExitStack() as stack, file.open("a") as out:
        # Begun anew, no copies of this one: its threads, which have read pictures by now, are not in a copy, and what
        # they held is never given back there.
        pools = [stack.enter_context(ProcessPoolExecutor(1, get_context("spawn"))) for _ in range(PROCESSES)]
        running = [pools[samples.index(job[0]) % PROCESSES].submit(tried, *job) for job in left]
        for number, done in enumerate(as_completed(running), 1):
            for trial in done.result():
                out.write(json.dumps(vars(trial)) + "\n")
                known[_key(trial)] = trial
            out.flush()
            print(f"\r{number} of {len(left)}", end="", file=sys.stderr, flush=True)
    yield from known_trials(samples, known)


def known_trials(samples: Sequence[Sample], known: Mapping[Key, Trial]) -> Iterator[Trial]:
    """What is known of the trials that samples are for."""
    wanted = (_key(each) for sample in samples for name in _names() for each in _wanted(sample, name))
    yield from (known[key] for key in wanted if key in known)


def tried(sample: Sample, other: Sample, name: str) -> list[Trial]:
    """The trials of a fault, or of a stage without one, in a process of its own."""
    import cv2

    cv2.setNumThreads(1)
    made = []
    for each in _wanted(sample, name):
        if each.fault:
            fault = _fault(each.fault)
            found = gate_trials.faulted(sample, other, fault, fault.strengths[each.strength - 1])
        else:
            found = gate_trials.unfaulted(sample, each.stage)
        made.append(Trial(**(vars(each) | {"measures": found})))
    return made


def _names() -> list[str]:
    return ["", *(fault.name for fault in FAULTS)]


def _wanted(sample: Sample, name: str) -> list[Trial]:
    """What a job is to measure, measures left out."""
    about = (sample.name, sample.product, sample.is_rendered)
    if not name:
        return [Trial(*about, stage, "", 0, None) for stage in ("picture", "shadow")]
    return [Trial(*about, _fault(name).stage, name, strength, None) for strength in range(1, 6)]


def _fault(name: str) -> Fault:
    return next(each for each in FAULTS if each.name == name)


def _key(trial: Trial) -> Key:
    return trial.sample, trial.stage, trial.fault, trial.strength


def _file() -> Path:
    return KEPT / f"{_code()}.jsonl"


def _known() -> dict[Key, Trial]:
    return {_key(each): each for each in _read(_file())}


def _read(file: Path) -> Iterator[Trial]:
    """Whole lines only: the last may have been cut short."""
    if file.exists():
        yield from (
            Trial(**json.loads(line)) for line in file.read_text().splitlines(keepends=True) if line.endswith("\n")
        )


def _code() -> str:
    """What tells the code that measures from every other one."""
    parts = [code_fingerprint(name) for name in ("packshot", "cutout")]
    own = [(Path(__file__).parent / f"{name}.py").read_bytes() for name in ("gate_faults", "gate_files", "gate_trials")]
    return hashlib.sha256("".join(parts).encode() + b"".join(own)).hexdigest()[:16]


# counting


@dataclass(frozen=True)
class Count:
    """So many of so many."""

    hits: int
    of: int

    @property
    def interval(self) -> tuple[float, float]:
        """E. B. Wilson, Probable Inference, the Law of Succession, and Statistical Inference, 1927, at 95 %."""
        if not self.of:
            return 0.0, 1.0
        z, share = 1.96, self.hits / self.of
        middle, reach = (
            share + z * z / (2 * self.of),
            z * math.sqrt((share * (1 - share) + z * z / (4 * self.of)) / self.of),
        )
        low, high = ((middle + sign * reach) / (1 + z * z / self.of) for sign in (-1, 1))
        return max(0.0, low), min(1.0, high)

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.hits} / {self.of} ({low:.2f}–{high:.2f})" if self.of else "–"


def doubts(measures: Measures) -> dict[str, str]:
    """The checks that a picture of these measures does not pass, each with its point."""
    verdict = judge(measures, channels.load(CHANNEL), "packshot")
    return {each.name: each.point for each in verdict.checks if each.outcome in ("review", "fail")}


def held(trials: Iterable[Trial]) -> set[tuple[bool, str]]:
    """The products that no limit was set by: every third of those rendered, and of the others."""
    found = sorted({(each.is_rendered, each.product) for each in trials})
    lots = [[each for each in found if each[0] is rendered] for rendered in (True, False)]
    return {each for lot in lots for each in lot[::HELD_EVERY]}


def new_doubts(trials: Sequence[Trial]) -> Iterator[tuple[Trial, dict[str, str]]]:
    """Each trial that shows something with the checks that it does not pass and its sample without a fault does."""
    before = {(each.sample, each.stage): doubts(each.measures) for each in trials if not each.fault and each.measures}
    for each in trials:
        if each.fault and each.measures is not None:
            base = before[each.sample, "shadow" if each.stage == "shadow" else "picture"]
            yield each, {name: point for name, point in doubts(each.measures).items() if name not in base}


def counted(trials: Sequence[Trial], which: Iterable[Trial]) -> dict[str, Count]:
    """Of each kind, how many of those trials were found."""
    kept, hits, of = {_key(each) for each in which}, Counter[str](), Counter[str]()
    for trial, found in new_doubts(trials):
        if _key(trial) in kept:
            of[trial.fault] += 1
            hits[trial.fault] += bool(found)
    return {fault.name: Count(hits[fault.name], of[fault.name]) for fault in FAULTS}


def false_alarms(trials: Iterable[Trial]) -> dict[str, Count]:
    """Of each point, how many good pictures it does not pass; and of any."""
    good = [doubts(each.measures) for each in trials if not each.fault and each.measures]
    by_point = {point: Count(sum(point in each.values() for each in good), len(good)) for point in CHECKLIST}
    return by_point | {"any": Count(sum(map(bool, good)), len(good))}


def limits(trials: Sequence[Trial]) -> dict[str, dict[str, float]]:
    """Of each measure whose limit is fitted here, its worst on good pictures of the products that are fitted on, and
    its 5th percentile, towards good, on those with a seen fault of its point."""
    kept = held(trials)
    shown = [each for each in trials if (each.is_rendered, each.product) not in kept and each.measures]
    fitted = [(gate.POINT, each) for gate in gates() for each in gate.THRESHOLDS if each.command == COMMAND]
    found = {}
    for _, threshold in fitted:
        name, worst = threshold.measure, max if threshold.bound == "≤" else min
        good = [each.measures[name] for each in shown if not each.fault and each.measures and name in each.measures]
        if good:
            found[name] = {"worst good": round(worst(good), 4), "limit": threshold.limit}
    return found


# telling


def report(trials: Sequence[Trial]) -> str:
    """The section of the documentation, Markdown."""
    kept = held(trials)
    apart = [each for each in trials if (each.is_rendered, each.product) in kept]
    lots = {
        "held out, rendered": [each for each in apart if each.is_rendered],
        "held out, real": [each for each in apart if not each.is_rendered],
        "fitted on": [each for each in trials if (each.is_rendered, each.product) not in kept],
    }
    seen = {name: counted(trials, (t for t in lot if t.strength >= SEEN_FROM)) for name, lot in lots.items()}
    slight = counted(trials, (each for each in trials if 0 < each.strength < SEEN_FROM))
    by = _found_by(trials)
    lines = [
        HEADING,
        "",
        _introduction(trials, kept),
        "",
        f"| planted fault | strengths | point | {' | '.join(seen)} | slighter, all | mostly found by |",
        "|---|---|---|" + "---|" * (len(seen) + 2),
    ]
    for fault in FAULTS:
        cells = [str(each[fault.name]) for each in seen.values()]
        strengths = f"{', '.join(f'{each:g}' for each in fault.strengths)} {fault.unit}"
        about = f"{fault.name} | {strengths} | {fault.point} | {' | '.join(cells)} | {slight[fault.name]}"
        lines.append(f"| {about} | {by.get(fault.name, '')} |")
    return "\n".join([*lines, "", *_alarms(lots), "", _shortfalls(trials, apart), ""])


def _introduction(trials: Sequence[Trial], kept: set[tuple[bool, str]]) -> str:
    products = {(each.is_rendered, each.product) for each in trials}
    rendered, real = (sum(each[0] is which for each in products) for which in (True, False))
    return (
        f"Written by `{COMMAND}`, on {rendered} rendered products and {real} of a real store, {len(kept)} of them held "
        f"out. {CHOSEN} Faults of {len(FAULTS)} kinds at five strengths; counted are those from the third on, which a "
        "person sees, by which a check fails that the same picture passes without; in brackets the 95 % interval. All "
        f"are packshots for {CHANNEL}, {gate_trials.SIDE_PX} px, of cutouts by the truth. Faults of a picture are in "
        "what is delivered, the canvas before it is as it should be; the ground is held against that canvas. A fault "
        "that changes nothing, where there is no hole to fill, is not counted."
    )


def _found_by(trials: Sequence[Trial]) -> dict[str, str]:
    by: dict[str, Counter[str]] = defaultdict(Counter)
    for trial, found in new_doubts(trials):
        if trial.strength >= SEEN_FROM:
            by[trial.fault].update(found.keys())
    return {name: ", ".join(f"`{check}`" for check, _ in counts.most_common(2)) for name, counts in by.items()}


def _alarms(lots: Mapping[str, Sequence[Trial]]) -> Iterator[str]:
    yield f"| good pictures that do not pass | {' | '.join(lots)} |"
    yield "|---|" + "---|" * len(lots)
    alarms = [false_alarms(lot) for lot in lots.values()]
    for point in (*CHECKLIST, "any"):
        yield f"| {point} | {' | '.join(str(each[point]) for each in alarms)} |"


def _shortfalls(trials: Sequence[Trial], apart: Sequence[Trial]) -> str:
    found = counted(trials, (each for each in apart if each.strength >= SEEN_FROM))
    missed = [f"{name} ({each})" for name, each in found.items() if each.of and each.hits < FOUND_MIN * each.of]
    unseen = [name for name, each in found.items() if not each.of]
    alarms = [
        f"{point} ({each})"
        for point, each in false_alarms(apart).items()
        if each.of and each.hits > FALSE_MAX * each.of
    ]
    return " ".join(
        [
            f"Short of {FOUND_MIN:.0%} on held out products: {'; '.join(missed) or 'none'}.",
            f"More than {FALSE_MAX:.0%} false alarms: {'; '.join(alarms) or 'none'}.",
            *([f"Not to be planted in any: {', '.join(unseen)}."] if unseen else []),
        ]
    )


def with_section(text: str, section: str) -> str:
    """A document with this section in the place of the one of its heading, or at its end."""
    before, found, after = text.partition(HEADING)
    if not found:
        return text.rstrip("\n") + "\n\n" + section
    _, following, rest = after.partition("\n## ")
    return before + section + (f"\n## {rest}" if following else "")


def figures(trials: Sequence[Trial]) -> dict[str, float]:
    """Of each kind the share found, of the products held out; and false alarms."""
    kept = held(trials)
    apart = [each for each in trials if (each.is_rendered, each.product) in kept]
    shares = counted(trials, (each for each in apart if each.strength >= SEEN_FROM))
    alarms = {f"false_{point}": each for point, each in false_alarms(apart).items()}
    return {name: round(each.hits / each.of, 3) for name, each in {**shares, **alarms}.items() if each.of}


if __name__ == "__main__":
    main(sys.argv[1:])
