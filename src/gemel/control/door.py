"""One kind of door for every daemon: a JSON line in, a JSON line out, over a unix stream socket.

    {"ask": "CarpStatus", "with": {}}   ->   {"answer": {...}}   or   {"refused": "why", "problems": [...]}

`serve` runs in threads of its own, so a protocol loop is never held up by a curious caller.
"""

import contextlib
import json
import logging
import os
import socket
import struct
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from gemel.core.codec import Malformed, decode, encode

A = TypeVar("A")
LONGEST_LINE = 64 << 20  # bytes: a configuration with 10,000 rules and 100,000 alias entries fits many times
CALLERS_AT_ONCE = 64

log = logging.getLogger(__name__)


class Question(Generic[A]):
    """What one process may ask of another. Subclasses are frozen dataclasses and name the shape of their answer."""

    answer_shape: ClassVar[Any] = None


class Refused(Exception):
    """The door heard the question and says no. `problems` holds {"path", "text", "level"} objects, if any."""

    def __init__(self, text: str, problems: Iterable[dict[str, Any]] = ()) -> None:
        super().__init__(text)
        self.problems = list(problems)


class Unreachable(Exception):
    """Nobody answers at this door: the daemon is not running, hangs, or the caller may not come in."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who knocks, as the kernel says it."""

    pid: int
    uid: int
    gid: int


Answerer = Callable[[Any, Caller], Any]


class Door:
    """An open door: answers `questions` with `answer(question, caller)` until `close`."""

    def __init__(
        self, path: str, questions: Iterable[type[Question[Any]]], answer: Answerer, mode: int = 0o600, gid: int = -1
    ) -> None:
        self._path = Path(path)
        self._questions = {q.__name__: q for q in questions}
        self._answer = answer
        self._places = threading.BoundedSemaphore(CALLERS_AT_ONCE)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        old = os.umask(0o177)
        try:
            self._socket.bind(path)
        finally:
            os.umask(old)
        os.chown(path, -1, gid)
        self._path.chmod(mode)
        self._socket.listen(128)
        threading.Thread(target=self._accept, name=f"door {self._path.name}", daemon=True).start()

    def close(self) -> None:
        """Stop answering; the socket file goes."""
        self._socket.close()
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self._places.acquire()
            threading.Thread(target=self._attend, args=(connection,), daemon=True).start()

    def _attend(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError), connection.makefile("rb") as lines:
            try:
                caller = Caller(*struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)))
                while line := lines.readline(LONGEST_LINE):
                    connection.sendall(json.dumps(self._reply(line, caller)).encode() + b"\n")
            finally:
                self._places.release()

    def _reply(self, line: bytes, caller: Caller) -> dict[str, Any]:
        try:
            asked = json.loads(line)
            shape = self._questions[asked["ask"]]
            question = decode(shape, asked.get("with", {}))
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            text = str(error) if isinstance(error, Malformed) else "no such question at this door"
            return {"refused": text, "problems": []}
        try:
            return {"answer": encode(self._answer(question, caller))}
        except Refused as no:
            return {"refused": str(no), "problems": no.problems}
        except Exception as error:
            # One bad question must not take the daemon with it; the trace goes to the log, the asker hears that it
            # failed.
            log.exception("%s failed", shape.__name__)
            return {"refused": f"{shape.__name__} failed: {type(error).__name__}: {error}", "problems": []}


class Ask(Protocol):
    """Puts a question to one door, and raises what `ask` raises: for those who are not to know where the door is."""

    def __call__(self, question: Question[A], /) -> A: ...


def ask(path: str, question: Question[A], timeout: float = 30.0) -> A:
    """Put one question to the door at `path` and return its typed answer.

    Raises:
        Refused: the door says no, with its reason.
        Unreachable: nobody there, no answer within `timeout` seconds, or no right to knock.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
        s.settimeout(timeout)
        try:
            s.connect(path)
            s.sendall(json.dumps({"ask": type(question).__name__, "with": encode(question)}).encode() + b"\n")
            with s.makefile("rb") as lines:
                line = lines.readline(LONGEST_LINE)
        except OSError as error:
            raise Unreachable(f"{path}: {error.strerror or error}") from error
    if not line:
        raise Unreachable(f"{path}: closed without an answer")
    reply = json.loads(line)
    if "refused" in reply:
        raise Refused(reply["refused"], reply.get("problems", ()))
    answer: A = decode(question.answer_shape, reply["answer"])
    return answer
