"""After carpd: give up what it has left behind, so that the peer takes over at once and nobody else answers.

`python -m gemel.daemons.carpd.stop_step [RUN-DIR]`

Runs after each end of carpd, however that came; the sooner it is done, the sooner the peer takes over, so it loads
little. After an orderly stop there is nothing left to give up, and nothing
is sent: a bow-out from a node that was not master would only make the real one say its name again.
"""

import contextlib
import json
import logging
import os
import secrets
import socket
import sys
import time
from pathlib import Path

from gemel.carp import wire
from gemel.carp.settings import Settings, Vhid
from gemel.control.paths import RUN
from gemel.core.codec import Malformed, decode
from gemel.effects.packet import mac_of, send_once
from gemel.effects.unicast import UnicastPorts
from gemel.effects.vip_address import VipAddresses

log = logging.getLogger("carpd")

LOCK_PATIENCE = 0.08  # seconds that the virtual MACs may take to be forgotten; they lapse by themselves anyway


def stop_step(settings_path: str) -> None:
    """Take the VIPs off, bow out for those that were on, and forget the virtual MACs."""
    try:
        settings = decode(Settings, json.loads(Path(settings_path).read_text()))
    except (OSError, Malformed, ValueError) as error:
        log.info("nothing to give up: %s", error)
        return
    kernel = VipAddresses()
    present = kernel.present()
    held = [one for one in settings.vhids if _is_held(one, present)]
    if not held:
        return
    kernel.drop((one.device, address) for one in held for address in one.addresses)
    for one in held:
        _bow_out(one)
    _forget_virtual_macs()
    log.info("gave up %s", ", ".join(f"vhid {one.vhid} on {one.interface}" for one in held))


def _is_held(one: Vhid, present: set[tuple[int, str]]) -> bool:
    try:
        index = socket.if_nametoindex(one.device)
    except OSError:
        return False
    return any((index, address) in present for address in one.addresses)


def _bow_out(one: Vhid) -> None:
    seal = wire.Seal(one.password, one.vhid, one.addresses)
    for family in one.families:
        counter = secrets.randbits(64)
        message = wire.encode(one.vhid, wire.BOW_OUT, wire.BOW_OUT, counter, seal.digest(counter))
        peer = one.peer if family == 4 else one.peer6
        with contextlib.suppress(OSError):
            if peer:
                UnicastPorts().send(one.source if family == 4 else one.source6, peer, message)
            else:
                source = one.source if family == 4 else wire.link_local(mac_of(one.device))
                send_once(one.device, wire.advert_head(source, bytes(6)) + message)


def _forget_virtual_macs() -> None:
    with contextlib.suppress(OSError):
        command = ["nft", "flush", "set", "netdev", "gemel_carp", "open"]
        nowhere = [(os.POSIX_SPAWN_OPEN, n, "/dev/null", os.O_RDWR, 0) for n in (0, 1, 2)]
        child = os.posix_spawnp("nft", command, os.environ, file_actions=nowhere)
        until = time.monotonic() + LOCK_PATIENCE
        while time.monotonic() < until and os.waitpid(child, os.WNOHANG) == (0, 0):
            time.sleep(0.002)


if __name__ == "__main__":
    logging.basicConfig(format="%(message)s", level=logging.INFO)
    stop_step(f"{sys.argv[1] if len(sys.argv) > 1 else RUN}/carpd.json")
