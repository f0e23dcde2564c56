"""README and docs as a reader follows them: what is typed, what the terminal answers, what has to be there before."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", *sorted(page for page in (ROOT / "docs").rglob("*.md") if "_build" not in page.parts))
SHELL, ANSWER = "sh", "text"
TELLS_ITS_END = 'echo "exit code $?"'
"""The line behind a command that does not end with 0, so that a reader sees what it ends with."""
_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_NEEDS = re.compile(r"^\*\*You need:\*\* (.+?)\n\n", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block. Commands have `answer`, the `text` block right behind them: what all of them print."""

    page: Path
    language: str
    text: str
    answer: Answer | None = None

    @property
    def lines(self) -> tuple[str, ...]:
        """One command each: continued lines and open quotes are joined."""
        return tuple(_commands(self.text)) if self.language == SHELL else ()


@dataclass(frozen=True)
class Answer:
    """What a page shows, and where in the page it stands."""

    text: str
    start: int
    end: int


def blocks(page: Path, *languages: str) -> tuple[Block, ...]:
    """The blocks of these languages, in the page's order."""
    text = page.read_text()
    found = list(_FENCE.finditer(text))
    answers = {}
    for one, after in pairwise(found):
        if (one[1], after[1]) == (SHELL, ANSWER) and not text[one.end() : after.start()].strip():
            answers[one.start()] = Answer(after[2], after.start(2), after.end(2))
    return tuple(Block(page, one[1], one[2], answers.get(one.start())) for one in found if one[1] in languages)


def typed(page: Path) -> tuple[str, ...]:
    """Every command line of a page, in order."""
    return tuple(line for block in blocks(page, SHELL) for line in block.lines)


def _commands(text: str) -> Iterator[str]:
    waiting = ""
    for line in text.splitlines():
        waiting += line
        if line.endswith("\\"):
            waiting = waiting.removesuffix("\\") + " "
        elif _is_open(waiting):
            waiting += "\n"
        elif waiting.strip():
            yield waiting
            waiting = ""
    assert not waiting.strip(), f"a block ends in the middle of a command: {waiting}"


def _is_open(text: str) -> bool:
    try:
        shlex.split(text)
    except ValueError:
        return True
    return False


def needs(page: Path) -> str:
    """What a page says that its reader needs."""
    found = _NEEDS.search(page.read_text())
    return found[1] if found else ""


_ON_THE_DESK = {
    "archive": "`history/`",
    "migrated": "replayed into",
    "prompt flow": "prompt flow runs",
    "old SDK": "`azureml-core` logged",
    "mlflow": "`mlflow.json`",
    "into mlflow": "`server.json`",
    "tables": "`config/mltables.yaml`",
}


def desk(page: Path) -> frozenset[str]:
    """Of that what is made before the page is followed: `archive` (history/, extracted), `migrated` (also replayed).

    And what the source holds, where it is not the small history: `prompt flow`, `old SDK`, `tables`; or another source,
    `mlflow`.
    """
    said = needs(page)
    return frozenset(word for word, sign in _ON_THE_DESK.items() if sign in said)


_VARIES = (
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",  # subscriptions, tenants
    r"\b[0-9a-f]{64}\b",  # roots and digests
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?(\.\d+)?Z?",
    r"\b\d\d:\d\d(:\d\d)?\b",
    r"(?<=127\.0\.0\.1:)\d+",
    r"\b\d+(\.\d+)?(?= (B|kB|MB|GB)\b)",  # of pages and of documents that tell times
    r"\b\d+(\.\d+)?(?= ?(s|ms|min)\b)",
    r"\b\d+(?= (requests|bytes|at most)\b)",  # of a service that may have to be asked twice
)
_WHATEVER = re.compile("|".join(_VARIES))


def is_shown(answer: str, printed: str) -> bool:
    """Whether a page's answer is what was printed: but for what no two runs have alike, and where it says `...`.

    A line `...` stands for any number of lines, `...` within a line for the rest of a word or line.
    """
    wanted = re.escape(_WHATEVER.sub("~", answer.rstrip()))
    wanted = re.sub(r"^\\\.\\\.\\\.\n", "(?:.*\n)*?", wanted.replace("\\\n", "\n") + "\n", flags=re.MULTILINE)
    wanted = wanted.replace(r"\.\.\.", ".*")
    return re.fullmatch(wanted, _WHATEVER.sub("~", printed.rstrip()) + "\n") is not None


def redrawn(answer: str, printed: str) -> str:
    """What is printed now, cut where the answer was cut: behind as many lines as stood before a last `...`."""
    lines, shown = printed.rstrip().splitlines(), answer.rstrip().splitlines()
    return "\n".join([*lines[: len(shown) - 1], "..."] if shown[-1:] == ["..."] else lines) + "\n"


def name(page: Path) -> str:
    """A test's id."""
    return str(page.relative_to(ROOT))
