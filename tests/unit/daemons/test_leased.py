"""leased before a Kea and an unbound that only write down what they are told."""

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from gemel.core.codec import encode
from gemel.daemons import systemd
from gemel.daemons.leased import __main__ as leased
from gemel.daemons.leased.names import Names
from gemel.daemons.leased.server import Counter, Kea, KeaError, Switch
from gemel.leases.settings import Naming, Settings

NOW = 1_000_000.0


class Listening:
    """A unix socket that answers everything with `answer`, and keeps what came."""

    def __init__(self, path: Path, answer: bytes) -> None:
        self.path, self._answer, self.heard = path, answer, list[str]()

    async def __aenter__(self) -> "Listening":
        self._server = await asyncio.start_unix_server(self._attend, self.path)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _attend(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.heard.append((await reader.read(65536)).decode().strip())
        writer.write(self._answer)
        await writer.drain()
        writer.close()

    @property
    def commands(self) -> list[str]:
        return [json.loads(text)["command"] for text in self.heard]


def kea_at(folder: Path, result: int = 0) -> Listening:
    return Listening(folder / "kea.sock", json.dumps({"result": result, "text": "said", "arguments": {}}).encode())


def run(story: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(story(), 5))  # type: ignore[arg-type]


def test_all_or_nothing_is_a_matter_of_the_switch(tmp_path: Path) -> None:
    async def story() -> None:
        async with kea_at(tmp_path) as there:
            switch = Switch(Kea(str(there.path)), tmp_path / "kea.conf")
            await switch.serve({"lan"}, {"lan"})
            await switch.serve((), {"lan"})
            assert there.commands == ["dhcp-enable", "dhcp-disable"]

    run(story)


def test_a_master_of_some_interfaces_has_kea_listen_on_these_alone(tmp_path: Path) -> None:
    config = tmp_path / "kea.conf"
    config.write_text(json.dumps({"Dhcp4": {"interfaces-config": {"interfaces": ["lan/192.168.1.2", "dmz/10.0.0.2"]}}}))

    async def story() -> None:
        async with kea_at(tmp_path) as there:
            switch = Switch(Kea(str(there.path)), config)
            await switch.serve({"lan"}, {"lan", "dmz"})
            assert there.commands == ["dhcp-disable", "config-set", "dhcp-enable"]
            told = json.loads(there.heard[1])["arguments"]["Dhcp4"]["interfaces-config"]
            assert told["interfaces"] == ["lan/192.168.1.2"]

    run(story)


def test_a_kea_that_refuses_or_is_away_is_said_in_words(tmp_path: Path) -> None:
    async def asked(kea: Kea) -> str:
        try:
            await kea.ask("status-get")
        except KeaError as error:
            return str(error)
        return ""

    async def story() -> None:
        assert "does not answer" in await asked(Kea(str(tmp_path / "nobody.sock")))
        async with kea_at(tmp_path, result=1) as there:
            assert await asked(Kea(str(there.path))) == "said"

    run(story)


async def post(port: int, command: str) -> Any:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    body = json.dumps({"command": command, "arguments": {"ip-address": "192.168.1.100"}}).encode()
    writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    answer = (await reader.readuntil(b"}]")).partition(b"\r\n\r\n")[2]
    writer.close()
    return json.loads(answer)


def test_kea_is_told_yes_or_why_not() -> None:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]

    async def decide(command: str, lease: dict[str, Any]) -> str | None:
        return None if command == "lease4-update" else f"not {lease['ip-address']}"

    async def story() -> None:
        counter = Counter(port, decide)
        await counter.open()
        assert (await post(port, "lease4-update"))[0]["result"] == 0
        assert (await post(port, "lease4-del"))[0] == {"result": 1, "text": "not 192.168.1.100"}
        counter.close()

    run(story)


def lease(address: str, name: str) -> dict[str, Any]:
    return {"ip-address": address, "hostname": name, "subnet-id": 2, "state": 0, "cltt": NOW - 5, "valid-lft": 60}


def test_names_of_clients_are_told_but_none_that_is_taken(tmp_path: Path) -> None:
    async def story() -> None:
        async with Listening(tmp_path / "unbound.sock", b"ok\n") as there:
            naming = Naming(str(there.path), str(tmp_path / "pid"), ("fw1.home.arpa",))
            names = Names(naming, {2: "home.arpa"})
            for address, name in (("192.168.1.9", "Desk.corp"), ("192.168.1.8", "fw1"), ("192.168.1.7", "a b"),
                                  ("192.168.1.6", "desk")):  # fmt: skip
                await names.learn(lease(address, name), NOW)
            assert there.heard == [
                "UBCT1 local_data desk.home.arpa 60 IN A 192.168.1.9",
                "UBCT1 local_data 9.1.168.192.in-addr.arpa 60 IN PTR desk.home.arpa",
            ]
            await names.forget("192.168.1.9")
            assert there.heard[2] == "UBCT1 local_data_remove desk.home.arpa"

    run(story)


def test_a_resolver_that_was_started_again_is_noticed_once(tmp_path: Path) -> None:
    names = Names(Naming("", str(tmp_path / "pid")), {})
    assert not names.has_restarted()
    (tmp_path / "pid").write_text("7")
    assert names.has_restarted() and not names.has_restarted()


def test_unreadable_settings_leave_those_before_in_force(tmp_path: Path, monkeypatch: Any, caplog: Any) -> None:
    """In an upgrade they may be another version's for a moment."""
    began: list[Settings] = []

    class Keeping:
        def __init__(self, settings: Settings, *_: Any) -> None:
            self._settings = settings

        async def open(self) -> None:
            began.append(self._settings)

    monkeypatch.setattr(leased, "Keeper", Keeping)
    path = tmp_path / "leased.json"

    async def story() -> None:
        here = leased.Leased(path)
        path.write_text(json.dumps([{"of": "another version"}]))
        with pytest.raises(ValueError, match="unknown key"):  # nothing runs yet: who looks after it hears of it
            await here.settle()
        path.write_text(json.dumps([encode(Settings(port=1))]))
        await here.settle()
        path.write_text(json.dumps([{"of": "another version"}]))
        await here.settle()
        await here.settle()
        assert [settings.port for settings in began] == [1]
        assert caplog.text.count("those before stay in force") == 1
        path.write_text(json.dumps([encode(Settings(port=2))]))
        monkeypatch.setattr(Keeping, "close", lambda _: None, raising=False)
        await here.settle()
        assert [settings.port for settings in began] == [1, 2]

    run(story)


def test_a_frozen_kea_is_killed_by_who_runs_it(tmp_path: Path, monkeypatch: Any, caplog: Any) -> None:
    said: list[tuple[str, ...]] = []
    monkeypatch.setattr(systemd, "RUNTIME", tmp_path)
    monkeypatch.setattr(systemd, "systemctl", lambda *arguments: said.append(arguments))
    leased.unfreeze("kea-dhcp4")
    assert said == [("kill", "--signal=KILL", "gemel-kea-dhcp4.service")]
    monkeypatch.setattr(systemd, "RUNTIME", tmp_path / "none")
    monkeypatch.setattr(leased.paths, "SUPERVISOR_DOOR", str(tmp_path / "nobody.sock"))
    leased.unfreeze("kea-dhcp4")
    assert "kea-dhcp4 could not be killed" in caplog.text
