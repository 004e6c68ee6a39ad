"""Ping and packet capture: what people have started, each in a thread of its own, until it ends, is stopped, or the
session of who started it is over."""

import base64
import logging
import secrets
import signal
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from gemel.areas.interfaces import INTERFACES
from gemel.areas.virtual_ips import VIRTUAL_IPS
from gemel.control.agent import BY_ITSELF, Capture, Piece, Ping, Run, SourceChoice
from gemel.control.door import Refused
from gemel.core.config import Config
from gemel.daemons.agent.job import GRACE, LINES_KEPT, Job, Packets, told
from gemel.effects.child import RAW, Child, NotStarted
from gemel.effects.look import addresses
from gemel.facts.diagnostics import DECODE_COMMAND, MOST_BYTES, Echo, Source, Wanted, capture_command, ping_command
from gemel.facts.diagnostics import sources as possible

PIECE = 256 << 10
RUNNING_AT_ONCE = 4
KEPT_OF_A_KIND = 2  # of one session; older ones go, with their files
LONGEST_WAIT = 5.0
LOOKED_AFTER = 1.0  # seconds between looks whether sessions are still there
UNWATCHED = 30.0  # seconds after which what root started on the console ends when nobody asks for it any more

log = logging.getLogger(__name__)


class Diagnostics:
    """Starts, tells, stops. `alive` says whether a session is still there; files go to `folder`."""

    def __init__(self, config: Callable[[], Config], folder: Path, alive: Callable[[str], bool]) -> None:
        self._config = config
        self._folder = folder
        self._alive = alive
        self._jobs: dict[str, Job] = {}
        self._lock = threading.Lock()
        self._minded = False
        if folder.is_dir():
            for left in folder.glob("*.pcap"):
                left.unlink()

    # ------------------------------------------------------------------------------------------------------ questions

    def sources(self) -> tuple[SourceChoice, ...]:
        """Where a ping can come from."""
        return tuple(SourceChoice(s.key, s.title, s.absent) for s in self._sources())

    def ping(self, asked: Ping) -> Run:
        """Begin to ping.

        Raises:
            Invalid, Refused: it means nothing, or too much runs already.
        """
        echo = Echo(asked.host.strip(), asked.source.strip(), asked.family, asked.count)
        command = ping_command(echo, self._sources())
        job = self._open("ping", f"ping {echo.host}", asked.token, asked.count + 5)
        return self._begin(job, lambda: self._pinging(job, command))

    def capture(self, asked: Capture) -> Run:
        """Begin to capture.

        Raises:
            Invalid, Refused: it means nothing, or too much runs already.
        """
        wanted = Wanted(
            asked.interface.strip(), asked.family, asked.protocol, asked.host.strip(), asked.port.strip(),
            asked.packets, asked.seconds, asked.snap, asked.promiscuous,
        )  # fmt: skip
        command = capture_command(wanted, [s for s in self._sources() if not s.key.startswith("vip:")])
        expression = " ".join(command[command.index("--") + 1 :]) or "every packet"
        job = self._open("capture", f"{expression} on {command[2]}", asked.token, asked.seconds)
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        job.file = self._folder / f"{job.id}.pcap"
        job.file.touch(0o600)
        return self._begin(job, lambda: self._capturing(job, command))

    def run(self, key: str, after: int, seconds: float, token: str) -> Run:
        """How it stands; see `control.agent.AskRun`.

        Raises:
            Refused: this session has started none of that id.
        """
        job = self._job(key, token)
        job.asked = time.monotonic()
        with job.changed:
            job.changed.wait_for(lambda: bool(job.ended) or len(job.lines) > after, min(max(seconds, 0), LONGEST_WAIT))
            return told(job, after)

    def runs(self, kind: str, token: str) -> tuple[Run, ...]:
        """The session's last ones."""
        with self._lock:
            jobs = [j for j in self._jobs.values() if j.kind == kind and j.owner == token.removeprefix(BY_ITSELF)]
        return tuple(told(job, len(job.lines)) for job in reversed(jobs))

    def stop(self, key: str, token: str) -> Run:
        """End it and say how it stands then.

        Raises:
            Refused: this session has started none of that id.
        """
        job = self._job(key, token)
        job.stop("stopped")
        with job.changed:
            job.changed.wait_for(lambda: bool(job.ended), GRACE)
            return told(job, len(job.lines))

    def piece(self, key: str, offset: int, token: str) -> Piece:
        """A part of a capture's file.

        Raises:
            Refused: this session has no such capture.
        """
        job = self._job(key, token)
        if job.file is None:
            raise Refused("only a capture has a file")
        with job.file.open("rb") as file:
            file.seek(max(0, offset))
            return Piece(base64.b64encode(file.read(PIECE)).decode(), job.file.stat().st_size)

    # -------------------------------------------------------------------------------------------------------- threads

    def _open(self, kind: str, title: str, token: str, seconds: float) -> Job:
        owner = token.removeprefix(BY_ITSELF)
        now = time.monotonic()
        with self._lock:
            if sum(not j.ended for j in self._jobs.values()) >= RUNNING_AT_ONCE:
                raise Refused(f"{RUNNING_AT_ONCE} pings and captures run already: wait for one, or stop it")
            mine = [j for j in self._jobs.values() if j.kind == kind and j.owner == owner]
            gone = mine[: max(0, len(mine) - KEPT_OF_A_KIND + 1)] if owner else [j for j in mine if j.ended]
            job = Job(secrets.token_hex(8), kind, title, owner, now, now + seconds + GRACE, asked=now)
            self._jobs[job.id] = job
            minded, self._minded = self._minded, True
        if not minded:
            threading.Thread(target=self._mind, name="minds runs", daemon=True).start()
        for old in gone:
            self._forget(old, "another was started")
        return job

    def _begin(self, job: Job, work: Callable[[], str]) -> Run:
        def guarded() -> None:
            how = "it went wrong: see the agent's log"
            try:
                how = work()
            except NotStarted as error:
                how = str(error)
            except Exception:
                log.exception("%s", job.title)
            finally:
                if job.child is not None:
                    job.child.end(signal.SIGKILL)
                    job.child.close()
                job.close(how, time.monotonic())

        threading.Thread(target=guarded, name=job.kind, daemon=True).start()
        return told(job, 0)

    def _mind(self) -> None:
        """Ends what is overdue or whose session is over, and removes what nobody can ask for any more."""
        while True:
            time.sleep(LOOKED_AFTER)
            now = time.monotonic()
            with self._lock:
                jobs = list(self._jobs.values())
                if not jobs:
                    self._minded = False
                    return
            for job in jobs:
                if not (self._alive(job.owner) if job.owner else now - job.asked < UNWATCHED):
                    self._forget(job, "the session is over")
                elif not job.ended and now > job.until:
                    job.stop("its time was up", signal.SIGKILL if now > job.until + GRACE else signal.SIGTERM)

    def _forget(self, job: Job, why: str) -> None:
        job.stop(why, signal.SIGTERM)
        with self._lock:
            self._jobs.pop(job.id, None)
        if job.file is not None:
            job.file.unlink(missing_ok=True)

    def _pinging(self, job: Job, command: tuple[str, ...]) -> str:
        child = job.with_child(Child(command, RAW, mixed=True))
        for line in child.lines():
            job.say(line)
        return {0: "answered", 1: "no answer"}.get(child.wait(), "it could not be done: the last line says why")

    def _capturing(self, job: Job, command: tuple[str, ...]) -> str:
        assert job.file is not None
        child = job.with_child(Child(command, RAW))
        decoder = threading.Thread(target=self._decode, args=(job,), name="decodes", daemon=True)
        decoder.start()
        seconds = job.until - GRACE - time.monotonic()
        clock = threading.Timer(max(0.1, seconds), lambda: child.end(signal.SIGINT))
        clock.daemon = True
        clock.start()
        packets = Packets()
        full = False
        try:
            with job.file.open("ab", buffering=0) as file:
                for data in child.chunks():
                    if full:
                        continue
                    file.write(data[: MOST_BYTES - job.octets])
                    packets.feed(data[: MOST_BYTES - job.octets])
                    with job.changed:
                        job.octets = min(MOST_BYTES, job.octets + len(data))
                        job.packets = packets.count
                        job.changed.notify_all()
                    if job.octets >= MOST_BYTES:
                        full = True
                        child.end()
        finally:
            clock.cancel()
        code = child.wait()
        took = job.complete(time.monotonic())
        decoder.join(GRACE)
        said = child.complaint()
        if not job.octets:
            return said or f"tcpdump ended ({code})"
        lost = "" if said.startswith("0 ") or "dropped by kernel" not in said else f"; {said}: it was too much at once"
        if full:
            return f"the file is full ({MOST_BYTES >> 20} MiB){lost}"
        return f"{'the time is over' if took >= seconds - 0.2 else 'all packets are there'}{lost}"

    def _decode(self, job: Job) -> None:
        """Show what is in the file, as it grows. The program that reads strangers' packets has no rights at all."""
        try:
            reader = Child(DECODE_COMMAND, fed=True)
        except NotStarted as error:
            job.say(str(error))
            return
        feeder = threading.Thread(target=self._feed, args=(job, reader), name="feeds", daemon=True)
        feeder.start()
        for line in reader.lines():
            job.say(line)
        reader.end(signal.SIGKILL)
        reader.wait()
        feeder.join(GRACE)
        reader.close()

    def _feed(self, job: Job, reader: Child) -> None:
        assert job.file is not None
        try:
            with job.file.open("rb") as file:
                while job.grown(file.tell()) and job.dropped < LINES_KEPT:
                    while data := file.read(1 << 16):
                        reader.stdin.write(data)
        except OSError:
            pass  # it has ended, or the file is gone with its session
        finally:
            reader.stdin.close()

    # ---------------------------------------------------------------------------------------------------------- parts

    def _job(self, key: str, token: str) -> Job:
        with self._lock:
            job = self._jobs.get(key)
        if job is None or job.owner != token.removeprefix(BY_ITSELF):
            raise Refused("there is no such ping or capture any more")
        return job

    def _sources(self) -> tuple[Source, ...]:
        config = self._config()
        vips = config[VIRTUAL_IPS]
        there = {link["ifname"]: _locals(link) for link in addresses()}
        virtual = {v.ip for v in vips.items}
        return possible(
            [
                {
                    "id": i.id, "title": i.title, "device": i.device, "enabled": i.enabled,
                    "addresses": [a for a in there.get(i.device, ()) if a not in virtual],
                }
                for i in config[INTERFACES].items
            ],
            [
                {
                    "id": v.id, "interface": vips.interface_of(v), "address": v.ip, "description": v.description,
                }
                for v in vips.items
            ],
            [address for found in there.values() for address in found],
        )  # fmt: skip


def _locals(link: dict[str, list[dict[str, str]]]) -> Iterable[str]:
    """The addresses of a link that others can answer to: global ones first."""
    found = [a for a in link.get("addr_info", ()) if "local" in a]
    return [a["local"] for a in sorted(found, key=lambda a: a.get("scope") != "global") if a.get("scope") != "link"]
