"""Who made a network card, by the first half of its MAC: the registry of netaddr, asked in a process of its own.

The registry takes 20 MB and a quarter of a second to load; what was once asked for is remembered, and no more.
"""

import subprocess
import sys
from collections.abc import Iterable

PATIENCE = 10.0  # seconds
_LOOK_UP = """
import sys
import netaddr
for line in sys.stdin:
    try:
        print(netaddr.EUI(line.strip() + ":00:00:00").oui.registration().org)
    except (netaddr.NotRegisteredError, netaddr.AddrFormatError):
        print()
"""
LOCAL = "(locally administered)"

_known: dict[str, str] = {}


def vendors(macs: Iterable[str]) -> dict[str, str]:
    """MAC -> vendor, for those that have one. A MAC that a system made up says so."""
    wanted = {m: m[:8].lower() for m in macs if len(m) == 17}
    unknown = sorted({p for p in wanted.values() if p not in _known})
    local = [p for p in unknown if int(p[:2], 16) & 2]
    _known.update(dict.fromkeys(local, LOCAL))
    asked = [p for p in unknown if p not in _known]
    if asked:
        try:
            done = subprocess.run(
                (sys.executable, "-c", _LOOK_UP), input="\n".join(asked) + "\n", capture_output=True, text=True,
                timeout=PATIENCE, check=False,
            )  # fmt: skip
            _known.update(zip(asked, done.stdout.splitlines(), strict=False))
        except (OSError, subprocess.TimeoutExpired):
            return {}
    return {m: _known.get(p, "") for m, p in wanted.items() if _known.get(p)}
