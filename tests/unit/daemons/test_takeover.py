"""What `gemel setup` does to a machine, and how it comes back."""

import json
import re
import shlex
import subprocess
from pathlib import Path

from gemel.areas import dns_unbound, every
from gemel.core.codec import decode, encode
from gemel.daemons import units
from gemel.daemons.takeover import files, memory
from gemel.daemons.takeover.connections import Connection, connections
from gemel.daemons.takeover.owners import LOOPBACK_ONLY, Ifupdown
from tests.unit.daemons.test_takeover_plan import MACHINE


def test_connections_that_are_under_way_are_known_with_who_began_them():
    listening = """LISTEN 0 128 0.0.0.0:22 0.0.0.0:*
LISTEN 0 128 [::]:22 [::]:*
LISTEN 0 128 *:9090 *:*
"""
    established = """0 0 192.168.1.2:22 192.168.1.50:53892
0 36 192.168.1.2:41000 203.0.113.9:22
0 0 [2001:db8::2]:22 [2001:db8::50]:40000
0 0 [::ffff:192.168.1.2]:9090 [::ffff:192.168.1.51]:40001
0 0 127.0.0.1:22 127.0.0.1:40002
0 0 [fe80::1]%ens4:22 [fe80::2]%ens4:40003
"""
    assert list(connections(established, listening)) == [
        Connection("192.168.1.50", 53892, "192.168.1.2", 22),
        Connection("192.168.1.2", 41000, "203.0.113.9", 22),
        Connection("2001:db8::50", 40000, "2001:db8::2", 22),
        Connection("192.168.1.51", 40001, "192.168.1.2", 9090),
    ]


def test_ifupdown_lets_go_for_good_and_comes_back(tmp_path):
    etc = tmp_path / "etc/network"
    (etc / "interfaces.d").mkdir(parents=True)
    (etc / "interfaces").write_text("auto ens3\niface ens3 inet dhcp\nsource interfaces.d/*\n")
    (etc / "interfaces.d/lan").write_text("iface ens4 inet static\n")
    owner = Ifupdown(tmp_path, tmp_path / "kept")
    assert owner.present(["ens4"])
    assert not owner.present(["ens9"])
    owner.retire()
    owner.retire()
    assert (etc / "interfaces").read_text() == LOOPBACK_ONLY
    assert not owner.present(["ens3", "ens4"])
    owner.take_back()
    owner.take_back()
    assert "inet dhcp" in (etc / "interfaces").read_text()
    assert owner.present(["ens4"])


def test_ifupdowns_ports_are_found_wherever_its_files_are(tmp_path):
    etc, runtime = tmp_path / "etc/network", tmp_path / "run/network/interfaces.d"
    for folder in (etc / "more", etc / "odd", runtime):
        folder.mkdir(parents=True)
    (etc / "interfaces").write_text(
        "source more/*.cfg   /etc/network/interfaces\nsource-directory /run/network/interfaces.d\nsource odd\n"
        "source nowhere/*\nsource /\n"
    )
    (etc / "more/wan.cfg").write_text("iface ens3 inet dhcp\n")
    (etc / "more/wan.off").write_text("iface ens8 inet dhcp\n")
    (runtime / "ens4").write_text("auto ens4\niface ens4 inet dhcp\n")
    (runtime / "ens5.dpkg-old").write_text("iface ens5 inet dhcp\n")
    (etc / "odd/lan").write_text("iface ens6\n")
    (etc / "interfaces.d").mkdir()
    (etc / "interfaces.d/nobody-reads-it").write_text("iface ens9 inet dhcp\n")
    assert Ifupdown(tmp_path, tmp_path / "kept").configured() == {"ens3", "ens4", "ens6"}


def test_files_are_given_back_as_they_were(tmp_path):
    names = ["changed", "link", "gone", "made"]
    changed, link, gone, made = paths = [tmp_path / name for name in names]
    changed.write_bytes(b"of Debian, \xff\r\n")
    changed.chmod(0o640)
    link.symlink_to("../run/stub")
    gone.write_text("goes\n")
    before = decode(dict[str, files.Kept], json.loads(json.dumps(encode(files.keep(map(str, paths))))))
    for path in (changed, link, made):
        path.unlink(missing_ok=True)
        path.write_text("of Gemel\n")
    gone.unlink()
    files.give_back(before)
    assert (changed.read_bytes(), changed.stat().st_mode & 0o777) == (b"of Debian, \xff\r\n", 0o640)
    assert str(link.readlink()) == "../run/stub"
    assert gone.read_text() == "goes\n"
    assert not made.exists()


def test_every_file_of_debian_that_an_area_writes_is_kept_for_the_way_back():
    folder = Path(every.__file__).parent
    read = {dns_unbound.CERTIFICATES}
    named = {path for f in folder.glob("*.py") for path in re.findall(r'"(/etc/[^"]+)"', f.read_text())}
    assert named - read <= set(files.WRITTEN)


def test_what_boots_asks_without_python_whether_a_setup_is_on_trial(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "PLACE", tmp_path / "setup.json")
    (condition,) = re.findall(r"ExecCondition=/usr/bin/(grep .*) /var/lib", units.units()["gemel-unconfirmed.service"])
    kept = memory.Memory("trial", MACHINE, (), {}, {}, {})
    for one, found in ((kept, 0), (kept.confirmed(), 1)):
        one.keep()
        assert subprocess.run([*shlex.split(condition), tmp_path / "setup.json"], check=False).returncode == found
