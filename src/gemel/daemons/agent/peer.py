"""What synchronisation needs of this node (`sync.node`), fulfilled by the desk, the accounts and the node's keys."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gemel import __version__
from gemel.areas.cluster import host_id, lets_peer_in
from gemel.areas.high_availability import HIGH_AVAILABILITY, boxes
from gemel.areas.interfaces import INTERFACES
from gemel.areas.system import SYSTEM
from gemel.control import paths
from gemel.core.config import Config
from gemel.core.exchange import Taken, arrived, merged, outgoing, reported, section_hashes, taken
from gemel.core.problem import Invalid, Problem
from gemel.core.revision import Origin as RevisionOrigin
from gemel.daemons.agent.accounts import account, knows
from gemel.daemons.agent.desk import Desk
from gemel.effects.disk import Disk
from gemel.effects.machine import Failed
from gemel.sync.identity import Identity
from gemel.sync.messages import Introduction, Network, Report, Trouble
from gemel.sync.node import NotApplied, Origin, Outgoing, Target
from gemel.sync.push import NotPushed, Why

WEB_PORT = 443

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Offer:
    """A configuration that was found good, on top of the revision that ran then. `older`: what a peer of an older
    version sent for it; None where nothing had to be migrated."""

    config: Config
    areas: tuple[str, ...]
    base: int
    older: Mapping[str, Any] | None


class ThisNode:
    """This node as its peer sees it: sender and receiver in one. `pinned_now` is called when the peer's key was
    stored."""

    def __init__(self, desk: Desk, clock: Callable[[], float], pinned_now: Callable[[], None], root: str = "") -> None:
        self._desk = desk
        self._clock = clock
        self._pinned_now = pinned_now
        self._disk = Disk()
        self._peer_certificate = Path(root + paths.PEER_CERTIFICATE)
        self._expected = self._peer_certificate.with_name("expected-fingerprint")
        self._taken: Taken | None = None
        self._looked_into: tuple[Config | None, bool] = (None, True)
        self._identity = Identity(
            Path(root + paths.NODE_KEY).read_text(), Path(root + paths.NODE_CERTIFICATE).read_text()
        )

    @property
    def identity(self) -> Identity:
        return self._identity

    def introduction(self) -> Introduction:
        config = self._desk.config
        ha = config[HIGH_AVAILABILITY]
        return Introduction(
            name=config[SYSTEM].hostname,
            software=__version__,
            config_version=self._desk.schema.version,
            revision=self._desk.number,
            has_target=bool(ha.synchronize_config_to),
            host_id=host_id(config) if ha.synchronize_states else None,
            interfaces={i.id: _network(i.title, i.networks) for i in config[INTERFACES].items},
        )

    def pinned(self) -> str | None:
        return self._peer_certificate.read_text() if self._peer_certificate.exists() else None

    def expected_fingerprint(self) -> str | None:
        return self._expected.read_text().strip() if self._expected.exists() else None

    def expect(self, fingerprint: str) -> None:
        """Trust the peer that shows this fingerprint; empty: forget the pinned one, and be ready for first contact
        again."""
        self._disk.remove(self._peer_certificate)
        if fingerprint:
            self._disk.write(self._expected, fingerprint.upper().encode())
        else:
            self._disk.remove(self._expected)
        self._pinned_now()

    def pin(self, certificate: str) -> None:
        self._disk.write(self._peer_certificate, certificate.encode(), 0o644)
        log.info("the peer's certificate is pinned")
        self._pinned_now()

    def target(self) -> Target | None:
        ha = self._desk.config[HIGH_AVAILABILITY]
        if not ha.synchronize_config_to or not boxes(ha):
            return None
        return Target(ha.synchronize_config_to, WEB_PORT, ha.username or "admin", ha.password, boxes(ha))

    def around(self) -> Target | None:
        """Where this node exchanges statuses with its peer: it calls if it pushes, else it is called."""
        address = self._desk.config[HIGH_AVAILABILITY].synchronize_config_to
        return Target(address, WEB_PORT, "", "", ()) if address else None

    def shut_out(self) -> str:
        """A sentence if this node waits for pushes that its own rules keep out, else empty. Not where the peer's key
        was pinned by hand: such a pair may do without configuration synchronisation."""
        config = self._desk.config
        ha = config[HIGH_AVAILABILITY]
        if ha.synchronize_config_to or not ha.synchronize_states or self._expected.exists():
            return ""
        if self._looked_into[0] is not config:  # thousands of rules are not read again for each look at the status
            self._looked_into = config, lets_peer_in(config, WEB_PORT)
        interface = config[INTERFACES].get(ha.synchronize_interface)
        if self._looked_into[1] or interface is None:
            return ""
        name = interface.title
        return (
            f"no rule on {name} lets {ha.peer_ip} in: add one that passes TCP from {name} net to {name} address, "
            "port HTTPS"
        )

    def outgoing(self) -> Outgoing:
        if self._desk.fell_back:  # an older revision must not overwrite the peer's: perhaps only it has the newest
            raise NotPushed(Why.REFUSED, self._desk.fell_back)
        number, config = self._desk.number, self._desk.config
        sections = outgoing(self._desk.schema, config, boxes(config[HIGH_AVAILABILITY]))
        return Outgoing(number, sections, section_hashes(sections))

    def knows(self, username: str, password: str) -> bool:
        return knows(self._desk.config, username, password)

    def may(self, username: str, privilege: str) -> bool:
        found = account(self._desk.config, username)
        return found is not None and found.may(privilege)

    def scram_verifier(self, username: str) -> str | None:
        found = account(self._desk.config, username)
        return found.scram or None if found and not found.disabled else None

    def prepare(self, sections: Mapping[str, Any], origin: Origin) -> tuple[Any, tuple[Trouble, ...]]:
        base, schema = self._desk.number, self._desk.schema
        try:
            theirs = arrived(schema, self._desk.config, sections, origin.config_version)
            config = schema.settled(merged(schema, self._desk.config, theirs))
            problems = self._desk.prepared(config)
        except Invalid as error:
            return None, _troubles(error.problems)
        except Failed as error:
            return None, (Trouble("", str(error)),)
        older = sections if origin.config_version < schema.version else None
        return Offer(config, tuple(theirs), base, older), _troubles(problems)

    def commit(self, prepared: Any, origin: Origin) -> int:
        by = RevisionOrigin(f"{origin.node} ({origin.username})", f"sync from {origin.address}", self._clock())
        try:
            made = self._desk.overtake(prepared.config, prepared.base, prepared.areas, by)
        except (Invalid, Failed) as error:
            raise NotApplied(str(error)) from error
        older = prepared.older
        self._taken = None if older is None else taken(self._desk.schema, prepared.config, older)
        return made.revision

    def report(self, areas: tuple[str, ...]) -> Report:
        return Report(self._desk.number, reported(self._desk.schema, self._desk.config, areas, self._taken))


def _network(description: str, networks: tuple[Any, ...]) -> Network:
    by_version = {n.version: str(n) for n in networks}
    return Network(description, by_version.get(4), by_version.get(6))


def _troubles(problems: tuple[Problem, ...] | list[Problem]) -> tuple[Trouble, ...]:
    return tuple(Trouble(p.path, p.text, p.level) for p in problems)
