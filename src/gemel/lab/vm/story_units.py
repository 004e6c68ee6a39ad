"""A story of what the package puts on a machine: units, of which systemd says how much each can reach, and a shell's
help.
"""

import re

from gemel.lab.namespace import LabError
from gemel.lab.topology import NODES
from gemel.lab.vm.pair import PATIENCE, Pair

UNITS = ("agent", "carpd", "flowd", "webd")
AT_MOST = {"webd": 2.0}
LOGIN = ("bash", "-lic")
PROMPT = 'eval "$PROMPT_COMMAND"; echo; echo "${PS1@P}"'
COMPLETION = """\
. /usr/share/bash-completion/completions/gemel
COMP_WORDS=(gemel sta) COMP_CWORD=1
_gemel_completion gemel sta gemel
echo "${COMPREPLY[@]}"
"""


def units(pair: Pair) -> None:
    """`systemd-analyze security`: webd, which strangers talk to, is at most 2.0; prompt, completion and manual."""
    pair.timed("systemd-analyze security", lambda: _exposure(pair))
    pair.timed("a shell on either node", lambda: _shell(pair))


def _exposure(pair: Pair) -> str:
    found = {}
    for name in UNITS:
        command = ("systemd-analyze", "security", "--no-pager", f"gemel-{name}.service")
        said = pair.lab.exec("fw1", *command, timeout=PATIENCE)
        level = re.search(r"exposure level for \S+: ([0-9.]+)", said)
        if level is None:
            raise LabError(f"systemd-analyze security says nothing of gemel-{name}: {said[-200:]}")
        found[name] = float(level[1])
    too_much = {name: found[name] for name, limit in AT_MOST.items() if found[name] > limit}
    if too_much:
        raise LabError(f"more than is wanted: {too_much}")
    return ", ".join(f"{name} {level}" for name, level in found.items())


def _shell(pair: Pair) -> str:
    prompts = [pair.lab.exec(node, *LOGIN, PROMPT).splitlines()[-1] for node in NODES]
    for node, role, shown in zip(NODES, ("MASTER", "BACKUP"), prompts, strict=True):
        if f"[{node} {role}]" not in shown:
            raise LabError(f"the prompt on {node} does not name node and role: {shown}")
    completed = pair.lab.exec("fw1", *LOGIN, COMPLETION, timeout=PATIENCE)
    if "status" not in completed.split():
        raise LabError(f"`gemel sta` is not completed to `gemel status`: {completed!r}")
    for name in ("carpd", "kea-dhcp4"):
        if not pair.lab.cli("fw1", "log", name, "--json", timeout=PATIENCE).strip("[] \n"):
            raise LabError(f"`gemel log {name}` shows nothing of the journal")
    pages = len(pair.lab.exec("fw1", "sh", "-c", "ls /usr/share/man/man1/gemel*.1.gz").split())
    return f"prompts {' and '.join(repr(p) for p in prompts)}; completion; {pages} manual pages"
