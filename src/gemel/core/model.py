"""The base of everything that a person configures: frozen pydantic models whose fields explain themselves.

A field is declared once: label, help, default, limits, secrecy, whether it stays on this node. Form, CLI, REST, sync
and diff read it from there (`describe`).
"""

import secrets
from collections.abc import Collection, Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pydantic.fields import FieldInfo

HIDDEN = "(hidden)"
"""How secrets are shown. Coming back from a form it means: as it is."""


class Model(BaseModel):
    """Frozen; an unknown key is an error, not a surprise."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=False, use_enum_values=True)


def new_id() -> str:
    """Eight hex digits, random and stable for the life of the item."""
    return secrets.token_hex(4)


ItemId = Annotated[str, StringConstraints(pattern=r"^[0-9a-z_-]{1,40}$")]


class Item(Model):
    """An entry of a list: referred to by `id`, never by position or name."""

    id: ItemId = Field(default_factory=new_id, title="Id", description="Stable identity; made at creation.")

    @classmethod
    def id_for(cls, values: Mapping[str, Any], taken: Collection[str]) -> str:
        """The id of a new item: random, unless both nodes must come to the same one by themselves."""
        return new_id()

    def called(self) -> tuple[str, ...]:
        """What people call this item, beside its id."""
        return ()


def field(
    default: Any = ...,
    *,
    label: str,
    help: str,
    secret: bool = False,
    local: bool = False,
    sealed: bool = False,
    **limits: Any,
) -> Any:
    """A field with what people need to know about it.

    `secret` values are never shown; `local` ones stay on this node when the configuration is synchronised; `sealed`
    ones the agent makes itself: no form, command or REST offers them. `limits` are pydantic's (ge, le, max_length…).
    """
    extra: dict[str, Any] = {}
    if secret:
        extra["secret"] = True
    if local:
        extra["local"] = True
    if sealed:
        extra["sealed"] = True
    if "default_factory" in limits:
        return Field(title=label, description=help, json_schema_extra=extra, **limits)
    return Field(default, title=label, description=help, json_schema_extra=extra, **limits)


def is_marked(info: FieldInfo, mark: str) -> bool:
    """Whether a field was declared `secret`, `local` or `sealed`."""
    extra = info.json_schema_extra
    return isinstance(extra, dict) and bool(extra.get(mark))


def plain(model: BaseModel) -> dict[str, Any]:
    """The model as JSON values, every field present."""
    return model.model_dump(mode="json")
