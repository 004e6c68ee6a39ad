"""What the package's /etc/profile.d/gemel.sh makes of a shell's prompt."""

import subprocess
from pathlib import Path

SCRIPT = Path(__file__).parents[3] / "packaging/profile.sh"
SHOW = """
eval "$PROMPT_COMMAND"
printf '%s|' "${PS1@P}"
"""


def shown(tmp_path: Path, told: str | None, *later: str, before: str = "PS1='# '", shell: str = "bash") -> list[str]:
    """The prompts of a shell that has read the file, one for each of `later` and one at the end."""
    place = tmp_path / "prompt"
    if told is not None:
        place.write_text(told + "\n")
    script = SCRIPT.read_text().replace("/run/gemel/prompt", str(place))
    program = "\n".join([before, script, *(f"{SHOW}{line}" for line in later), SHOW])
    done = subprocess.run([shell, "-c", program], text=True, capture_output=True, env={"PATH": "/usr/bin:/bin"})
    assert done.stderr == "" and done.returncode == 0
    return done.stdout.split("|")[:-1]


def test_it_has_the_node_and_its_role(tmp_path: Path) -> None:
    assert shown(tmp_path, "fw1 MASTER") == ["[fw1 MASTER] # "]


def test_it_follows_the_role_and_a_prompt_that_is_set_later(tmp_path: Path) -> None:
    place = tmp_path / "prompt"
    changes = (f"echo fw1 BACKUP >{place}", "PS1='mine> '", f"rm {place}")
    prompts = ["[fw1 MASTER] # ", "[fw1 BACKUP] # ", "[fw1 BACKUP] mine> ", "mine> "]
    assert shown(tmp_path, "fw1 MASTER", *changes) == prompts


def test_on_a_machine_that_is_no_node_it_is_what_it_was(tmp_path: Path) -> None:
    assert shown(tmp_path, None) == ["# "]


def test_what_stands_in_the_file_is_not_run(tmp_path: Path) -> None:
    assert shown(tmp_path, "$(touch stolen) `id`") == ["[$(touch stolen) `id`] # "]


def test_others_commands_before_a_prompt_go_on_and_see_the_exit_status(tmp_path: Path) -> None:
    before = "PS1='# '; PROMPT_COMMAND='printf %s, $?'"
    assert shown(tmp_path, "fw1 MASTER", "(exit 3)", before=before)[1] == "3,[fw1 MASTER] # "


def test_other_shells_and_scripts_pass_it_over(tmp_path: Path) -> None:
    script = SCRIPT.read_text()
    for argv in (["dash", "-c", script + "\n:"], ["bash", "-c", f"unset PS1\n{script}\n[ -z \"$PROMPT_COMMAND\" ]"]):
        done = subprocess.run(argv, text=True, capture_output=True)
        assert done.returncode == 0 and done.stderr == ""
