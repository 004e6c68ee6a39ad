"""What there is at most once for an interface, and is named after it: both nodes come to the same id by themselves."""

from collections.abc import Collection, Mapping
from typing import Any

from gemel.areas.fields import InterfaceRef
from gemel.core.model import Item


class OnePerInterface(Item):
    """The kind of item; whoever is one says what `interface` is to people."""

    interface: InterfaceRef

    @classmethod
    def id_for(cls, values: Mapping[str, Any], taken: Collection[str]) -> str:
        word = str(values.get("interface", "")).lower()
        return "".join(c for c in word if c.isascii() and (c.isalnum() or c in "_-"))[:40] or "interface"

    def called(self) -> tuple[str, ...]:
        return (self.interface,)
