"""Kea's control socket: one command, one answer, one connection."""

import asyncio
import json
from typing import Any

LONGEST = 64 << 20  # bytes of one answer: a table of 100,000 leases is 25 MB
SUCCESS, FAILED, UNSUPPORTED, EMPTY = 0, 1, 2, 3


class KeaError(Exception):
    """Kea does not answer, or says no; the text says why."""


class Kea:
    """The server behind the control socket at `path`."""

    def __init__(self, path: str) -> None:
        self.path = path

    async def ask(self, command: str, arguments: dict[str, Any] | None = None, patience: float = 1.0) -> Any:
        """The arguments of the answer to one command; None where there is nothing of what was asked for.

        Raises:
            KeaError: no answer within `patience` seconds, or a refusal.
        """
        asked: dict[str, Any] = {"command": command}
        if arguments is not None:
            asked["arguments"] = arguments
        try:
            answer = await asyncio.wait_for(self._exchange(json.dumps(asked).encode()), patience)
        except TimeoutError:
            raise KeaError(f"Kea does not answer within {patience:g} s") from None
        except (OSError, ValueError) as error:
            raise KeaError(f"Kea does not answer: {error}") from None
        if answer.get("result") == EMPTY:
            return None
        if answer.get("result") != SUCCESS:
            raise KeaError(str(answer.get("text", "refused")))
        return answer.get("arguments", {})

    async def _exchange(self, data: bytes) -> Any:
        reader, writer = await asyncio.open_unix_connection(self.path, limit=LONGEST)
        try:
            writer.write(data)
            await writer.drain()
            return json.loads(await reader.read(-1))
        finally:
            writer.close()
