"""Which conntrack helpers this kernel has."""

import contextlib
import logging
import subprocess
from collections.abc import Iterable

from gemel.rules.ir import TCP, Helper

PATIENCE = 10  # seconds for a command

log = logging.getLogger(__name__)


def lacking_helpers(helpers: Iterable[Helper]) -> tuple[str, ...]:
    """The names of those that this kernel does not have. What can be had as a module is loaded: nft would load the part
    that reads, but not the one that translates. Without a rule that assigns it, a helper does nothing."""
    found = []
    for helper in helpers:
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            subprocess.run(["modprobe", "-q", f"nf_nat_{helper.name}"], capture_output=True, check=False,
                           timeout=PATIENCE)  # fmt: skip
        protocol = "tcp" if helper.protocol == TCP else "udp"
        text = f'table inet gemel_look {{ ct helper look {{ type "{helper.name}" protocol {protocol}; }}; }}'
        try:
            tried = subprocess.run(["nft", "-c", "-f", "-"], input=text, capture_output=True, text=True, check=False,
                                   timeout=PATIENCE)  # fmt: skip
        except (OSError, subprocess.TimeoutExpired) as error:
            log.warning("whether the kernel has the %s helper is not known: %s", helper.name, error)
            continue
        if tried.returncode:
            found.append(helper.name)
    return tuple(found)
