"""Calls made of the description alone: every operation, with a body and an address that are good enough to get in."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Call:
    """One operation: `path` as described, with ``{id}`` in it."""

    method: str
    path: str
    body: Any
    operation: dict[str, Any]

    @property
    def area(self) -> str:
        return self.path.split("/")[1]

    def at(self, **values: str) -> str:
        """The address with these values in place of what stands in braces."""
        path = self.path
        for name, value in values.items():
            path = path.replace(f"{{{name}}}", value)
        assert "{" not in path, path
        return path


def calls(openapi: dict[str, Any]) -> Iterator[Call]:
    """Every operation that the description has."""
    for path, methods in openapi["paths"].items():
        for method, operation in methods.items():
            content = operation.get("requestBody", {}).get("content", {}).get("application/json")
            body = None if content is None else sample(content["schema"], openapi)
            yield Call(method.upper(), path, body, operation)


def sample(schema: dict[str, Any], openapi: dict[str, Any]) -> Any:
    """The smallest value that fits."""
    if "$ref" in schema:
        return sample(openapi["components"]["schemas"][schema["$ref"].rpartition("/")[2]], openapi)
    for choice in ("anyOf", "oneOf", "allOf"):
        if choice in schema:
            return sample(schema[choice][0], openapi)
    if "enum" in schema:
        return schema["enum"][0]
    if "const" in schema:
        return schema["const"]
    match schema.get("type"):
        case "object":
            needed = schema.get("required", ())
            return {n: sample(s, openapi) for n, s in schema.get("properties", {}).items() if n in needed}
        case "array":
            return []
        case "boolean":
            return True
        case "integer" | "number":
            return schema.get("minimum", 1)
        case "string":
            return "x" * max(1, int(schema.get("minLength", 0)))
    return None
