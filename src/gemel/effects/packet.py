"""CARP packets on one device: an AF_PACKET socket with a filter, and the memberships that let frames in.

The packet socket sees what the port sees, before netfilter: no rule has to allow CARP and none can forbid it. Nothing
here that a protocol loop calls (`receive`, `send`) waits for the kernel's big network lock; `Membership` does, and is
for a worker.
"""

import ctypes
import socket
import struct

from gemel.effects.slots import Overrun, Slots

ETH_P_ALL = 0x0003
SOL_PACKET = 263
PACKET_ADD_MEMBERSHIP = 1
PACKET_IGNORE_OUTGOING = 23
PACKET_MR_MULTICAST, PACKET_MR_UNICAST = 0, 3
SO_ATTACH_FILTER, SO_RCVBUFFORCE = 26, 33
CARP_GROUP = "224.0.0.18"
CARP_MAC = bytes.fromhex("01005e000012")

# Only untagged frames. The tag is looked at because the kernel takes it off before the frame gets here: without that
# test a parent would hear its VLANs' adverts.
_LOAD_BYTE, _LOAD_HALF, _EQUAL, _RETURN = 0x30, 0x28, 0x15, 0x06
_TAG_PRESENT = 0xFFFFF000 + 48
_CARP_FILTER = (  # IPv4 and IPv6 of protocol 112
    (_LOAD_BYTE, 0, 0, _TAG_PRESENT),
    (_EQUAL, 0, 8, 0),
    (_LOAD_HALF, 0, 0, 12),
    (_EQUAL, 0, 2, 0x0800),
    (_LOAD_BYTE, 0, 0, 23),
    (_EQUAL, 3, 4, 112),
    (_EQUAL, 0, 3, 0x86DD),
    (_LOAD_BYTE, 0, 0, 20),
    (_EQUAL, 0, 1, 112),
    (_RETURN, 0, 0, 0xFFFF),
    (_RETURN, 0, 0, 0),
)
_NEIGHBOUR_FILTER = (  # ARP, and neighbour solicitations and advertisements
    (_LOAD_BYTE, 0, 0, _TAG_PRESENT),
    (_EQUAL, 0, 9, 0),
    (_LOAD_HALF, 0, 0, 12),
    (_EQUAL, 6, 0, 0x0806),
    (_EQUAL, 0, 6, 0x86DD),
    (_LOAD_BYTE, 0, 0, 20),
    (_EQUAL, 0, 4, 58),
    (_LOAD_BYTE, 0, 0, 54),
    (_EQUAL, 1, 0, 135),
    (_EQUAL, 0, 1, 136),
    (_RETURN, 0, 0, 256),
    (_RETURN, 0, 0, 0),
)
_Filter = tuple[tuple[int, int, int, int], ...]


class _Port:
    """One device, opened for the frames that `filter` lets through.

    Raises:
        OSError: the device is not there (any more), or the caller may not.
    """

    def __init__(self, device: str, filter: _Filter) -> None:
        self.device = device
        # Protocol 0 receives nothing until the filter is on.
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, 0)
        try:
            code = b"".join(struct.pack("=HBBI", *instruction) for instruction in filter)
            program = ctypes.create_string_buffer(code, len(code))
            fprog = struct.pack("HP", len(filter), ctypes.addressof(program))
            self._socket.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, fprog)
            self._socket.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
            self._socket.bind((device, ETH_P_ALL))
        except OSError:
            self._socket.close()
            raise

    def fileno(self) -> int:
        """For poll."""
        return self._socket.fileno()

    @property
    def mac(self) -> bytes:
        """The device's own, 6 bytes."""
        address: bytes = self._socket.getsockname()[4]
        return address[:6]

    def _frame(self) -> bytes | None:
        try:
            return self._socket.recv(2048)
        except OSError:
            return None

    def send(self, frame: bytes) -> bool:
        """Send a whole Ethernet frame; a source MAC of zeroes becomes the device's own. False if the kernel says no."""
        try:
            self._socket.send(_from_own_mac(self._socket, frame))
        except OSError:
            return False
        return True

    def close(self) -> None:
        """Stop hearing."""
        self._socket.close()


class CarpPort(_Port):
    """One device, opened for CARP. `room`: bytes for packets that wait, if more than usual."""

    def __init__(self, device: str, room: int = 0) -> None:
        super().__init__(device, _CARP_FILTER)
        if room:
            self._socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, room)

    def receive(self) -> bytes | None:
        """The next packet of protocol 112, from its IP header on; None if there is none now, or the device is down."""
        frame = self._frame()
        return None if frame is None else frame[14:]

    def receive_all(self, slots: Slots) -> list[bytes]:
        """The packets that wait, as many as there are slots, from their IP headers on; a long one may be cut off."""
        try:
            return slots.read(self._socket.fileno(), skip=14)
        except Overrun:
            return []


class NeighbourPort(_Port):
    """One device, opened for ARP and neighbour discovery: answers to this node, and what everybody hears."""

    def __init__(self, device: str) -> None:
        super().__init__(device, _NEIGHBOUR_FILTER)

    def receive(self) -> bytes | None:
        """The next frame, whole; None if there is none now, or the device is down."""
        return self._frame()


def send_once(device: str, frame: bytes) -> None:
    """Send one whole frame from a process that only comes to say that; a source MAC of zeroes becomes the device's own.

    A socket that never receives also closes without waiting for the kernel to have forgotten it.

    Raises:
        OSError: the device is not there, or is down.
    """
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as s:
        s.bind((device, 0))
        s.send(_from_own_mac(s, frame))


def mac_of(device: str) -> bytes:
    """The device's own MAC, 6 bytes.

    Raises:
        OSError: the device is not there.
    """
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as s:
        s.bind((device, 0))
        address: bytes = s.getsockname()[4]
        return address[:6]


def _from_own_mac(s: socket.socket, frame: bytes) -> bytes:
    return frame if any(frame[6:12]) else frame[:6] + s.getsockname()[4][:6] + frame[12:]


class Membership:
    """Lets in what CARP on a device needs: the groups, by IGMP and MLD and in the port's filter, and the virtual MACs.

    With `groups6` (IPv6 multicast addresses) also these: a switch that snoops MLD sends questions for an IPv6 address
    only where its solicited-node group was joined, so a backup joins too, from the port's own MAC. Lasts until `close`.
    A real network card drops frames to a MAC that it was not told of.
    """

    def __init__(self, device: str, macs: tuple[bytes, ...], groups6: tuple[str, ...] = ()) -> None:
        index = socket.if_nametoindex(device)
        self._port = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self._group = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._group6: socket.socket | None = None
        self.failed = ""
        """Why the IPv6 groups could not be joined, if so; IPv4 works without."""
        try:
            for kind, mac in ((PACKET_MR_MULTICAST, CARP_MAC), *((PACKET_MR_UNICAST, mac) for mac in macs)):
                request = struct.pack("=iHH8s", index, kind, len(mac), mac)
                self._port.setsockopt(SOL_PACKET, PACKET_ADD_MEMBERSHIP, request)
            request = struct.pack("=4s4si", socket.inet_aton(CARP_GROUP), bytes(4), index)
            self._group.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, request)
        except OSError:
            self.close()
            raise
        try:
            self._join6(index, groups6)
        except OSError as error:
            self.failed = error.strerror or str(error)

    def _join6(self, index: int, groups: tuple[str, ...]) -> None:
        if not groups:
            return
        self._group6 = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        for group in groups:
            request = socket.inet_pton(socket.AF_INET6, group) + struct.pack("=I", index)
            self._group6.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, request)

    def close(self) -> None:
        """Leave."""
        self._port.close()
        self._group.close()
        if self._group6 is not None:
            self._group6.close()
