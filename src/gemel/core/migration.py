"""What an older version of Gemel wrote, brought to this one's shape step by step.

A migration takes the areas (name -> JSON object) of one version and gives back those of the next. It is handed a copy
that it may change, and has to do with a part of the areas, fields or items: a person may leave out what has its
default, and a peer sends only what its check boxes carry. Its docstring says what it changes.
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gemel.core.problem import Invalid, Problem

Areas = dict[str, Any]
Migration = Callable[[Areas], Areas]

FIRST = 1
"""The version that the first migration begins with."""


def version_of(migrations: Sequence[Migration]) -> int:
    """The version that these migrations end with: what is written now."""
    return FIRST + len(migrations)


def migrated(areas: Mapping[str, Any], version: Any, migrations: Sequence[Migration]) -> Areas:
    """The areas of a configuration of `version` in the shape of `version_of(migrations)`.

    Raises:
        Invalid: no version, one that is newer, or areas that a migration cannot read.
    """
    newest = version_of(migrations)
    if type(version) is not int or version < FIRST:
        raise Invalid([Problem("version", f"must be {FIRST if newest == FIRST else f'from {FIRST} to {newest}'}")])
    if version > newest:
        text = f"made by a newer Gemel: this is configuration version {version}, this node reads up to {newest}"
        raise Invalid([Problem("version", f"{text}. Upgrade Gemel on this node first")])
    result: Areas = dict(areas)
    for number, migrate in enumerate(migrations[version - FIRST :], version):
        step = f"migrated from configuration version {number} to {number + 1}"
        odd = [str(name) for name, area in result.items() if not isinstance(area, dict)]
        if odd:
            raise Invalid([Problem(name, f"must be an object to be {step}") for name in odd])
        try:
            result = migrate(copy.deepcopy(result))
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            # Not only a mistake of ours: what a person wrote for an import comes here before anything has looked at it.
            raise Invalid([Problem("", f"cannot be {step}: {type(error).__name__}: {error}")]) from error
    return result
