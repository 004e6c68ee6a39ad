"""The kernel's network devices, as far as `effects.links` asks for them, with what makes them difficult.

A bond takes no port that is up, and another mode only when it is down and has no ports; a port that it lets go is down.
A device that goes down loses its routes and its IPv6 addresses; a VLAN goes down with what carries it.
"""

from dataclasses import dataclass, field
from typing import Any

from pyroute2.netlink.exceptions import NetlinkError

EPERM, ENODEV, EEXIST, ERANGE, ENOTEMPTY, EOPNOTSUPP = 1, 19, 17, 34, 39, 95


class Message(dict[str, Any]):
    """A netlink message: fields by name, attributes by `get_attr`."""

    def __init__(self, fields: dict[str, Any], attributes: dict[str, Any]) -> None:
        super().__init__(fields)
        self._attributes = attributes

    def get_attr(self, name: str) -> Any:
        return self._attributes.get(name)

    def get_nested(self, *names: str) -> Any:
        found: Any = self._attributes
        for name in names:
            found = found.get(name) if isinstance(found, dict) else None
        return found


@dataclass
class Device:
    name: str
    index: int
    kind: str = ""
    data: dict[str, Any] = field(default_factory=dict)
    link: int = 0
    master: int = 0
    up: bool = False
    mtu: int = 1500
    addresses: list[str] = field(default_factory=list)
    fleeting: list[str] = field(default_factory=list)
    routes: list[tuple[str, str, int]] = field(default_factory=list)
    """Destination, gateway, metric; all are made by RTPROT_STATIC."""


class Kernel:
    """In place of pyroute2's IPRoute. `log` is what was done, in words."""

    def __init__(self, *ports: str) -> None:
        self.devices = [Device(name, number) for number, name in enumerate(ports, 2)]
        self.log: list[str] = []
        self.lacking: set[str] = set()
        """Kinds that it was built without."""

    def __getitem__(self, name: str) -> Device:
        return next(d for d in self.devices if d.name == name)

    def names(self) -> list[str]:
        return [d.name for d in self.devices]

    def ports_of(self, name: str) -> list[str]:
        return [d.name for d in self.devices if d.master == self[name].index]

    def _at(self, index: int) -> Device:
        for device in self.devices:
            if device.index == index:
                return device
        raise NetlinkError(ENODEV, "No such device")

    def link_lookup(self, ifname: str) -> list[int]:
        return [d.index for d in self.devices if d.name == ifname]

    def get_links(self, *indices: int) -> list[Message]:
        chosen = [self._at(i) for i in indices] if indices else self.devices
        return [
            Message(
                {"index": d.index},
                {
                    "IFLA_MASTER": d.master or None,
                    "IFLA_LINK": d.link or None,
                    "IFLA_LINKINFO": {
                        "IFLA_INFO_KIND": d.kind,
                        "IFLA_INFO_DATA": {f"IFLA_{n.upper()}": v for n, v in d.data.items()},
                    },
                },
            )
            for d in chosen
        ]

    def get_addr(self, index: int) -> list[Message]:
        device = self._at(index)
        found = []
        for flags, texts in ((0x80, device.addresses), (0, device.fleeting)):
            for text in texts:
                address, _, length = text.partition("/")
                fields = {"index": index, "family": 10 if ":" in text else 2, "prefixlen": int(length), "flags": flags}
                found.append(Message({**fields, "scope": 0}, {"IFA_ADDRESS": address}))
        return found

    def get_routes(self, oif: int, table: int) -> list[Message]:
        assert table == 254
        found = []
        for to, gateway, metric in self._at(oif).routes:
            network, _, length = to.partition("/")
            attributes = {"RTA_DST": network or None, "RTA_GATEWAY": gateway, "RTA_OIF": oif}
            attributes["RTA_PRIORITY"] = metric or None
            family = 10 if ":" in gateway else 2
            found.append(Message({"family": family, "dst_len": int(length or 0), "proto": 4}, attributes))
        return found

    def addr(self, command: str, index: int, address: str, prefixlen: int, **extra: Any) -> None:
        assert command == "replace" and (":" in address) == (extra.get("flags") == 0x02)
        device, text = self._at(index), f"{address}/{prefixlen}"
        if text not in device.addresses:
            device.addresses.append(text)

    def route(
        self, command: str, dst: str, gateway: str, oif: int, family: int, proto: int, priority: int = 0
    ) -> None:
        assert command == "replace" and proto == 4
        device, to = self._at(oif), "" if dst == "default" else dst
        if not device.up:
            raise NetlinkError(100, "Network is down")
        if (to, gateway, priority) not in device.routes:
            device.routes.append((to, gateway, priority))

    def link(self, command: str, index: int = 0, **what: Any) -> None:
        match command:
            case "add":
                self._add(**what)
            case "del":
                self._delete(self._at(index))
            case "set":
                self._set(self._at(index), **what)

    def _add(self, ifname: str, kind: str, link: int = 0, **data: Any) -> None:
        if self.link_lookup(ifname):
            raise NetlinkError(EEXIST, "File exists")
        if kind in self.lacking:
            raise NetlinkError(EOPNOTSUPP, "Operation not supported")
        number = max((d.index for d in self.devices), default=1) + 1
        self.devices.append(Device(ifname, number, kind, data, link))
        self.log.append(f"made {ifname}")

    def _delete(self, device: Device) -> None:
        for other in [d for d in self.devices if d.link == device.index]:
            self._delete(other)
        for port in [d for d in self.devices if d.master == device.index]:
            self._master(port, 0)
        self.devices.remove(device)
        self.log.append(f"unmade {device.name}")

    def _set(self, device: Device, **what: Any) -> None:
        kind = what.pop("kind", "")
        assert kind in ("", device.kind)
        if "master" in what:
            self._master(device, what.pop("master"))
        if "mtu" in what:
            device.mtu = what.pop("mtu")
        state = what.pop("state", "")
        if state:
            self._state(device, state == "up")
        hard = {"bond_mode", "bond_ad_lacp_rate"} & what.keys()
        if hard and (device.up or any(d.master == device.index for d in self.devices)):
            raise NetlinkError(ENOTEMPTY, "Directory not empty")
        if "br_forward_delay" in what and device.data["br_stp_state"] and not 200 <= what["br_forward_delay"] <= 3000:
            raise NetlinkError(ERANGE, "Numerical result out of range")
        device.data |= what

    def _master(self, port: Device, master: int) -> None:
        if port.master and self._at(port.master).kind == "bond":
            self._state(port, False)
        if master and self._at(master).kind == "bond":
            if port.up:
                raise NetlinkError(EPERM, "Operation not permitted")
            port.up = True
        port.master = master
        self.log.append(f"{port.name} in {self._at(master).name if master else 'nothing'}")

    def _state(self, device: Device, up: bool) -> None:
        if device.up and not up:
            device.routes.clear()
            device.addresses = [a for a in device.addresses if ":" not in a]
            self.log.append(f"{device.name} down")
        device.up = up
        for vlan in [d for d in self.devices if d.link == device.index]:
            self._state(vlan, up)
