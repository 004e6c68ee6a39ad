"""What counts as a difference between two pictures of a machine, and what a switch's access port does to frames."""

from gemel.lab.access_port import tagged, untagged
from gemel.lab.vm.picture import Picture

BEFORE = """== files
/etc/hosts f 644 root:root
/var/log/syslog f 640 root:adm
== settings
net.ipv4.ip_forward = 0
== fresh
net.netfilter.nf_conntrack_tcp_be_liberal = 0
"""


def after(*lines: str) -> list[str]:
    text = "\n".join(line for line in BEFORE.splitlines() if line not in lines)
    for line in lines:
        section, _, what = line.partition("|")
        text = text.replace(f"== {section}", f"== {section}\n{what}") if what else text
    return Picture.read(BEFORE).different(Picture.read(text))


def test_what_is_left_behind_or_missing_is_said():
    assert after() == []
    assert after("files|/etc/cron.d/new f") == ["files: left behind: /etc/cron.d/new f"]
    assert after("/etc/hosts f 644 root:root") == ["files: missing: /etc/hosts f 644 root:root"]
    assert after("settings|net.ipv4.ip_forward = 1", "net.ipv4.ip_forward = 0") == [
        "settings: left behind: net.ipv4.ip_forward = 1",
        "settings: missing: net.ipv4.ip_forward = 0",
    ]


def test_logs_come_and_go_but_not_those_of_gemel():
    assert after("files|/var/log/dpkg.log f 644") == []
    assert after("files|/var/log/gemel/log f 644") == ["files: left behind: /var/log/gemel/log f 644"]


def test_a_setting_that_came_with_a_module_stands_as_the_kernel_has_it():
    assert after("settings|net.netfilter.nf_conntrack_tcp_be_liberal = 0") == []
    left = "net.netfilter.nf_conntrack_tcp_be_liberal = 1"
    assert after(f"settings|{left}") == [f"settings: left behind: {left}"]


def test_what_the_kernel_makes_up_at_each_boot_is_no_difference():
    def changed(name, before, now):
        pictures = (Picture.read(f"== settings\n{name} = {value}\n") for value in (before, now))
        return next(pictures).different(next(pictures))

    assert changed("net.ipv4.tcp_fastopen_key", "3c604ddc-885c62f0", "ac2185c3-0e522498") == []
    assert len(changed("net.ipv4.tcp_fastopen", "1", "3")) == 2


def test_an_access_port_takes_one_tag_off_and_puts_it_on():
    frame = bytes(12) + b"\x08\x00" + b"what is carried"
    on_the_wire = tagged(frame, 30)
    assert on_the_wire[12:16] == b"\x81\x00\x00\x1e" and untagged(on_the_wire, 30) == frame
    with_priority = on_the_wire[:14] + b"\xe0\x1e" + on_the_wire[16:]
    assert untagged(with_priority, 30) == frame
    assert untagged(on_the_wire, 31) is None and untagged(frame, 30) is None and untagged(b"short", 30) is None
