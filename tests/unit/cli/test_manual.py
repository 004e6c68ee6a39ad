"""Manual pages say what `--help` says, of every command, and nothing else."""

import gzip
import re
from pathlib import Path
from typing import Any

import pytest

from gemel.cli.manual import pages, write
from tests.unit.cli.test_tree import TREE

PAGES = dict(pages())
ALONE = sorted(name for name in TREE if " " not in name)


def plain(text: str) -> str:
    """Roff as it is read: without fonts, with the signs that were spelled out."""
    for spelled, sign in ((r"\-", "-"), (r"\(aq", "'"), (r"\(ha", "^"), (r"\(ti", "~"), (r"\(ga", "`"), (r"\:", "")):
        text = text.replace(spelled, sign)
    return re.sub(r"\\f[BR]", "", text)


def section(page: str, title: str) -> str:
    return plain(page).split(f".SH {title}\n")[1].split("\n.SH ")[0].strip()


def options(command: Any) -> set[str]:
    return {option for p in command.params if not p.hidden and p.param_type_name == "option" for option in p.opts}


def test_every_command_is_told_of_on_one_page() -> None:
    assert {name.split()[0] for name in TREE} <= {name.removeprefix("gemel-") for name in PAGES}
    for name in TREE:
        page = PAGES[f"gemel-{name.split()[0]}"]
        title = "SYNOPSIS" if " " not in name else f"SS gemel {name}"
        assert plain(page).count(f"{title}\n") == 1


@pytest.mark.parametrize("name", ALONE)
def test_a_plain_command_is_not_called_with_commands(name: str) -> None:
    page = PAGES[f"gemel-{name}"]

    usage = section(page, "SYNOPSIS")
    assert usage.startswith(f"gemel {name} [OPTIONS]") and "COMMAND" not in usage
    assert ".SH COMMANDS" not in page
    assert options(TREE[name]) <= set(re.findall(r"--?[a-z0-9-]+", section(page, "OPTIONS")))


@pytest.mark.parametrize("name", sorted(PAGES))
def test_a_name_is_a_whole_sentence_in_one_line(name: str) -> None:
    says = section(PAGES[name], "NAME")

    assert says.startswith(f"{name} - ") and "\n" not in says
    sentence = says.removeprefix(f"{name} - ")
    assert section(PAGES[name], "DESCRIPTION").startswith(sentence)
    after = section(PAGES[name], "DESCRIPTION").removeprefix(sentence)
    assert after[0] in ".!?" and (after[1:] == "" or after[1].isspace())


def test_the_arguments_and_options_of_a_command() -> None:
    page = PAGES["gemel-upgrade"]

    assert section(page, "NAME") == "gemel-upgrade - Bring a new version to both nodes, while connections go on"
    assert section(page, "SYNOPSIS") == "gemel upgrade [OPTIONS] {package}"
    assert section(page, "ARGUMENTS").startswith(".TP\npackage <path>\nThe new version's package, a .deb file.")
    assert ".TP\n--check\nLook whether it could be begun, and end." in section(page, "OPTIONS")
    assert "--here" not in plain(page)  # hidden


def test_a_group_s_page_holds_its_commands_with_their_options() -> None:
    below = section(PAGES["gemel-rule"], "COMMANDS")

    assert ".SS gemel rule add\ngemel rule add [OPTIONS] {INTERFACE}" in below
    add = below.split(".SS gemel rule add\n")[1].split(".SS ")[0]
    assert options(TREE["rule add"]) <= set(re.findall(r"--?[a-z0-9-]+", add))
    assert ".SS gemel nat outbound add\n" in section(PAGES["gemel-nat"], "COMMANDS")


def test_the_first_page_leads_to_all_others() -> None:
    others = set(PAGES) - {"gemel"}

    assert set(re.findall(r"(gemel-\S+)\(1\)", section(PAGES["gemel"], "SEE ALSO"))) == others
    assert {line.replace(" ", "-") for line in section(PAGES["gemel"], "COMMANDS").splitlines()} >= others


@pytest.mark.parametrize("name", sorted(PAGES))
def test_no_line_is_taken_for_a_request_that_is_none(name: str) -> None:
    for line in PAGES[name].splitlines():
        assert not line.startswith("'")
        assert not line.startswith(".") or re.match(r"\.(TH|SH|SS|TP|PP)( |$)", line)


def test_pages_are_written_as_man_finds_them(tmp_path: Path) -> None:
    write(tmp_path)

    assert {path.name for path in tmp_path.iterdir()} == {f"{name}.1.gz" for name in PAGES}
    assert gzip.decompress((tmp_path / "gemel-upgrade.1.gz").read_bytes()).decode() == PAGES["gemel-upgrade"]
