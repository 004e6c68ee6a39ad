"""The agent's answers, one method for each question on the door's list (`control.agent`)."""

import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from gemel.areas.names import Names, words_of
from gemel.areas.users import USERS
from gemel.control import agent as ask
from gemel.control.door import Caller, Refused
from gemel.control.paths import WEB_CERTIFICATE
from gemel.control.peer import PeerAnswer, PeerCall
from gemel.core.codec import encode
from gemel.core.edit import Edit, etag
from gemel.core.model import HIDDEN, is_marked, plain
from gemel.core.problem import Invalid, Problem
from gemel.daemons.agent import states
from gemel.daemons.agent.access import Access
from gemel.daemons.agent.accounts import hashed
from gemel.daemons.agent.demotion import reset
from gemel.daemons.agent.desk import Desk, Made
from gemel.daemons.agent.dhcp import forget, wake
from gemel.daemons.agent.diagnostics import Diagnostics
from gemel.daemons.agent.entrance import Entrance
from gemel.daemons.agent.hits import Hits
from gemel.daemons.agent.lists import choices, completed, listed, names_in
from gemel.daemons.agent.packages import peer_install, upgrade_peer
from gemel.daemons.agent.pages import Around, frame
from gemel.daemons.agent.peer import ThisNode
from gemel.daemons.agent.resync import resync
from gemel.daemons.agent.segments import scanned, tested
from gemel.daemons.agent.sight import Sight
from gemel.daemons.agent.transaction import Transaction
from gemel.effects.look import octets, rule_counters
from gemel.effects.machine import Failed
from gemel.effects.packages import Packages
from gemel.sync.identity import pem_fingerprint
from gemel.sync.pusher import Pusher
from gemel.sync.server import PeerServer
from gemel.sync.watch import WatchServer


class Answers:
    """Called by the door with each question and its caller; decides who may, and turns refusals into words."""

    def __init__(
        self,
        desk: Desk,
        transaction: Transaction,
        node: ThisNode,
        pusher: Pusher,
        server: PeerServer,
        access: Access,
        sight: Sight,
        diagnostics: Diagnostics,
        packages: Packages,
    ) -> None:
        self._desk = desk
        self._transaction = transaction
        self._node = node
        self._pusher = pusher
        self._server = server
        self._access = access
        self._sight = sight
        self._entrance = Entrance(desk, access)
        hits = Hits(rule_counters, time.monotonic)
        self._by_question: dict[type, Callable[[Any, str], Any]] = {
            ask.Show: self._show,
            ask.Change: self._change,
            ask.Diff: self._diff,
            ask.Apply: lambda q, who: _applied(self._desk.apply(q.areas, self._access.origin(q, who), q.message)),
            ask.Discard: lambda q, _: self._desk.discard(q.areas),
            ask.Revisions: self._revisions,
            ask.Restore: self._restore,
            ask.Export: lambda q, _: self._desk.schema.dump(self._desk.at(q.number)),
            ask.Import: self._import,
            ask.Status: lambda *_: self.status(),
            ask.Maintenance: lambda q, _: self._desk.set_node(replace(self._desk.node, maintenance=q.on)),
            ask.EnableCarp: lambda q, _: self._desk.set_node(replace(self._desk.node, carp_disabled=not q.on)),
            ask.ResetDemotion: lambda q, who: reset(sight.observer, who, q.reason),
            ask.CarpScan: lambda q, _: scanned(self._desk.config, q.interface, q.seconds),
            ask.TestVirtualMac: lambda q, _: tested(self._desk.config, q.interface),
            ask.SyncNow: lambda *_: self._sync_now(),
            ask.FailOver: self._fail_over,
            ask.EndStates: lambda q, _: states.end(q),
            ask.CompareStates: lambda *_: states.compare(),
            ask.ResyncStates: lambda *_: resync(self._desk.config),
            ask.AskFingerprints: lambda *_: self._fingerprints(),
            ask.PinPeer: self._pin,
            ask.List: self._list,
            ask.Complete: lambda q, _: completed(self._desk.candidate, q),
            ask.RuleHits: lambda q, _: hits.of(q.ids),
            ask.AskFrame: lambda _, who: self._frame(who),
            ask.AskChoices: lambda *_: choices(self._desk.candidate, octets()),
            ask.AskFact: lambda q, _: sight.views.answer(q.name, q.options),
            ask.News: self._news,
            ask.RolesChanged: lambda *_: sight.observer.look_now(),
            ask.Ping: lambda q, _: diagnostics.ping(q),
            ask.Capture: lambda q, _: diagnostics.capture(q),
            ask.AskRun: lambda q, _: diagnostics.run(q.id, q.after, q.seconds, q.token),
            ask.AskRuns: lambda q, _: diagnostics.runs(q.kind, q.token),
            ask.StopRun: lambda q, _: diagnostics.stop(q.id, q.token),
            ask.ReadCapture: lambda q, _: diagnostics.piece(q.id, q.offset, q.token),
            ask.AskSources: lambda *_: diagnostics.sources(),
            ask.ForgetLease: lambda q, _: forget(q),
            ask.WakeOnLan: lambda q, _: wake(self._desk.config, q),
            ask.TestNotification: lambda _, who: sight.notifier.test(who),
            ask.UpgradePeer: lambda q, _: upgrade_peer(node, packages, q),
            ask.AskPeerInstall: lambda *_: peer_install(node),
            **self._entrance.answers,
        }

    def __call__(self, question: Any, caller: Caller) -> Any:
        if isinstance(question, PeerCall):
            return self._peer_call(question)
        try:
            if (public := self._entrance.public.get(type(question))) is not None:
                return public(question, caller)
            who = self._access.who(question, caller)
            return self._by_question[type(question)](question, who)
        except Invalid as error:
            raise Refused("not accepted", [_json(p) for p in error.problems]) from None
        except Failed as error:
            raise Refused(f"could not be applied, nothing has changed: {error}") from None

    def status(self) -> dict[str, Any]:
        """The node's status."""
        return self._sight.reporter.now()

    def _news(self, question: ask.News, _who: str) -> ask.NewsReport:
        report = self._sight.observer.news(question.cursor, question.seconds)
        return replace(report, figures=self._sight.views.answer("graphs", {"seconds": "1"}))

    def _peer_call(self, call: PeerCall) -> PeerAnswer:
        server = self._sight.peer if call.method in WatchServer.METHODS else self._server
        return server.answer(call, time.monotonic())

    def _show(self, question: ask.Show, _who: str) -> ask.Shown:
        area = self._desk.schema.area(question.area)
        config = self._desk.config if question.running else self._desk.candidate
        model = config.named(area.name)
        names = names_in(config)
        values = plain(model)
        etags = {"": etag(model)}
        words = {"": words_of(values, names)}
        _hide(values, type(model))
        if area.item is not None:
            for item, shown in zip(model.items, values["items"], strict=True):  # type: ignore[attr-defined]
                etags[item.id] = etag(item)
                words[item.id] = words_of(shown, names)
                _hide(shown, area.item)
        pending = not question.running and area.name in self._desk.pending.models
        return ask.Shown(area.name, values, words, etags, pending)

    def _list(self, question: ask.List, _who: str) -> ask.Listed:
        config = self._desk.config if question.running else self._desk.candidate
        pending = not question.running and question.area in self._desk.pending.models
        return listed(self._desk.schema, config, question, pending)

    def _frame(self, who: str) -> ask.Frame:
        push, received = self._pusher.status(), self._server.status()
        authors = {name: f"{o.who} from {o.where}" for name, o in self._desk.pending.origins.items()}
        around = Around(
            encode(push), encode(received), self._node.pinned() is not None, self._desk.number, authors,
            self._sight.observer.version, self._sight.reporter.peer().status,
        )  # fmt: skip
        return frame(self._desk.schema, self._desk.candidate, around, who, self._access.privileges(who))

    def _change(self, question: ask.Change, who: str) -> ask.Changed:
        edits = [self._edit(order) for order in question.edits]
        saved = self._desk.save(edits, self._access.origin(question, who), question.apply, question.message)
        return ask.Changed(saved.items, _findings(saved.warnings), saved.revision)

    def _edit(self, order: ask.EditOrder) -> Edit:
        """The edit as the kit takes it: a password that came in clear becomes its hashes here."""
        values = dict(order.values)
        area = self._desk.schema.area(order.area)
        model = area.item if area.item is not None and (order.item or order.verb == "add") else area.model
        for name, info in model.model_fields.items():
            if is_marked(info, "sealed") and values.get(name, HIDDEN) != HIDDEN:
                raise Invalid([Problem(f"{order.area}.{name}", "this is made by the node itself and cannot be given")])
        if order.area == USERS.name and "password" in values:
            name = str(values.get("name", order.item))
            values |= hashed(name, str(values.pop("password")))
        verb: Any = order.verb
        if verb not in ("set", "add", "delete", "move", "replace"):
            raise Invalid([Problem("", f"there is no verb {verb!r}")])
        return Edit(order.area, verb, order.item, values, order.position, order.etag)

    def _diff(self, question: ask.Diff, _who: str) -> ask.DiffReport:
        changes, origins, problems = self._desk.differences(question.before, question.after)
        authors = {name: f"{o.who} from {o.where}" for name, o in origins.items()}
        old, new = (names_in(self._desk.at(number)) for number in (question.before, question.after))
        shown = tuple(
            ask.Difference(c.path, c.kind, c.before, c.after, _in_words(c.before, old), _in_words(c.after, new))
            for c in changes
        )
        return ask.DiffReport(shown, authors, _findings(problems))

    def _revisions(self, _question: ask.Revisions, _who: str) -> tuple[ask.RevisionHead, ...]:
        return tuple(
            ask.RevisionHead(number, o.who, o.where, o.when, message, number == self._desk.number)
            for number, o, message in self._desk.heads()
            if number <= self._desk.number
        )

    def _restore(self, question: ask.Restore, who: str) -> ask.Applied:
        config = self._desk.at(question.number)
        origin = self._access.origin(question, who)
        return _applied(self._desk.replace(config, origin, f"restored revision {question.number}"))

    def _import(self, question: ask.Import, who: str) -> ask.Applied:
        config = self._desk.schema.settled(self._desk.schema.load(question.config))
        return _applied(self._desk.replace(config, self._access.origin(question, who), question.message or "imported"))

    def _fail_over(self, question: ask.FailOver, _who: str) -> None:
        safe = self.status()["safe_to_fail_over"]
        if safe["verdict"] != "safe" and not question.force:
            reasons = "; ".join(map(str, safe["reasons"])) or str(safe["verdict"])
            raise Refused(f"the other node might not take over: {reasons}")
        self._desk.set_node(replace(self._desk.node, maintenance=True))

    def _sync_now(self) -> None:
        if self._node.target() is None:
            raise Refused("this node does not push: set Synchronize Config to IP with `gemel ha set` on the primary")
        self._pusher.trigger()

    def _fingerprints(self) -> ask.Fingerprints:
        pinned = self._node.pinned()
        web = pem_fingerprint(Path(WEB_CERTIFICATE).read_text())
        peer = pem_fingerprint(pinned) if pinned else None
        return ask.Fingerprints(self._node.identity.fingerprint, web, peer, self._node.expected_fingerprint())

    def _pin(self, question: ask.PinPeer, _who: str) -> None:
        digits = question.fingerprint.replace(":", "")
        if digits and (len(digits) != 64 or any(c not in "0123456789abcdefABCDEF" for c in digits)):
            raise Invalid(
                [Problem("fingerprint", "32 pairs of hexadecimal digits are needed, as `gemel peer show` prints them")]
            )
        self._node.expect(":".join(digits[i : i + 2] for i in range(0, len(digits), 2)))
        self._pusher.trigger()


def _hide(values: dict[str, Any], model: Any) -> None:
    for name, info in model.model_fields.items():
        if is_marked(info, "secret") and values.get(name):
            values[name] = HIDDEN


def _findings(problems: Iterable[Problem]) -> tuple[ask.Finding, ...]:
    return tuple(ask.Finding(p.path, p.text, p.level) for p in problems)


def _json(problem: Problem) -> dict[str, Any]:
    return {"path": problem.path, "text": problem.text, "level": problem.level}


def _applied(made: Made) -> ask.Applied:
    return ask.Applied(made.revision, made.steps, made.seconds, _findings(made.warnings))


def _in_words(value: Any, names: Names) -> Any:
    if isinstance(value, dict):
        return {**value, **words_of(value, names)}
    return names.show(value) if isinstance(value, str) else value
