"""A line in AREAS and a line in FACTS, and nothing else: page, menu entry, REST and command are there."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

TOP = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What a process says in which both lists have one line more."""
    folder = tmp_path_factory.mktemp("node")
    done = subprocess.run([sys.executable, "-m", "tests.unit.web.new_lines", str(folder)], cwd=TOP, text=True,
                          capture_output=True, timeout=120)  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_an_area_has_menu_entry_list_and_form(said: Any) -> None:
    assert "Bells" in said["menu"]
    assert "Bell name" in said["form"] and "Whether neighbours hear it." in said["form"]
    assert said["wrong"], "what is wrong stands beside its field"
    assert "front" in said["list"] and "must be applied" in said["list"]
    assert "Bells" in said["changes"], "and in the preview"


def test_an_area_has_rest_and_commands(said: Any) -> None:
    assert (said["made"], said["rest"]) == (200, 2)
    assert {"/bells", "/bells/{id}"} <= set(said["described"])
    assert said["commands"] == ["add", "delete", "list", "set"]


def test_a_fact_has_menu_entry_page_and_rest(said: Any) -> None:
    assert "Rings" in said["menu"] and "/facts/rings" in said["described"]
    assert "At door Times" in said["fact"] and "back 3" in said["fact"]
    assert said["fact by rest"] == {"rows": [{"at": "front", "times": 3}]}
