"""systemd units, written from the same description as the supervisor's: `python -m gemel.daemons.units DIRECTORY`.

What differs from the lab: systemd opens the sockets, waits for READY=1, watches for WATCHDOG=1 (sd_notify(3)) and
fences each process in. The stop step of carpd is ExecStopPost, which systemd runs however the process ended.
"""

import sys
from pathlib import Path

from gemel.daemons.processes import AGENT, CARPD, FLOWD, PROCESSES, PYTHON, WEBD, Process

INTERPRETER = "/usr/lib/gemel/bin/python"
TARGET = "gemel.target"
FENCE = """\
NoNewPrivileges=yes
LockPersonality=yes
RestrictRealtime={realtime}
RestrictSUIDSGID=yes
RestrictNamespaces=yes
SystemCallArchitectures=native
ProtectHome=yes
ProtectClock=yes
ProtectHostname=yes
ProtectKernelLogs=yes
PrivateTmp=yes
"""

DAEMON_OF_THE_NETWORK = """\
ProtectSystem=strict
ReadWritePaths=/run/gemel /var/lib/gemel
ProtectControlGroups=yes
ProtectKernelModules=yes
PrivateDevices=yes
DevicePolicy=closed
RemoveIPC=yes
UMask=0077
"""

NOBODY_IN_PARTICULAR = """\
AmbientCapabilities=
CapabilityBoundingSet=
DeviceAllow=
DevicePolicy=closed
PrivateDevices=yes
PrivateNetwork=yes
PrivateUsers=yes
ProcSubset=pid
ProtectControlGroups=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
ProtectSystem=strict
RemoveIPC=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
UMask=0077
"""
"""For webd. It has no network of its own: the sockets that it listens on were opened for it, and the agent's door is a
file. A taken webd cannot call out."""

BESIDES = {
    CARPD: f"""\
{FENCE.format(realtime="no")}{DAEMON_OF_THE_NETWORK}\
WatchdogSec=3
LimitMEMLOCK=infinity
LimitRTPRIO=60
CapabilityBoundingSet=CAP_NET_ADMIN CAP_NET_RAW CAP_NET_BIND_SERVICE CAP_SYS_NICE CAP_IPC_LOCK CAP_DAC_OVERRIDE
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK AF_PACKET
OOMScoreAdjust=-900
""",
    FLOWD: f"""\
{FENCE.format(realtime="no")}{DAEMON_OF_THE_NETWORK}\
WatchdogSec=30
LimitRTPRIO=60
CapabilityBoundingSet=CAP_NET_ADMIN CAP_NET_RAW CAP_SYS_NICE CAP_IPC_LOCK CAP_DAC_OVERRIDE
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
OOMScoreAdjust=-800
""",
    AGENT: """\
LockPersonality=yes
RestrictSUIDSGID=no
SystemCallArchitectures=native
ProtectHome=yes
PrivateTmp=yes
OOMScoreAdjust=-700
""",
    WEBD: FENCE.format(realtime="yes") + NOBODY_IN_PARTICULAR,
}
"""What the unit of each process has besides what follows from its description."""

AFTER = {
    FLOWD: (AGENT,),
    CARPD: (FLOWD, AGENT),
    WEBD: (AGENT,),
    AGENT: (),
}
"""carpd begins last: no virtual IP before what stands behind it. systemd stops in the other direction, so it goes
first at shutdown, and the peer has everything while all else still runs."""

SERVICE = """\
[Unit]
Description=Gemel: {what}
Documentation=man:gemel(1)
PartOf={target}
After={after}
{wants}StartLimitIntervalSec=0

[Service]
Type=notify
ExecStart={start}
{stop_step}{user}Restart=always
RestartSec=200ms
TimeoutStartSec=120
TimeoutStopSec=20
{directory}Environment=PYTHONDONTWRITEBYTECODE=1 LANG=C.UTF-8
{besides}
[Install]
WantedBy={target}
"""

DIRECTORY = """\
RuntimeDirectory=gemel
RuntimeDirectoryMode=0755
RuntimeDirectoryPreserve=yes
"""
"""For root's processes only: systemd gives the directory, and all that is in it, to whoever the unit runs as."""

SOCKET = """\
[Unit]
Description=Gemel: the ports of {name}
PartOf={target}

[Socket]
{listens}BindIPv6Only=ipv6-only
Backlog=128
NoDelay=yes
Service=gemel-{name}.service

[Install]
WantedBy={target}
"""

WHOLE = f"""\
[Unit]
Description=Gemel: this machine as a node of a firewall cluster
Documentation=man:gemel(1)
Wants={" ".join(f"gemel-{p.name}.service" for p in PROCESSES)}
After=network-pre.target

[Install]
WantedBy=multi-user.target
"""

REVERT_AT_BOOT = f"""\
[Unit]
Description=Gemel: take back a setup that nobody confirmed before the machine was started again
ConditionPathExists=/var/lib/gemel/setup.json
DefaultDependencies=no
After=local-fs.target
Wants=network-pre.target
Before=network-pre.target {TARGET}

[Service]
Type=oneshot
ExecCondition=/usr/bin/grep -q '"stage": "trial"' /var/lib/gemel/setup.json
ExecStart=/usr/bin/gemel setup --undo --unless-confirmed --at-boot

[Install]
WantedBy=multi-user.target
"""
"""Before any network: who stands before network-pre.target has to pull it in (systemd.special(7)). Not after
sysinit.target, which on some machines waits for the network itself (cloud-init)."""

WORDS = {
    CARPD: "CARP, the roles of this node",
    FLOWD: "state synchronisation",
    AGENT: "the configuration of this node",
    WEBD: "pages, REST and XML-RPC",
}


def service(process: Process) -> str:
    """The unit that runs one process."""
    after = ["network-pre.target", "systemd-sysctl.service", "systemd-modules-load.service"]
    after += [f"gemel-{p.name}.service" for p in AFTER[process]]
    if process.ports:
        after.append(f"gemel-{process.name}.socket")
    return SERVICE.format(
        what=WORDS[process],
        target=TARGET,
        after=" ".join(after),
        wants=f"Requires=gemel-{process.name}.socket\n" if process.ports else "",
        start=_line(process.argv),
        stop_step=f"ExecStopPost={_line(process.stop_step)}\n" if process.stop_step else "",
        user=f"User={process.user}\nGroup={process.user}\n" if process.user else "",
        directory="" if process.user else DIRECTORY,
        besides=BESIDES[process],
    )


def listeners(process: Process) -> str:
    """The unit that opens a process's ports: per port IPv4 first, as the supervisor hands them over."""
    listens = "".join(f"ListenStream=0.0.0.0:{port}\nListenStream=[::]:{port}\n" for port in process.ports)
    return SOCKET.format(name=process.name, target=TARGET, listens=listens)


def units() -> dict[str, str]:
    """File name -> text, of everything that goes to the directory of systemd's units."""
    texts = {TARGET: WHOLE, "gemel-unconfirmed.service": REVERT_AT_BOOT}
    for process in PROCESSES:
        texts[f"gemel-{process.name}.service"] = service(process)
        if process.ports:
            texts[f"gemel-{process.name}.socket"] = listeners(process)
    return texts


def _line(argv: tuple[str, ...]) -> str:
    return " ".join(INTERPRETER if a == PYTHON else a for a in argv)


def main() -> None:
    """Write the units."""
    directory = Path(sys.argv[1])
    for name, text in units().items():
        (directory / name).write_text(text)


if __name__ == "__main__":
    main()
