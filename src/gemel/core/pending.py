"""Pending changes: saved, not yet applied. Kept per area over the running revision, one set per node."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from gemel.core.config import Config, Schema
from gemel.core.model import Model
from gemel.core.revision import Origin


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
