"""Calls that a program makes up from the description of REST, right ones and wrong ones, the same in each run."""

import copy
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import (
    content_type_conformance,
    not_a_server_error,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.generation import GenerationMode

CHECKS = [
    not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance,
    response_headers_conformance,
]  # fmt: skip
RIGHT, WRONG = 2, 1
"""How many calls of either kind are made up for an operation."""

STREAMS = ("/events",)
"""What does not end by itself is tested elsewhere."""


LIKELY = {
    "interface": ["lan"], "source": ["any", "LAN net"], "destination": ["any", "192.0.2.7"], "source_port": [""],
    "destination_port": ["", "443"], "network": ["203.0.113.0/24"], "entries": [[], ["192.0.2.1"]],
    "target": ["192.0.2.9"],
    "translation": ["interface"], "host": ["127.0.0.1"], "expires": ["", "2030-01-31"], "position": ["top"],
}  # fmt: skip
"""Fields -> values of a kind that no dice throw, so that calls get past the first look at them."""


@dataclass
class Found:
    """What came of it: statuses by operation, and what no reply should be."""

    statuses: dict[str, Counter[int]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def answered(self, worst: int) -> set[str]:
        """The operations that once answered with a status below that."""
        return {name for name, counted in self.statuses.items() if any(status < worst for status in counted)}


def narrowed(openapi: dict[str, Any], known: Callable[[str], list[str]]) -> dict[str, Any]:
    """The same description for this very node: ids are those of items that are there (`known` says them, by the path
    of their list), or of nothing; waiting is short; and it comes in by a header that is none of the made-up ones."""
    narrow = copy.deepcopy(openapi)
    narrow.pop("security", None)
    narrow["components"].pop("securitySchemes", None)
    for path in STREAMS:
        del narrow["paths"][path]
    for path, methods in narrow["paths"].items():
        for operation in methods.values():
            for parameter in operation.get("parameters", ()):
                if parameter["in"] == "path":
                    parameter["schema"] = {"enum": [*known(path), *([] if parameter["name"] == "number" else ["no"])]}
            for content in operation.get("requestBody", {}).get("content", {}).values():
                _likely(content["schema"], narrow)
    narrow["components"]["schemas"]["Listen"]["properties"]["seconds"]["maximum"] = 1
    return narrow


def _likely(schema: dict[str, Any], openapi: dict[str, Any]) -> None:
    if "$ref" in schema:
        schema = openapi["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    for name in set(schema.get("properties", ())) & set(LIKELY):
        schema["properties"][name] = {"enum": LIKELY[name]}


def fuzz(openapi: dict[str, Any], base: str, key: str) -> Found:
    """Make up calls for every operation, and look at what comes back."""
    found = Found()
    schema = schemathesis.openapi.from_dict(openapi)
    with requests.Session() as session:
        for result in schema.get_all_operations():
            operation = result.ok()
            for mode, count in ((GenerationMode.POSITIVE, RIGHT), (GenerationMode.NEGATIVE, WRONG)):
                _try(found, operation, mode, count, lambda case: case.call(
                    base_url=base, session=session, headers={"X-API-Key": key}, timeout=30, verify=False
                ))  # fmt: skip
    return found


def _try(found: Found, operation: Any, mode: GenerationMode, count: int, call: Callable[[Any], Any]) -> None:
    statuses = found.statuses.setdefault(operation.label, Counter())

    @settings(
        max_examples=count, derandomize=True, database=None, deadline=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=operation.as_strategy(generation_mode=mode))
    def once(case: Any) -> None:
        answer = call(case)
        statuses[answer.status_code] += 1
        try:
            case.validate_response(answer, checks=CHECKS)
        except (Failure, FailureGroup) as fault:
            found.faults.append(f"{operation.label}: {answer.status_code} {fault!r} {answer.text[:300]}")

    try:
        once()
    except Exception as error:
        if "Unsatisfiable" not in type(error).__name__ and "SchemaError" not in type(error).__name__:
            raise  # else nothing wrong can be made up for a call that takes nothing
