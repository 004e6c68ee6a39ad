"""Firewall > Virtual IPs: with the next free VHID, a random password, and what base and skew amount to."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from gemel.areas.virtual_ip import LOOPBACK
from gemel.areas.virtual_ips import HIGHEST_SKEW, PEER_SKEW, VIRTUAL_IPS
from gemel.web.form import Field, Option, vip_word
from gemel.web.pages.area import NEW, AreaPages
from gemel.web.visit import Visit

VHIDS = range(1, 256)
CARP_ONLY = ("base", "skew", "password", "peer", "peer6", "virtual_mac", "confirm_vhid")


class VirtualIpPages(AreaPages):
    """Hand-made: CARP's fields where the type is CARP."""

    list_template = "virtual_ips.html"
    form_template = "virtual_ip.html"

    def fields(self, visit: Visit) -> dict[str, Field]:
        fields = super().fields(visit)
        names = dict(visit.choices.interfaces)
        parents = (
            Option(f"vip:{key}", f"CARP {vip_word(ip, text)}")
            for key, ip, kind, _, text in visit.choices.vips
            if kind == "carp" and key != visit.path["item"]
        )
        local = Option(LOOPBACK, "Localhost (IP alias only)")
        interfaces = (*(Option(k, n) for k, n in names.items()), *parents, local)
        users: dict[int, list[str]] = {}
        for interface, numbers in visit.choices.vhids.items():
            for number in numbers:
                users.setdefault(number, []).append(names.get(interface, interface))
        vhids = tuple(Option(str(n), f"{n} (in use on {', '.join(users[n])})" if n in users else str(n)) for n in VHIDS)
        skews = tuple(Option(str(n), str(n)) for n in range(HIGHEST_SKEW + 1))
        bases = tuple(Option(str(n), str(n) if n else "0 (faster than a second)") for n in range(255))
        changed = {"interface": interfaces, "vhid": vhids, "base": bases, "skew": skews}
        return fields | {name: replace(fields[name], options=options) for name, options in changed.items()}

    def starting(self, visit: Visit, fields: Mapping[str, Field]) -> dict[str, Any]:
        used = {n for numbers in visit.choices.vhids.values() for n in numbers}
        above = max(used, default=0) + 1
        free = above if above in VHIDS else next((n for n in VHIDS if n not in used), None)
        return {**super().starting(visit, fields), "vhid": free}

    def meant(self, visit: Visit, values: dict[str, Any]) -> dict[str, Any]:
        if values.get("type", "carp") == "carp":
            return values
        # What only CARP has is hidden on the page for other types, and not meant.
        kept = {k: v for k, v in values.items() if k not in CARP_ONLY}
        emptied = {} if visit.path["item"] == NEW else dict.fromkeys(("password", "peer", "peer6"), "")
        return {**kept, "vhid": None, **emptied}

    def beside_form(self, visit: Visit, values: Mapping[str, Any]) -> dict[str, Any]:
        return {"peer_skew": PEER_SKEW, "highest_skew": HIGHEST_SKEW}


PAGES = VirtualIpPages(VIRTUAL_IPS)
