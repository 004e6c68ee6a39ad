"""`gemel setup` on the way back: whatever fails, and whenever it is killed, the machine gets back what it had."""

import contextlib
import errno
import itertools
import os
import signal
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from gemel.control.door import Refused
from gemel.control.supervisor import ServiceReport
from gemel.daemons import systemd
from gemel.daemons.takeover import dhcp_clients, files, kernel, memory, owners, run, started
from gemel.daemons.takeover.memory import Memory
from gemel.daemons.takeover.owners import LOOPBACK_ONLY, Ifupdown
from gemel.daemons.takeover.plan import Plan
from gemel.daemons.takeover.run import SetupFailed
from gemel.daemons.takeover.seen import Port, Seen, Via
from gemel.effects.commands import CommandFailed
from tests.unit.machine import Killed

DHCLIENT = ("/sbin/dhclient", "-4", "-pf", "/run/dhclient.ens3.pid", "ens3")
MACHINE = Seen(
    hostname="fw1",
    ports=(
        Port("ens3", "", True, (), ("198.51.100.201/24",)),
        Port("ens4", "", True, ("192.168.1.2/24",)),
    ),
    default=Via("198.51.100.1", "ens3", metric=100),
    owners=("ifupdown",),
)
WAS = Memory("trial", MACHINE, ("ifupdown",), {}, {}, {}, (DHCLIENT,))


class FakeOwner:
    name = "ifupdown"

    def __init__(self, said):
        self.said = said

    def let_go(self, devices):
        self.said.append(f"let go of {' '.join(devices)}")

    def retire(self):
        self.said.append("retire")

    def take_back(self):
        self.said.append("take back")

    def resume(self):
        self.said.append("resume")


RUNS = "ActiveState=active\nMainPID=7\nNRestarts=0\nStateChangeTimestampMonotonic=1\nExecMainCode=0\nExecMainStatus=0"


@pytest.fixture
def said(tmp_path, monkeypatch):
    """A machine on which each command works; what was said to it."""
    said = []

    def command(*argv, **_):
        said.append(" ".join(argv))
        if argv[:2] == ("systemctl", "show"):
            return "\n\n".join(f"Id={unit}\n{RUNS}" for unit in argv[4:])
        return ""

    for module in (run, kernel, owners, dhcp_clients, systemd):
        for name, fake in (("run", command), ("succeeds", lambda *argv, **_: bool(command(*argv)) or True)):
            if hasattr(module, name):
                monkeypatch.setattr(module, name, fake)
    monkeypatch.setattr(kernel, "listed", lambda *argv: [])
    monkeypatch.setattr(kernel, "HAVE", tmp_path / "have.json")
    monkeypatch.setattr(memory, "PLACE", tmp_path / "setup.json")
    monkeypatch.setattr(memory, "KERNEL", tmp_path / "none")
    monkeypatch.setattr(owners, "by_name", lambda names: (FakeOwner(said),) if names else ())
    monkeypatch.setattr(owners, "clashing", tuple)
    monkeypatch.setattr(files, "keep", dict)
    monkeypatch.setattr(dhcp_clients, "running", lambda devices: ())
    monkeypatch.setattr(dhcp_clients.shutil, "which", str)
    monkeypatch.setattr(run, "LOCK", tmp_path / "setup.lock")
    monkeypatch.setattr(run, "CONFIG", tmp_path / "config")
    monkeypatch.setattr(run.systemd, "RUNTIME", tmp_path)
    monkeypatch.setattr(run, "look", lambda: MACHINE)
    monkeypatch.setattr(run.connections, "keep", lambda: None)
    monkeypatch.setattr(run.socket, "sethostname", lambda name: None)
    monkeypatch.setattr(run, "ask", lambda *_: None)
    return said


def begin():
    run.begin(MACHINE, Plan((), (), (), ()), "secret-secret", 60)


def test_a_node_is_on_trial_until_it_is_confirmed(said):
    begin()
    assert memory.recall().stage == "trial"
    assert "take back" not in said
    run.confirm()
    assert memory.recall().stage == "confirmed"
    assert not run.undo(unless_confirmed=True)
    run.confirm()
    assert said.count("retire") == 1


@pytest.mark.parametrize(
    ("accident", "words"),
    [
        (Refused("no", [{"path": "rules.lan", "text": "not this"}]), "rules.lan: not this; everything is as it was"),
        (KeyboardInterrupt(), "interrupted; everything is as it was"),
        (OSError(28, "No space left on device"), "No space left on device; everything is as it was"),
    ],
)
def test_whatever_ends_a_setup_gives_everything_back_at_once(said, monkeypatch, accident, words):
    def ask(*_):
        raise accident

    monkeypatch.setattr(run, "ask", ask)
    with pytest.raises(SetupFailed) as failed:
        begin()
    assert str(failed.value).endswith(words)
    assert said.index("let go of ens3 ens4") < said.index("take back") < said.index("resume")
    assert memory.recall() is None
    assert f"systemctl stop {run.REVERT}.timer" in said


def test_a_mistake_of_ours_gives_everything_back_and_is_not_hidden(said, monkeypatch):
    monkeypatch.setattr(run.connections, "keep", lambda: {}["mistake"])
    with pytest.raises(KeyError, match="mistake"):
        begin()
    assert memory.recall() is None


def test_a_unit_that_does_not_come_up_ends_the_setup_by_name(said, monkeypatch):
    monkeypatch.setattr(started, "waited_for", lambda services: ("carpd",))
    with pytest.raises(SetupFailed, match=r"gemel-carpd.service does not run; `journalctl -u gemel-carpd.service`"):
        begin()
    assert memory.recall() is None


def test_a_unit_that_is_started_again_and_again_does_not_run(monkeypatch):
    reports = [ServiceReport(name, state, None, 0.0, 0, None) for name, state in (("a", "running"), ("b", "waiting"))]
    monkeypatch.setattr(started.systemd, "service_reports", lambda services: reports)
    monkeypatch.setattr(started, "PATIENCE", -1.0)
    assert started.waited_for(("a", "b")) == ("b",)


def test_what_fails_on_the_way_back_is_listed_and_what_follows_is_done(said, monkeypatch, tmp_path):
    def no_nft():
        raise CommandFailed("nft: there is no such command")

    immutable, free = tmp_path / "immutable", tmp_path / "free"
    immutable.write_text("of Gemel\n")
    free.write_text("of Gemel\n")
    monkeypatch.setattr(kernel, "without_tables", no_nft)
    whole = files._whole

    def refused(path, make):
        if path == immutable:
            raise OSError(errno.EPERM, "Operation not permitted")
        whole(path, make)

    monkeypatch.setattr(files, "_whole", refused)
    was = replace(WAS, files={str(path): files.Kept(f"of {path.name}\n") for path in (immutable, free)})
    was = replace(was, files={path: replace(kept, **_mine(free)) for path, kept in was.files.items()})
    was.keep()
    with pytest.raises(SetupFailed) as failed:
        run.undo()
    assert "the firewall's tables: nft: there is no such command" in str(failed.value)
    assert f"{immutable}: [Errno 1] Operation not permitted" in str(failed.value)
    assert free.read_text() == "of free\n"
    assert "resume" in said
    assert memory.recall() == replace(was, leaving=True)  # to be tried again
    with pytest.raises(SetupFailed, match="given back in part"):
        run.confirm()
    monkeypatch.setattr(files, "_whole", whole)
    monkeypatch.setattr(kernel, "without_tables", lambda: None)
    assert run.undo()
    assert immutable.read_text() == "of immutable\n"
    assert memory.recall() is None


def _mine(path):
    known = path.stat()
    return {"user": known.st_uid, "group": known.st_gid}


def test_at_boot_nothing_is_put_where_the_owners_will_put_it(said):
    WAS.keep()
    assert run.undo(unless_confirmed=True, at_boot=True)
    assert not [line for line in said if line.startswith(("ip ", "nft ", "systemd-run"))]
    assert {"take back", "resume"} <= set(said)


def test_the_owners_files_come_first(said):
    WAS.keep()
    run.undo()
    assert said[0] == "take back"


def test_a_dhcp_client_is_started_as_it_was(said):
    WAS.keep()
    run.undo()
    (line,) = [line for line in said if line.startswith("systemd-run")]
    assert line.endswith(" -- " + " ".join(DHCLIENT))
    assert "--no-block" in line


def test_dhcp_clients_are_known_by_the_files_in_which_they_say_their_process(tmp_path):
    for name, pid, cmdline in (
        ("dhclient.ens3.pid", 11, b"/sbin/dhclient\0-4\0ens3\0"),
        ("dhclient6.ens3.pid", 12, b"dhclient\0-6\0ens3\0"),
        ("dhclient.ens33.pid", 13, b"dhclient\0ens33\0"),
        ("dhclient.ens4.pid", 14, b"/usr/bin/vi\0ens4\0"),
    ):
        (tmp_path / name).write_text(f"{pid}\n")
        (tmp_path / str(pid)).mkdir()
        (tmp_path / str(pid) / "cmdline").write_bytes(cmdline)
    (tmp_path / "dhclient.ens5.pid").write_text("15\n")
    found = dhcp_clients.running(["ens3", "ens4", "ens5"], tmp_path, tmp_path)
    assert [client.pid for client in found] == [11, 12]
    assert found[0].argv == ("/sbin/dhclient", "-4", "ens3")


def test_a_leased_address_is_left_to_who_leases_it():
    port = MACHINE.ports[0]
    bare = replace(port, leased=())
    assert kernel.missing(port, bare, WAS) == []
    assert kernel.missing(port, bare, replace(WAS, clients=())) == ["198.51.100.201/24"]
    assert kernel.missing(port, bare, replace(WAS, owners=("NetworkManager",), clients=())) == []
    own = MACHINE.ports[1]
    assert kernel.missing(own, replace(own, addresses=()), WAS) == ["192.168.1.2/24"]


def test_the_default_route_comes_back_with_its_metric_and_the_nodes_own_goes():
    assert MACHINE.default.how == ("metric", "100")
    assert replace(MACHINE.default, onlink=True, metric=0).how == ("onlink",)
    ours = {"dst": "default", "gateway": "198.51.100.1", "dev": "ens3"}
    theirs = {**ours, "metric": 100}
    third = {**ours, "gateway": "192.168.1.9", "dev": "ens4"}
    made = [("0.0.0.0/0", "198.51.100.1", "ens3")]
    found = kernel.strange_defaults([ours, theirs, third], made, 0, MACHINE.default)
    assert list(found) == [Via("198.51.100.1", "ens3")]
    assert not list(kernel.strange_defaults([ours], made, 0, Via("198.51.100.1", "ens3")))


def test_routes_come_back_as_their_owner_made_them(said):
    own = ("10.1.0.0/16", "192.168.1.9", "ens4", "metric", "101", "proto", "static")
    default = Via("198.51.100.1", "ens3", metric=100, protocol="dhcp", source="198.51.100.201")
    ours = ("10.1.0.0/16", "192.168.1.9", "ens4", "proto", "static")
    was = replace(WAS, seen=replace(MACHINE, default=default, routes=(own,)))
    kernel.routes_back(was, replace(MACHINE, routes=(ours, own)))
    assert said == [
        "ip -4 route replace default via 198.51.100.1 dev ens3 metric 100 proto dhcp src 198.51.100.201",
        "ip route delete 10.1.0.0/16 via 192.168.1.9 dev ens4 proto static",
        "ip -4 route replace 10.1.0.0/16 via 192.168.1.9 dev ens4 metric 101 proto static",
    ]


def test_a_route_of_a_leased_address_that_has_gone_is_left_to_who_leases_it(said, monkeypatch):
    def refuses(*argv):
        raise CommandFailed(" ".join(argv))

    monkeypatch.setattr(kernel, "run", refuses)
    kernel.routes_back(WAS, MACHINE)
    assert said == ["ip -4 route replace default via 198.51.100.1 dev ens3 metric 100"]
    with pytest.raises(CommandFailed, match=r"default via 192\.168\.1\.1"):
        kernel.routes_back(replace(WAS, seen=replace(MACHINE, default=Via("192.168.1.1", "ens4"))), MACHINE)


def test_kernel_settings_that_set_others_come_back_all_the_same():
    before = {"ipv4/ip_forward": "0", "ipv4/conf/all/accept_redirects": "0", "of/a/port/that/went": "1", "fixed": "1"}
    now = {"ipv4/ip_forward": "1", "ipv4/conf/all/accept_redirects": "0", "new": "5", "fixed": "2"}
    tried = []

    def write(name, value):
        tried.append(name)
        if name == "fixed":
            raise OSError(errno.EPERM, "Operation not permitted")
        if name == "ipv4/ip_forward" and now[name] != value:
            now["ipv4/conf/all/accept_redirects"] = "1" if value == "0" else "0"
        now[name] = value

    assert memory.set_back(before, lambda: dict(now), write) == ["fixed: Operation not permitted"]
    assert now == {"ipv4/ip_forward": "0", "ipv4/conf/all/accept_redirects": "0", "new": "5", "fixed": "2"}
    assert tried.count("fixed") == 1


def test_the_configuration_of_a_confirmed_node_is_kept_through_a_later_trial(said, tmp_path):
    replace(WAS, stage="confirmed").keep()
    revisions = run.CONFIG / "revisions"
    revisions.mkdir(parents=True)
    (revisions / "00000007.json").write_text("{}")
    run.undo()
    begin()
    revisions.mkdir(parents=True)
    run.undo()
    assert not run.CONFIG.exists()
    assert [path.name for path in tmp_path.glob("config.undone-*/revisions/*")] == ["00000007.json"]


def test_a_configuration_that_is_not_this_setups_is_not_put_on_trial(said):
    run.CONFIG.mkdir()
    (run.CONFIG / "current").write_text("7\n")
    with pytest.raises(SetupFailed, match="holds a configuration already"):
        begin()
    assert said == []
    assert (run.CONFIG / "current").exists()


def test_a_confirmation_that_comes_while_it_is_undone_finds_nothing_to_confirm(said, monkeypatch):
    WAS.keep()
    confirmed, outcome = threading.Event(), []

    def confirm():
        confirmed.set()
        try:
            run.confirm()
        except SetupFailed as error:
            outcome.append(str(error))

    other = threading.Thread(target=confirm)

    def in_the_middle():
        other.start()
        confirmed.wait(10)

    monkeypatch.setattr(kernel, "without_tables", in_the_middle)
    run.undo(unless_confirmed=True)
    other.join(10)
    assert "nothing to confirm" in outcome[0]
    assert memory.recall() is None


def test_an_owner_that_was_removed_since_does_not_stand_in_the_way(said, monkeypatch):
    nm = owners.Service("NetworkManager", ("NetworkManager.service",))
    nm.take_back()
    nm.resume()
    assert said[-1] == "systemctl --no-block start NetworkManager.service"
    monkeypatch.setattr(owners, "run", lambda *argv: "not-found\n" if "show" in argv else 1 / 0)
    nm.resume()


def test_networkd_ends_as_at_its_own_restart_and_so_gives_back_no_lease(said, monkeypatch):
    answers = iter([True, True, False])
    tell = owners.succeeds
    monkeypatch.setattr(owners, "succeeds", lambda *argv: next(answers) if "is-active" in argv else tell(*argv))
    monkeypatch.setattr(owners.time, "sleep", lambda _: None)
    (networkd,) = (o for o in owners.OWNERS if o.name == "systemd-networkd")
    networkd.let_go(["ens3"])
    assert said == [
        "systemctl stop systemd-networkd.socket",
        "systemctl kill --kill-whom=main --signal=SIGUSR2 systemd-networkd.service",
        "systemctl stop systemd-networkd.socket systemd-networkd.service",
    ]


def test_neither_ctrl_c_nor_a_closed_terminal_ends_an_undo(said, monkeypatch):
    WAS.keep()
    found = []
    monkeypatch.setattr(kernel, "without_tables", lambda: found.append(
        [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGHUP)]
    ))  # fmt: skip
    before = signal.getsignal(signal.SIGINT)
    run.undo()
    assert found == [[signal.SIG_IGN, signal.SIG_IGN]]
    assert signal.getsignal(signal.SIGINT) is before


def test_a_service_that_cannot_be_kept_from_the_next_boot_is_told(said, monkeypatch):
    replace(WAS, clashing={"keepalived": True}).keep()
    tell = run.run

    def refuses(*argv, **more):
        if argv[-1] == "keepalived":
            raise CommandFailed("systemctl mask keepalived: File /etc/systemd/system/keepalived.service already exists")
        return tell(*argv, **more)

    monkeypatch.setattr(run, "run", refuses)
    with pytest.raises(SetupFailed, match=r"keepalived\.service already exists.*confirm again"):
        run.confirm()
    assert memory.recall().stage == "trial"


def test_webds_user_reaches_its_keys_whatever_the_umask(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "PLACE", tmp_path / "gemel/setup.json")
    before = os.umask(0o077)
    try:
        WAS.keep()
    finally:
        os.umask(before)
    assert (tmp_path / "gemel").stat().st_mode & 0o777 == 0o755
    assert memory.PLACE.stat().st_mode & 0o077 == 0


TEXT = "auto ens3\niface ens3 inet dhcp\nsource interfaces.d/*\n"


def plain(folder):
    """A machine of ifupdown's: its files, and their owner."""
    etc = folder / "etc/network"
    (etc / "interfaces.d").mkdir(parents=True)
    (etc / "interfaces").write_text(TEXT)
    (etc / "interfaces").chmod(0o640)
    (etc / "interfaces.d/lan").write_text("iface ens4 inet static\n")
    (etc / "interfaces.d/link").symlink_to("../elsewhere")
    return etc, Ifupdown(folder, folder / "var/before")


def _as_it_was(etc):
    assert (etc / "interfaces").read_text() == TEXT
    assert (etc / "interfaces").stat().st_mode & 0o777 == 0o640
    names = {path.name for path in (etc / "interfaces.d").iterdir()}
    assert names - {".lan.new", ".link.new"} == {"lan", "link"}  # what was begun is ignored by whoever reads there
    assert (etc / "interfaces.d/lan").read_text() == "iface ens4 inet static\n"
    assert str((etc / "interfaces.d/link").readlink()) == "../elsewhere"


def test_what_is_kept_may_be_on_another_file_system(tmp_path, monkeypatch):
    rename = Path.rename

    def within_a_folder(self, target):
        if self.parent != Path(target).parent:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", within_a_folder)
    etc, owner = plain(tmp_path)
    owner.retire()
    assert (etc / "interfaces").read_text() == LOOPBACK_ONLY
    assert not (etc / "interfaces.d").exists()
    (etc / "interfaces.d").mkdir()  # somebody made it again
    owner.take_back()
    _as_it_was(etc)
    assert not list((tmp_path / "var/before").iterdir())


def test_killed_at_any_moment_the_owners_files_are_not_lost(tmp_path, monkeypatch):
    left = []  # operations until the end

    def counted(act):
        def killed(*arguments, **more):
            left[0] -= 1
            if left[0] < 0:
                raise Killed
            return act(*arguments, **more)

        return killed

    for at in itertools.count():
        etc, owner = plain(tmp_path / str(at))
        left[:] = [at]
        with monkeypatch.context() as fate, contextlib.suppress(Killed):
            for name in ("fsync", "open", "unlink", "rename", "rmdir", "mkdir", "symlink", "chown"):
                fate.setattr(os, name, counted(getattr(os, name)))
            owner.retire()
            owner.take_back()
            owner.retire()
        owner.take_back()
        _as_it_was(etc)
        if left[0] >= 0:
            break
    assert at > 30
