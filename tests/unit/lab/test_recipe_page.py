"""What docs/recipe.md says to type is what the lab types."""

import re
import shlex
from itertools import chain

from gemel.lab.commands import SOURCE
from gemel.lab.recipe import STEPS


def words(text: str) -> list[tuple[str, ...]]:
    lines = text.replace("\\\n", " ").splitlines()
    return [tuple(shlex.split(line)) for line in lines if line.strip() and not line.lstrip().startswith("#")]


def test_the_recipes_page_has_every_command_and_no_other() -> None:
    page = (SOURCE.parent / "docs/recipe.md").read_text()
    written = list(chain.from_iterable(map(words, re.findall(r"^```\n(.+?)^```$", page, re.DOTALL | re.MULTILINE))))
    typed = list(chain.from_iterable(words(commands) for step in STEPS for commands in step.typed.values()))
    assign = ("gemel", "interface", "assign")  # the lab's ports have names of their own
    assert sorted(written) == sorted((*assign, "eth2") if command[:3] == assign else command for command in typed)
