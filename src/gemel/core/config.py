"""A configuration: one frozen model for each area, and the schema that reads, checks and compiles it.

On disk a configuration is canonical JSON: ``{"version": 1, "areas": {name: model}}``, keys sorted, no spaces. It stays
as the version wrote it that made it, and is migrated (`core.migration`) whenever it is read.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, TypeVar, cast

from pydantic import ValidationError

from gemel.core.area import Area, NodeState
from gemel.core.migration import Areas, Migration, migrated, version_of
from gemel.core.model import Model, plain
from gemel.core.problem import Invalid, Problem, errors, from_validation
from gemel.core.remember import OfTogether
from gemel.core.want import Want

M = TypeVar("M", bound=Model)


class Config:
    """One model for each area, looked up by the area itself: ``config[INTERFACES].items``."""

    __slots__ = ("_models",)

    def __init__(self, models: Mapping[str, Model]) -> None:
        self._models = MappingProxyType(dict(models))

    def __getitem__(self, area: Area[M]) -> M:
        return cast(M, self._models[area.name])

    def named(self, name: str) -> Model:
        """The model of the area of that name.

        Raises:
            KeyError: there is none.
        """
        return self._models[name]

    def having(self, **models: Model) -> "Config":
        """The same with some areas replaced, by name."""
        return Config({**self._models, **models})

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Config) and self._models == other._models

    def __hash__(self) -> int:
        return id(self)


def canonical(value: Any) -> str:
    """JSON with one spelling for each value: sorted keys, no spaces, no escapes that are not needed."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest(value: Any) -> str:
    """SHA-256 of the canonical JSON, as hex."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def _as_it_is(config: Config) -> Config:
    return config


def _as_it_became(_before: Config, after: Config) -> Config:
    return after


@dataclass(frozen=True)
class Schema:
    """The ordered list of areas, and what can be done with a configuration as a whole.

    `names` builds the look-up through which people's words (``SYNC net``) become references, from areas as JSON values.
    `settled` makes what follows from other areas follow them (a port forward's filter rule), after each edit; before
    that `followed(before, after)` does so where it takes both to know, and refuses what must not go.
    `across` compiles what several areas come to together (the firewall, the settings of Gemel's own daemons);
    `cautions` are warnings about it, asked for when nothing is wrong with the single areas. `migrations` bring what
    older versions wrote to this one, in order.
    """

    areas: tuple[Area[Any], ...]
    names: Callable[[Mapping[str, Any]], Any]
    settled: Callable[["Config"], "Config"] = _as_it_is
    followed: Callable[["Config", "Config"], "Config"] = _as_it_became
    across: tuple[Callable[["Config", NodeState], Iterable[Want]], ...] = ()
    cautions: tuple[Callable[["Config"], Iterable[Problem]], ...] = ()
    migrations: tuple[Migration, ...] = ()
    _checked: OfTogether[list[Problem]] = field(init=False, repr=False, compare=False)

    @property
    def version(self) -> int:
        """The version of the configurations that `dump` writes."""
        return version_of(self.migrations)

    def migrated(self, areas: Mapping[str, Any], version: Any) -> Areas:
        """Areas as JSON objects, of a configuration of that version, in the shape of this one.

        Raises:
            Invalid: they are newer, or do not read.
        """
        return migrated(areas, version, self.migrations)

    def area(self, name: str) -> Area[Any]:
        """The area of that name.

        Raises:
            Invalid: there is none.
        """
        for area in self.areas:
            if area.name == name:
                return area
        raise Invalid([Problem(name, f"there is no area {name!r}; there are {', '.join(a.name for a in self.areas)}")])

    def default(self) -> Config:
        """What a machine has before anybody configured it: nothing is open."""
        return Config({area.name: area.model() for area in self.areas})

    def dump(self, config: Config) -> dict[str, Any]:
        """The configuration as JSON values."""
        return {"version": self.version, "areas": {area.name: plain(config.named(area.name)) for area in self.areas}}

    def load(self, data: Any) -> Config:
        """Read what `dump` wrote, of this version or an older one, or what a person wrote in the same shape; areas left
        out have their defaults.

        Raises:
            Invalid: with every problem found, each tied to its field.
        """
        if not isinstance(data, dict) or not isinstance(data.get("areas"), dict):
            raise Invalid([Problem("", 'a configuration is an object with "version" and "areas"')])
        unknown = sorted(str(key) for key in data if key not in ("version", "areas"))
        problems = [Problem(key, "there is no such field") for key in unknown]
        raw = self.migrated(data["areas"], data.get("version"))
        known = {area.name for area in self.areas}
        problems += [Problem(str(n), "there is no such area") for n in raw if n not in known]
        if problems:
            raise Invalid(problems)
        names = self.names(raw)
        models: dict[str, Model] = {}
        for area in self.areas:
            given = raw.get(area.name, {})
            try:
                models[area.name] = area.model.model_validate(given, context={"names": names})
            except ValidationError as error:
                problems += from_validation(error, area.name, given)
        if problems:
            raise Invalid(problems)
        return Config(models)

    def __post_init__(self) -> None:
        # Before and after each change the same configurations are checked again and again.
        object.__setattr__(self, "_checked", OfTogether(self._check, most=3))

    def check(self, config: Config) -> list[Problem]:
        """Every problem of a configuration that reads well: what one area's fields mean for another's."""
        return list(self._checked(*(config.named(area.name) for area in self.areas)))

    def _check(self, *models: Model) -> list[Problem]:
        config = Config({area.name: model for area, model in zip(self.areas, models, strict=True)})
        found = [problem for area in self.areas for problem in (*_same_ids(area, config), *area.check(config))]
        if not errors(found):
            found += [problem for caution in self.cautions for problem in caution(config)]
        return found

    def checked(self, config: Config) -> list[Problem]:
        """The warnings of a configuration without errors.

        Raises:
            Invalid: it has errors; warnings come along.
        """
        problems = self.check(config)
        if errors(problems):
            raise Invalid(problems)
        return problems

    def compile(self, config: Config, node: NodeState) -> list[Want]:
        """What a machine must have to be what `config` says. `config` must be free of errors."""
        return list(self._wants(config, node))

    def _wants(self, config: Config, node: NodeState) -> Iterator[Want]:
        for area in self.areas:
            yield from area.compile(config, node)
        for compile_together in self.across:
            yield from compile_together(config, node)

    def synced(self, boxes: Iterable[str]) -> list[Area[Any]]:
        """The areas that these check boxes carry to the peer."""
        ticked = set(boxes)
        return [area for area in self.areas if area.sync in ticked]


def _same_ids(area: Area[Any], config: Config) -> Iterator[Problem]:
    if area.item is None:
        return
    seen: set[str] = set()
    for item in config.named(area.name).items:  # type: ignore[attr-defined]
        if item.id in seen:
            yield Problem(f"{area.name}[{item.id}].id", "there is another one with this id")
        seen.add(item.id)
