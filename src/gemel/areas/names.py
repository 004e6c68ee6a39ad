"""People's words to stable references and back, built from areas as JSON values (before they are models).

Stored references: ``opt1`` (interface), ``net:opt1``, ``address:opt1``, ``self``, ``any``, ``vip:ID``, ``alias:ID``,
or literal addresses and networks. A leading ``!`` inverts.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Names:
    """Look-ups: interfaces and gateways by lower-case word, aliases by lower-case name, synchronised VIPs by address.

    `known_*` hold the ids that exist, each with what people call it.
    """

    interfaces: Mapping[str, str]
    aliases: Mapping[str, str]
    vips: Mapping[str, str]
    gateways: Mapping[str, str]
    known_interfaces: Mapping[str, str]
    known_aliases: Mapping[str, tuple[str, str]]
    known_vips: Mapping[str, str]
    known_gateways: Mapping[str, str]

    def interface(self, word: str) -> str | None:
        """The id of an interface by its id or its name; ids go first, or what is stored would change its meaning."""
        return word if word in self.known_interfaces else self.interfaces.get(word.lower())

    def gateway(self, word: str) -> str | None:
        """The id of a gateway, by its id or its name."""
        return word if word in self.known_gateways else self.gateways.get(word.lower())

    def stored_vip(self, key: str) -> str:
        """How rules and NAT refer to a VIP: by id if both nodes have it, otherwise by its address or network."""
        text = self.known_vips[key]
        return f"vip:{key}" if self.vips.get(text) == key else text

    def show(self, reference: str) -> str:
        """A stored reference in the words that people use on pages and commands."""
        if reference.startswith("!"):
            return f"! {self.show(reference[1:])}"
        kind, colon, key = reference.partition(":")
        if not colon or kind not in ("net", "address", "vip", "alias"):
            return {"self": "This firewall", "any": "any"}.get(reference, reference)
        match kind:
            case "vip":
                return self.known_vips.get(key, reference)
            case "alias":
                return self.known_aliases.get(key, (reference, ""))[0]
            case _:
                return f"{self.known_interfaces.get(key, key)} {kind}"


_OF_INTERFACES = ("interface", "synchronize_interface")
_OF_GATEWAYS = ("gateway", "gateway6", "default4", "default6")


def words_of(values: Mapping[str, Any], names: Names) -> dict[str, str]:
    """Field -> people's words, for the fields whose stored value reads otherwise; of a list one line each."""
    words = {}
    for field, value in values.items():
        if isinstance(value, list | tuple):
            if any(isinstance(entry, str) and entry.startswith("alias:") for entry in value):
                words[field] = "\n".join(_entry_words(entry, names) for entry in value)
            continue
        if not isinstance(value, str) or not value:
            continue
        if field in _OF_INTERFACES:
            shown = names.known_interfaces.get(value, names.show(value))
        elif field in _OF_GATEWAYS:
            shown = names.known_gateways.get(value, value)
        else:
            shown = names.show(value)
        if shown != value:
            words[field] = shown
    return words


def _entry_words(entry: str, names: Names) -> str:
    reference, hash_sign, note = entry.partition("#")
    return f"{names.show(reference.strip())}{f' #{note}' if hash_sign else ''}"


def names_of(areas: Mapping[str, Any]) -> Names:
    """The look-ups for these areas. Tolerates whatever is not well-formed: that is for the models to say."""
    interfaces = {
        str(i.get("id")): str(i.get("description") or i.get("id")).upper() for i in _items(areas, "interfaces")
    }
    described = {str(i.get("id")): str(i.get("description") or i.get("id")) for i in _items(areas, "interfaces")}
    aliases = {str(a.get("id")): (str(a.get("name")), str(a.get("type", "host"))) for a in _items(areas, "aliases")}
    gateways = {str(g.get("id")): str(g.get("name")) for g in _items(areas, "gateways")}
    vips, shared = {}, {}
    for vip in _items(areas, "virtual_ips"):
        key, whole = str(vip.get("id")), str(vip.get("address", ""))
        address = whole.partition("/")[0]
        vips[key] = whole if _is_network(vip) else address
        if _is_shared_address(vip):
            shared[address] = key
    return Names(
        interfaces={**{i: i for i in interfaces}, **{name.lower(): i for i, name in interfaces.items()}},
        aliases={name.lower(): key for key, (name, _) in aliases.items()},
        vips=shared,
        gateways={**{g: g for g in gateways}, **{name.lower(): g for g, name in gateways.items()}},
        known_interfaces=described,
        known_aliases=aliases,
        known_vips=vips,
        known_gateways=gateways,
    )


def _is_shared_address(vip: Mapping[str, Any]) -> bool:
    """Whether both nodes have this VIP, so that rules that synchronise can refer to it; of networks only single
    addresses.
    """
    kind, interface = vip.get("type", "carp"), str(vip.get("interface", ""))
    if _is_network(vip):
        return False
    return kind in ("carp", "other") or interface.startswith("vip:") or interface == "lo0"


def _is_network(vip: Mapping[str, Any]) -> bool:
    """Whether it stands for all addresses of its mask."""
    of_networks = vip.get("type", "carp") not in ("carp", "ipalias")
    return of_networks and not str(vip.get("address", "")).endswith(("/32", "/128"))


def _items(areas: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    section = areas.get(name)
    items = section.get("items", []) if isinstance(section, dict) else []
    return [i for i in items if isinstance(i, dict)] if isinstance(items, list | tuple) else []
