"""What an audit counts, and what it finds wrong."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "lost",
    "conflicting",
    "stuck",
    "unsent",
    "standing",
    "foreign",
    "stale_published",
    "double_published",
    "missing_objects",
    "manifests_differ",
    "facts_differ",
]
KINDS: dict[Kind, str] = {
    "lost": "tasks that were worked on and have no outcome",
    "conflicting": "tasks that were written once and both done and failed",
    "stuck": "assets that wait for something that is nowhere under way",
    "unsent": "what follows from facts, and nobody sends",
    "standing": "partitions with records that a role began with and gets no further with",
    "foreign": "records on our topics that are none of ours, and that nobody has dealt with",
    "stale_published": "what is live, or was announced, though something newer took its place",
    "double_published": "announcements that were made twice",
    "missing_objects": "files of a manifest that are not on the origin as it says",
    "manifests_differ": "assets that are live in the manifest or in the announcements, not in both alike",
    "facts_differ": "facts that say otherwise than manifest or ledger",
}


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, by the name of the task, asset or file; `tenant` is "" where it is no tenant's own."""

    kind: Kind
    name: str
    text: str
    tenant: str = ""


@dataclass(frozen=True)
class ReportView:
    """A report as others see it."""

    clean: bool
    figures: Mapping[str, int]
    findings: list[Finding]


@dataclass(frozen=True)
class Report:
    """What an audit counted and found. It is clean when nothing is wrong."""

    counts: Mapping[str, int]
    findings: list[Finding]

    @property
    def clean(self) -> bool:
        return not self.findings

    @property
    def figures(self) -> dict[str, int]:
        """Every count, and how often each kind of fault was found."""
        return {**self.counts, **faults(self.findings)}

    @property
    def view(self) -> ReportView:
        return ReportView(self.clean, self.figures, self.findings)


def faults(findings: Iterable[Finding]) -> dict[str, int]:
    """How many findings there are of each kind."""
    found = Counter(finding.kind for finding in findings)
    return {kind: found[kind] for kind in KINDS}
