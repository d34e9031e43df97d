"""The commands that the READMEs show, run as they stand there on a running system: each ends as it should, and none on
its arguments."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.e2e.system import System, running
from tests.test_documentation import DOOR, ROOT, shown

pytestmark = pytest.mark.long

PHOTOGRAPHS = ROOT / "loadtest" / "rendering" / "catalogue" / "photographs"
COMMANDS = ROOT / "streams" / "commands" / "README.md"
FLOW = ROOT / "streams" / "README.md"
PIXELS = ROOT / "gpu_workers" / "README.md"
DESK = ROOT / "streams" / "web" / "README.md"
MODEL = "u2netp@1"  # under another name it is the reader's own
NOT_RUN = {  # what does not end, or needs what is not here
    "up": "it is what runs meanwhile",
    "run": "a role ends when it is told to; every end-to-end test runs them all",
}
# What stands for something of the reader's, by the group of the command; "" is for all others.
MEANT = {
    "": {"SKU": "MUG-1", "SKU…": "MUG-1", "RECIPE": "marketplace", "--follow": ""},
    "assess": {"SHOP": "photographs"},
    "provenance": {"FILE|URL": "photo.jpg"},
    "probe": {"NAME": "demo"},
    "review": {"ID": "0123456789ab"},
    "dead": {"ID": "0/0"},
    "connectors": {"KIND": "feed", "NAME": "shop", "TENANT": "demo", "URL": "file:///nowhere"},
    "recipes": {"NAME": "marketplace", "FILE": "own.yaml", "FILE…": "own.yaml"},
    "channels": {"NAME": "amazon", "FILE…": "rules.yaml"},
    "policies": {"FILE…": "texts.yaml", "TEXT": "mug"},
    "brands": {"NAME": "house", "PICTURES…": "photographs"},
    "webhooks": {"ID": "nobody", "URL": "https://shop.example/hook", "NAME": "acme"},
}
LACKING = {"channels withdraw": ["--why", "wrong"]}  # what a line that names several commands leaves out
FOUND = (0, 1)  # it did its work, and may have found something
REFUSED = 2
ENDS = {
    "submit": FOUND,
    "models verify": FOUND,
    "topics plan": FOUND,
    "topics recover": FOUND,
    "audit": FOUND,
    "check": FOUND,
    "render": FOUND,
    "policies release": (REFUSED,),  # nobody's own rules are there
    "provenance": (1,),  # the reader's photograph is not signed
    "probe": FOUND,
    "calibrate": (REFUSED,),  # nobody decided anything yet
    "review show": (REFUSED,),  # nothing is in doubt
    "connectors add": (REFUSED,),  # there is no such folder
    "review approve": (REFUSED,),  # nothing of that id waits
    "review reject": (REFUSED,),
    "review undo": (REFUSED,),
    "dead show": (REFUSED,),
    "channels release": (REFUSED,),  # no folder is set
    "channels withdraw": (REFUSED,),  # nothing was released
    "brands learn": (REFUSED,),  # of too few pictures
    "rebuild-facts": (REFUSED,),  # the system is up
    "webhooks show": (REFUSED,),  # no endpoint of that id, here and below
    "webhooks pause": (REFUSED,),
    "webhooks resume": (REFUSED,),
    "webhooks remove": (REFUSED,),
    "webhooks rotate": (REFUSED,),
    "webhooks deliveries": (REFUSED,),
    "webhooks replay": (REFUSED,),
}


def commands(page: Path) -> Iterator[list[str]]:
    """Each command of a page's blocks with its arguments; `packshot a b | c` shows two."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
    plain = "".join(
        f"```\n{text}```\n" for language, text in blocks if not language
    )  # others run a script of their own
    for line in dict.fromkeys(shown(plain)):
        first, *others = re.split(r"\s\|\s", re.sub(r"\[[^\]]*\]", "", line))
        words = shlex.split(first)[1:]
        for each in (words, *([words[0], *shlex.split(other)] for other in others)):
            yield [argument for word in each if (argument := _meant(each[0], word))]


def _meant(group: str, word: str) -> str:
    """What a word stands for; empty where the reader is free to leave it out."""
    return {**MEANT[""], **MEANT.get(group, {})}.get(word, "" if word == "…" else word)


def _of(table: dict[str, tuple[int, ...]], words: list[str]) -> tuple[int, ...]:
    return table.get(" ".join(words[:2])) or table.get(words[0], (0,))


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    folder = tmp_path_factory.mktemp("reader")
    (folder / "photographs").mkdir()
    shutil.copy(PHOTOGRAPHS / "MUG-STONE-350-studio.jpg", folder / "photographs" / "mug.jpg")
    shutil.copy(folder / "photographs" / "mug.jpg", folder / "photo.jpg")
    (line,) = re.findall(r"```json\n(.*?)```", DOOR.read_text(), re.DOTALL)
    (folder / "catalogue.jsonl").write_text(json.dumps(json.loads(line)) + "\n")
    recipe = (ROOT / "schemas" / "recipes" / "marketplace.yaml").read_text()
    (folder / "own.yaml").write_text(recipe.replace("version: 1\n", "version: 2\n"))
    shutil.copy(ROOT / "schemas" / "channels" / "amazon.yaml", folder / "rules.yaml")
    shutil.copy(ROOT / "schemas" / "policies" / "rules" / "rivals.yaml", folder / "texts.yaml")
    own = yaml.safe_load((ROOT / "gpu_workers" / "models" / "manifests" / f"{MODEL}.yaml").read_text())
    own = {name: value for name, value in own.items() if name != "published"} | {"name": "birefnet"}
    (folder / "birefnet.yaml").write_text(yaml.safe_dump(own))
    shutil.copy(ROOT / ".cache" / "weights" / own["file"], folder)
    with running(folder, {"PACKSHOT_EMBEDDED_BROKER": "memory"}) as started:
        yield started


@pytest.mark.parametrize(
    "page", [DOOR, COMMANDS, FLOW, DESK, PIXELS], ids=["door", "commands", "streams", "desk", "gpu_workers"]
)
def test_every_command_runs_as_it_is_shown(system: System, page: Path) -> None:
    wrong, count = [], 0
    for words in commands(page):
        if words[0] in NOT_RUN:
            continue
        count += 1
        lacking = LACKING.get(" ".join(words[:2]), [])
        done = subprocess.run(
            [sys.executable, "-m", "streams.commands.cli", *words, *lacking],
            env=system.environment | {"PYTHONPATH": str(ROOT)},
            cwd=system.folder,
            capture_output=True,
            text=True,
            timeout=1000,
            check=False,
        )
        if done.returncode not in _of(ENDS, words) or "Usage:" in done.stderr or "Traceback" in done.stderr:
            wrong.append(f"{shlex.join(words)} ended with {done.returncode}\n{done.stdout[-500:]}{done.stderr[-1500:]}")
    assert wrong == [], "\n".join(wrong)
    assert count > (0 if page == DESK else 5)
