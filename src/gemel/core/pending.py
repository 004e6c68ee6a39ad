"""Pending changes: saved, not yet applied. Kept per area over the running revision, one set per node."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from pydantic import ValidationError

from gemel.core.config import Config, Schema
from gemel.core.migration import FIRST
from gemel.core.model import Model, plain
from gemel.core.problem import Invalid, from_validation
from gemel.core.revision import Origin, origin_of


@dataclass(frozen=True, slots=True)
class Pending:
    """The areas that differ from the running configuration, as they would become, and who changed each last."""

    models: Mapping[str, Model] = field(default_factory=dict)
    origins: Mapping[str, Origin] = field(default_factory=dict)

    def over(self, running: Config) -> Config:
        """The candidate: the running configuration with everything pending in it."""
        return running.having(**self.models)

    def saving(self, area: str, model: Model, running: Config, origin: Origin) -> "Pending":
        """With one area saved; one that is back at what runs is no longer pending."""
        models = {**self.models, area: model}
        origins = {**self.origins, area: origin}
        if model == running.named(area):
            del models[area], origins[area]
        return replace(self, models=models, origins=origins)

    def rebased(self, running: Config) -> "Pending":
        """After `running` changed: areas that now equal it are done."""
        left = {name: model for name, model in self.models.items() if model != running.named(name)}
        return Pending(left, {name: self.origins[name] for name in left})

    def without(self, areas: set[str]) -> "Pending":
        """With some areas forgotten (applied, discarded, or overtaken by a push)."""
        left = {name: model for name, model in self.models.items() if name not in areas}
        return Pending(left, {name: self.origins[name] for name in left})


def only(schema: Schema, pending: Pending, areas: set[str]) -> Pending:
    """The part of `pending` in some areas.

    Raises:
        Invalid: a name that is no area's.
    """
    for name in areas:
        schema.area(name)
    return pending.without({name for name in pending.models if name not in areas})


def written(schema: Schema, pending: Pending) -> dict[str, Any]:
    """As JSON values: ``{"version", "areas": {name: {"who", "where", "when", "model"}}}``."""
    models = pending.models.items()
    areas = {name: {**asdict(pending.origins[name]), "model": plain(model)} for name, model in models}
    return {"version": schema.version, "areas": areas}


def read(schema: Schema, running: Config, data: Any) -> tuple[Pending, list[str]]:
    """What `written` gave, in this version or an older one, and sentences about what no longer reads."""
    areas = data.get("areas") if isinstance(data, dict) else None
    if not isinstance(areas, dict) or not all(isinstance(kept, dict) for kept in areas.values()):
        return Pending(), ["no object with areas"]
    try:
        raw = schema.migrated({name: kept.get("model") for name, kept in areas.items()}, data.get("version", FIRST))
    except Invalid as error:
        return Pending(), [str(error)]
    models: dict[str, Model] = {}
    wrong: list[str] = []
    for name, given in raw.items():
        try:
            area = schema.area(name)
            # A migration may have moved a field to an area in which nothing was pending.
            whole = given if name in areas else {**plain(running.named(name)), **given}
            models[name] = area.model.model_validate(whole)
        except Invalid as error:
            wrong.append(str(error))
        except ValidationError as error:
            wrong += [str(problem) for problem in from_validation(error, name, given)]
    return Pending(models, {name: origin_of(areas.get(name) or next(iter(areas.values()))) for name in models}), wrong
