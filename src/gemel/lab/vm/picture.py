"""What a machine is: files, rules, addresses, routes, kernel settings, users, services. And what has become different.

Of what Debian's own programs write at any time (logs, caches, dpkg's lists) only names with *gemel* count.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gemel.lab.commands import Commands

TAKES = 300.0  # seconds on an emulated machine

SCRIPT = r"""
LC_ALL=C; export LC_ALL
echo "== files"
find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /run -o -path /root -o -path /tmp \) -prune -o \
    -printf '%p %y %m %u:%g %l\n'
find /run /tmp -path '*gemel*' -printf '%p %y\n'
echo "== contents"
find /etc -xdev -type f -exec md5sum {} + | while read -r sum path; do echo "$path $sum"; done
echo "== addresses"
ip -o address show scope global | while read -r _ device family address _; do echo "$device $family $address"; done
echo "== devices"
ip -o link | while read -r _ device flags _; do echo "${device%%[:@]*} $flags"; done
echo "== routes"
ip route; ip -6 route show; ip rule; ip -6 rule
echo "== rules"
nft list ruleset
echo "== settings"
sysctl -a 2>/dev/null | grep -E '^(net|kernel\.(panic|core_pattern|hostname))'
echo "== fresh"
unshare -n sysctl -a 2>/dev/null | grep '^net\.netfilter'
echo "== users"
getent passwd; getent group
echo "== units"
systemctl list-unit-files --no-legend --no-pager | while read -r unit state _; do echo "$unit $state"; done
systemctl list-units --no-legend --no-pager --plain --type=service,socket,timer --state=active |
    while read -r unit _; do echo "$unit active"; done
"""

THEIR_OWN = {
    "files": re.compile(
        r"/var/(log|cache|tmp|backups|lib/(dpkg|apt|systemd|ucf|pam|private|dhcp|logrotate|kea|unbound|misc|"
        r"NetworkManager))(/| )|"
        r"/etc/[a-z.]+- |/etc/(\.pwd\.lock|ld\.so\.cache|adjtime|machine-id|resolv\.conf) |/lost\+found|.*/__pycache__|"
        r"/(var|etc|usr|var/lib|usr/lib|usr/share)? ?d "
    ),
    "contents": re.compile(r"/etc/[a-z.]+- |/etc/(ld\.so\.cache|adjtime|machine-id) "),
    "settings": re.compile(
        r"net\.netfilter\.nf_conntrack_(count|buckets)|.*(ipfrag_secret|stable_secret|nf_log)|net\.(core\.netdev_rss_key|"
        r"ipv6\.conf\.all\.mc_forwarding)|net\.ipv4\.tcp_(available_|fastopen_key)"  # a key of each boot
    ),
    "units": re.compile(
        r"session-|user@|user-runtime-dir@|run-|apt-|dpkg-db|e2scrub|fstrim|logrotate|man-db|"
        r"NetworkManager-(wait-online|dispatcher)|"
        r"systemd-(networkd-wait|tmpfiles|hostnamed|timedated|logind|journal|fsck|user|update|random)"
    ),
}
"""What changes without anybody's doing."""


@dataclass(frozen=True, slots=True)
class Picture:
    """Section -> its lines."""

    sections: dict[str, frozenset[str]]

    @classmethod
    def read(cls, text: str) -> "Picture":
        """Of what the script prints."""
        sections: dict[str, set[str]] = {}
        name = ""
        for line in text.splitlines():
            if line.startswith("== "):
                name = line[3:]
            elif name and line.strip():
                sections.setdefault(name, set()).add(line.rstrip())
        return cls({name: frozenset(lines) for name, lines in sections.items()})

    def keep(self, place: Path) -> None:
        """Write it."""
        place.write_text(json.dumps({name: sorted(lines) for name, lines in self.sections.items()}))

    @classmethod
    def kept(cls, place: Path) -> "Picture":
        """One that was written."""
        return cls({name: frozenset(lines) for name, lines in json.loads(place.read_text()).items()})

    def different(self, later: "Picture", leave_out: str = "") -> list[str]:
        """Sentences on what the machine has `later` that it had not, and the other way round; no lines that begin as
        `leave_out` (a regular expression) says."""
        return sorted(self._changes(later, re.compile(leave_out) if leave_out else None))

    def _changes(self, later: "Picture", leave_out: "re.Pattern[str] | None") -> Iterator[str]:
        for name in sorted({*self.sections, *later.sections} - {"fresh"}):
            before, after = self.sections.get(name, frozenset()), later.sections.get(name, frozenset())
            if name == "settings":
                after = frozenset(_settled(before, after, later.sections.get("fresh", frozenset())))
            for line in before ^ after:
                if (leave_out and leave_out.match(line)) or ("gemel" not in line and _moves(name, line)):
                    continue
                yield f"{name}: {'missing' if line in before else 'left behind'}: {line}"


def _settled(before: frozenset[str], after: frozenset[str], fresh: frozenset[str]) -> Iterator[str]:
    """Settings without those that came with a kernel module and stand as the kernel has them by itself."""
    known = {line.partition(" = ")[0] for line in before}
    for line in after:
        key = line.partition(" = ")[0]
        if key in known or (key.startswith("net.netfilter.") and line not in fresh):
            yield line


def _moves(section: str, line: str) -> bool:
    pattern = THEIR_OWN.get(section)
    return pattern is not None and pattern.match(line) is not None


def take(lab: Commands, node: str) -> Picture:
    """A picture of a node as it is now."""
    return Picture.read(lab.exec(node, "sh", "-c", SCRIPT, timeout=TAKES))
