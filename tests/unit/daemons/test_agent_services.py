"""The agent's services before a systemd that writes down what it is told."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from gemel.control.door import Refused, Unreachable
from gemel.core.want import File, Service, Sysctl
from gemel.daemons import systemd
from gemel.daemons.agent import services
from gemel.daemons.agent.services import Glances, end_service, have_run, run_service, unit_text
from gemel.effects.machine import Failed

UNBOUND = Service("unbound", argv=("unbound", "-d"))
LEASED = Service("leased", argv=("{python}", "-m", "gemel.daemons.leased"), signal=1)
RESOLVER = Service("resolver-client", (File("/etc/resolv.conf", ""),))


@dataclass
class Systemctl:
    """Does nothing, and refuses what has to do with the unit `refuses`. `shown` is what is told of every service."""

    heard: list[str] = field(default_factory=list)
    refuses: str = "nothing"
    shown: str = "active"
    answers: bool = True

    def __call__(self, *arguments: str, patience: float = 30.0) -> str:
        self.heard.append(" ".join(a for a in arguments if not a.startswith("-")))
        if not self.answers:
            raise Unreachable("systemctl does not answer")
        if self.refuses in arguments:
            raise Refused(f"systemctl {arguments[0]}: no")
        return "\n\n".join(
            f"Id={unit}\nActiveState={self.shown}\nMainPID=7\nNRestarts=0\nStateChangeTimestampMonotonic=0\n"
            "ExecMainCode=0\nExecMainStatus=0"
            for unit in arguments
            if unit.endswith(".service")
        )

    def said(self) -> list[str]:
        heard, self.heard = self.heard, []
        return heard


@pytest.fixture
def systemctl(tmp_path: Path, monkeypatch: Any) -> Systemctl:
    (tmp_path / "units").mkdir()
    monkeypatch.setattr(systemd, "RUNTIME", tmp_path / "units")
    monkeypatch.setattr(systemd, "CGROUPS", tmp_path / "cgroups")
    fake = Systemctl()
    monkeypatch.setattr(systemd, "systemctl", fake)
    return fake


def runs(tmp_path: Path, name: str, pid: int) -> None:
    folder = tmp_path / "cgroups" / f"gemel-{name}.service"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cgroup.procs").write_text(f"{pid}\n")


def test_only_the_unit_of_our_own_code_is_another_one_in_another_version() -> None:
    assert unit_text(UNBOUND, "1.0") == unit_text(UNBOUND, "1.1")
    assert unit_text(LEASED, "1.0") != unit_text(LEASED, "1.1")
    assert "Description=Gemel 1.1: leased\n" in unit_text(LEASED, "1.1")


def test_a_service_is_started_and_told_and_nothing_is_started_twice(systemctl: Systemctl) -> None:
    run_service(LEASED, False)
    assert systemctl.said() == ["daemon-reload", "restart gemel-leased.service"]
    run_service(LEASED, False)
    assert systemctl.said() == ["start gemel-leased.service"]
    run_service(LEASED, True)
    assert systemctl.said() == ["kill gemel-leased.service"]
    end_service("leased")
    assert systemctl.said() == ["stop gemel-leased.service"]
    assert systemd.wanted() == ()


def test_one_that_cannot_be_started_is_named(systemctl: Systemctl) -> None:
    systemctl.refuses = "gemel-unbound.service"
    with pytest.raises(Failed, match="service unbound: systemctl restart: no"):
        run_service(UNBOUND, False)


def test_after_an_upgrade_our_own_code_is_started_again_alone(systemctl: Systemctl, monkeypatch: Any) -> None:
    wants = (Sysctl("net.ipv4.ip_forward", "1"), RESOLVER, UNBOUND, LEASED)
    monkeypatch.setattr(services, "__version__", "1.0")
    have_run(wants)
    systemctl.said()
    monkeypatch.setattr(services, "__version__", "1.1")
    assert have_run(wants) == ()
    assert systemctl.said() == ["start gemel-unbound.service", "daemon-reload", "restart gemel-leased.service"]


def test_one_that_does_not_start_again_keeps_no_other_one_down(systemctl: Systemctl) -> None:
    systemctl.refuses = "gemel-unbound.service"
    assert have_run((UNBOUND, LEASED)) == ("service unbound: systemctl restart: no",)
    assert systemctl.said()[-1] == "restart gemel-leased.service"


def test_systemd_is_asked_only_when_something_can_be_different(systemctl: Systemctl, tmp_path: Path) -> None:
    run_service(UNBOUND, False)
    systemctl.said()
    glances = Glances()
    runs(tmp_path, "unbound", 71)
    assert [one.state for one in glances.look()] == ["running"]
    assert systemctl.said() == ["show Id,ActiveState,SubState,MainPID,NRestarts,StateChangeTimestampMonotonic,"
                                "ExecMainCode,ExecMainStatus gemel-unbound.service"]  # fmt: skip
    assert [one.name for one in glances.look()] == ["unbound"] and not systemctl.said()
    runs(tmp_path, "unbound", 72)
    systemctl.shown = "activating"
    assert [one.state for one in glances.look()] == ["waiting"] and systemctl.said()
    systemctl.shown = "active"
    assert [one.state for one in glances.look()] == ["running"] and systemctl.said()
    assert glances.look() and not systemctl.said()
    end_service("unbound")
    assert glances.look() == ()


def test_no_answer_is_not_taken_for_no_services(systemctl: Systemctl, tmp_path: Path) -> None:
    run_service(UNBOUND, False)
    systemctl.answers = False
    with pytest.raises(Unreachable):
        Glances().look()
    with pytest.raises(Unreachable):
        services.service_reports()


def test_what_is_shown_to_people_has_gemels_own_daemons_first(systemctl: Systemctl) -> None:
    run_service(UNBOUND, False)
    assert [one.name for one in services.service_reports()] == ["carpd", "flowd", "agent", "webd", "unbound"]
