"""VIPs as kernel addresses with a lifetime, by raw rtnetlink: what nobody renews goes away by itself.

An IPv6 one is there at once, untested (the peer may still have it), and deprecated: nothing that this node begins on
its own comes from it.

The kernel looks for what has lapsed at most once a second, and rounds: a lifetime of 2 s ends 2.0 to 2.3 s after the
last renewal. Addresses that are renewed in one go also lapse in one go; apart from each other, one may wait for the
next look.
"""

import errno
import os
import socket
import struct
from collections.abc import Iterable
from functools import lru_cache

RTM_NEWADDR, RTM_DELADDR, RTM_GETADDR = 20, 21, 22
NLM_F_REQUEST, NLM_F_ACK, NLM_F_DUMP, NLM_F_REPLACE, NLM_F_CREATE = 0x1, 0x4, 0x300, 0x100, 0x400
NLMSG_ERROR, NLMSG_DONE = 2, 3
IFA_ADDRESS, IFA_LOCAL, IFA_CACHEINFO, IFA_FLAGS = 1, 2, 6, 8
IFA_F_NODAD, IFA_F_NOPREFIXROUTE = 0x02, 0x200
AT_ONCE = 256  # messages between two looks at the answers; should all of them fail, that fits into the buffer
_HEAD = struct.Struct("=IHHII")


class VipAddresses:
    """The hand that puts VIPs on devices, as /32 and /128. For one thread; every call may wait for the kernel."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        self._socket.bind((0, 0))
        self._socket.settimeout(5.0)
        self._sequence = 0

    def hold(self, wanted: Iterable[tuple[str, str, int]]) -> list[str]:
        """Put (device, address, lifetime in seconds) on, or renew it. Return what failed, in words."""
        flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_REPLACE
        return self._all(RTM_NEWADDR, flags, wanted, gone_is_fine=False)

    def drop(self, unwanted: Iterable[tuple[str, str]]) -> list[str]:
        """Take (device, address) off; what is not there is fine."""
        flags = NLM_F_REQUEST
        return self._all(RTM_DELADDR, flags, ((device, address, 0) for device, address in unwanted), gone_is_fine=True)

    def present(self) -> set[tuple[int, str]]:
        """Every address of this machine, as (interface index, address)."""
        self._sequence += 1
        ask = struct.pack("=IHHIIBBBBI", 24, RTM_GETADDR, NLM_F_REQUEST | NLM_F_DUMP, self._sequence, 0, 0, 0, 0, 0, 0)
        self._socket.send(ask)
        found: set[tuple[int, str]] = set()
        while True:
            data, at = self._socket.recv(65536), 0
            while at + 16 <= len(data):
                length, kind, _, sequence, _ = struct.unpack_from("=IHHII", data, at)
                if sequence == self._sequence:
                    if kind in (NLMSG_DONE, NLMSG_ERROR):
                        return found
                    address = _local_address(data[at + 24 : at + length])
                    if address:
                        found.add((struct.unpack_from("=I", data, at + 20)[0], address))
                at += (length + 3) & ~3

    def _all(self, kind: int, flags: int, entries: Iterable[tuple[str, str, int]], gone_is_fine: bool) -> list[str]:
        failed: list[str] = []
        batch: list[tuple[str, str, bytes]] = []
        indices: dict[str, int] = {}
        for device, address, lifetime in entries:
            if device not in indices:
                try:
                    indices[device] = socket.if_nametoindex(device)
                except OSError:
                    indices[device] = 0
            if indices[device]:
                batch.append((device, address, _body(kind, indices[device], address, lifetime)))
            elif not gone_is_fine:
                failed.append(f"{address} on {device}: no such device")
            if len(batch) == AT_ONCE:
                failed += self._exchange(kind, flags, batch, gone_is_fine)
                batch = []
        return failed + (self._exchange(kind, flags, batch, gone_is_fine) if batch else [])

    def _exchange(
        self, kind: int, flags: int, batch: list[tuple[str, str, bytes]], gone_is_fine: bool
    ) -> list[str]:
        """Only the last one is acknowledged; of the others the kernel says what went wrong."""
        fine = {0, errno.EADDRNOTAVAIL, errno.ENODEV} if gone_is_fine else {0}
        failed = []
        first, self._sequence = self._sequence + 1, self._sequence + len(batch)
        messages = [
            _HEAD.pack(16 + len(body), kind, flags | (NLM_F_ACK if n == self._sequence else 0), n, 0) + body
            for n, (_, _, body) in enumerate(batch, first)
        ]
        try:
            self._socket.send(b"".join(messages))
            told = 0
            while told < self._sequence:
                data, at = self._socket.recv(65536), 0
                while at + 20 <= len(data):
                    length, what, _, told, _, error = struct.unpack_from("=IHHIIi", data, at)
                    if what == NLMSG_ERROR and told >= first and -error not in fine:
                        device, address, _ = batch[told - first]
                        failed.append(f"{address} on {device}: {os.strerror(-error)}")
                    at += (length + 3) & ~3
        except OSError as error:
            failed.append(f"rtnetlink: {error.strerror or error}")
        return failed


@lru_cache(maxsize=2048)
def _body(kind: int, index: int, address: str, lifetime: int) -> bytes:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    packed = socket.inet_pton(family, address)
    body = struct.pack("=BBBBI", family, 8 * len(packed), 0, 0, index)
    body += b"".join(struct.pack("=HH", 4 + len(packed), what) + packed for what in (IFA_LOCAL, IFA_ADDRESS))
    if kind == RTM_NEWADDR:
        deprecated = family == socket.AF_INET6
        how = IFA_F_NOPREFIXROUTE | (IFA_F_NODAD if deprecated else 0)
        body += struct.pack("=HHI", 8, IFA_FLAGS, how)
        body += struct.pack("=HHIIII", 20, IFA_CACHEINFO, 0 if deprecated else lifetime, lifetime, 0, 0)
    return body


def _local_address(attributes: bytes) -> str | None:
    """IPv4 addresses are given as local ones, IPv6 addresses without a peer only as the other kind."""
    at, found = 0, {}
    while at + 4 <= len(attributes):
        length, kind = struct.unpack_from("=HH", attributes, at)
        found[kind] = attributes[at + 4 : at + length]
        at += max((length + 3) & ~3, 4)
    packed = found.get(IFA_LOCAL) or found.get(IFA_ADDRESS) or b""
    return socket.inet_ntop({4: socket.AF_INET, 16: socket.AF_INET6}[len(packed)], packed) if packed else None
