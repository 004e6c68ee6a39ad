"""A switch's access port, for kernels without 802.1Q: access_port.py SWITCH PORT HOST DEVICE TAG

Makes the device PORT in the namespace SWITCH, where frames have the tag, and DEVICE in the namespace HOST, where they
have none, and carries frames from one to the other until it is ended. Standard library only.
"""

import ctypes
import fcntl
import os
import select
import struct
import sys

TUNSETIFF = 0x400454CA
IFF_TAP, IFF_NO_PI = 0x0002, 0x1000
DOT1Q = 0x8100
MACS = 12  # bytes: both addresses, before the tag
HEAD = struct.Struct("!HH")
LARGEST = 65536


def tagged(frame: bytes, tag: int) -> bytes:
    """As it leaves to the switch."""
    return frame[:MACS] + HEAD.pack(DOT1Q, tag) + frame[MACS:]


def untagged(frame: bytes, tag: int) -> bytes | None:
    """As it comes to the host; None: it is not for this VLAN."""
    if len(frame) < MACS + HEAD.size:
        return None
    kind, control = HEAD.unpack_from(frame, MACS)
    if kind != DOT1Q or control & 0x0FFF != tag:
        return None
    return frame[:MACS] + frame[MACS + HEAD.size :]


def tap(namespace: str, device: str) -> int:
    """A new tap device in a namespace, by descriptor."""
    mine, theirs = os.open("/proc/self/ns/net", os.O_RDONLY), os.open(f"/run/netns/{namespace}", os.O_RDONLY)
    try:
        _enter(theirs)
        found = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(found, TUNSETIFF, struct.pack("16sH22x", device.encode(), IFF_TAP | IFF_NO_PI))
        _enter(mine)
    finally:
        os.close(mine)
        os.close(theirs)
    return found


def carry(switch: int, host: int, tag: int) -> None:
    """Frames both ways, for ever."""
    while True:
        for ready in select.select([switch, host], [], [])[0]:
            try:
                frame = os.read(ready, LARGEST)
                out = untagged(frame, tag) if ready == switch else tagged(frame, tag)
                if out is not None:
                    os.write(host if ready == switch else switch, out)
            except OSError:
                continue  # a device that is down, or full: the frame is lost, as on any wire


def _enter(descriptor: int) -> None:  # `os.setns` came with Python 3.12
    if ctypes.CDLL(None, use_errno=True).setns(descriptor, 0):
        raise OSError(ctypes.get_errno(), "setns")


if __name__ == "__main__":
    switch, port, host, device, tag = sys.argv[1:]
    carry(tap(switch, port), tap(host, device), int(tag))
