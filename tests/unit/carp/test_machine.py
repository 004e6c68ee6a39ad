"""One VHID: every row of the transition table, then its timers and quantities."""

import pytest

from gemel.carp import wire
from gemel.carp.events import Release, Report, Send, SendTo, State, Take
from gemel.carp.machine import LINGER, NEVER, Machine
from gemel.carp.table import TABLE, Happening, Step

from .world import vhid

NOW = 1000.0
H, INIT, BACKUP, MASTER = Happening, State.INIT, State.BACKUP, State.MASTER


def machine(state=INIT, **config) -> Machine:
    made = Machine(vhid(**config), 40, NOW)
    if state is not INIT:
        made.happen(H.READY, NOW)
    if state is MASTER:
        made.happen(H.SILENCE, NOW)
    assert made.state is state
    return made


def advert(base=1, skew=0, source="10.0.0.9") -> wire.Received:
    return wire.Received(wire.Advert(1, base, skew, 5, bytes(20)), source)


def kinds(actions) -> list[str]:
    names = []
    for action in actions:
        if isinstance(action, Send):
            ethertype = action.frame[12:14]
            named = {b"\x08\x00": "advert", b"\x08\x06": "arp"}
            v6 = "advert6" if action.frame[20:21] == b"\x70" else "advertisement"
            names.append(named.get(ethertype, v6))
        elif not isinstance(action, Report):
            names.append(type(action).__name__)
    return names


def sent(actions) -> list[wire.Advert]:
    """The adverts among the actions, read back from their frames."""
    frames = [a.frame for a in actions if isinstance(a, Send)]
    packets = [f[14:] for f in frames if f[12:14] == b"\x08\x00" or (f[12:14] == b"\x86\xdd" and f[20] == 112)]
    return [wire.read_packet(packet).advert for packet in packets]


RISE = ["Take", "advert", "arp"]
ROWS = [
    (INIT, H.READY, BACKUP, []),
    (BACKUP, H.SILENCE, MASTER, RISE),
    (BACKUP, H.PEER_DEAD, MASTER, RISE),
    (BACKUP, H.PEER_RESIGNED, MASTER, RISE),
    (BACKUP, H.PEER_TRAILS, MASTER, RISE),
    (BACKUP, H.PEER_LEAVES, MASTER, RISE),
    (BACKUP, H.FORCED_MASTER, MASTER, RISE),
    (BACKUP, H.PEER_LEADS, BACKUP, []),
    (BACKUP, H.PEER_TOLERATED, BACKUP, []),
    (BACKUP, H.WOKE_LATE, BACKUP, ["Release"]),
    (BACKUP, H.UNREADY, INIT, ["Release"]),
    (BACKUP, H.LEAVING, INIT, []),
    (MASTER, H.PEER_LEADS, BACKUP, []),
    (MASTER, H.FORCED_BACKUP, BACKUP, ["advert"]),
    (MASTER, H.WOKE_LATE, BACKUP, ["Release"]),
    (MASTER, H.PEER_TRAILS, MASTER, ["advert", "arp"]),
    (MASTER, H.PEER_LEAVES, MASTER, ["advert", "arp"]),
    (MASTER, H.PEER_YIELDED, MASTER, ["advert", "arp"]),
    (MASTER, H.PORT_MOVED, MASTER, ["advert", "arp"]),
    (MASTER, H.ADVERT_DUE, MASTER, ["advert"]),
    (MASTER, H.DEMOTION_CHANGED, MASTER, ["advert"]),
    (MASTER, H.ANNOUNCE_DUE, MASTER, ["arp"]),
    (MASTER, H.UNREADY, INIT, ["Release"]),
    (MASTER, H.LEAVING, INIT, ["advert"]),
]


@pytest.mark.parametrize(("before", "happening", "after", "done"), ROWS)
def test_row(before, happening, after, done):
    one = machine(before)
    actions = one.happen(happening, NOW + 1, "because")
    assert one.state is after
    assert kinds(actions) == done
    reports = [a for a in actions if isinstance(a, Report)]
    assert reports == ([] if before is after else [Report("wan", 1, before, after, "because")])


def test_every_row_of_the_table_is_tested_above():
    assert {(before, happening) for before, happening, _, _ in ROWS} == set(TABLE)
    assert {step for _, steps in TABLE.values() for step in steps} == set(Step)


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("happening", Happening)
def test_what_is_not_in_the_table_does_nothing(state, happening):
    if (state, happening) in TABLE:
        return
    one = machine(state)
    assert one.happen(happening, NOW) == []
    assert one.state is state


# What a heard advert means: ours is base 1, skew 100, so 1.39 s, with a patience of 3.39 s.
@pytest.mark.parametrize(
    ("state", "preempt", "base", "skew", "after"),
    [
        (BACKUP, True, 1, 99, BACKUP),
        (BACKUP, True, 1, 100, BACKUP),  # a tie challenges nobody
        (BACKUP, True, 1, 101, MASTER),
        (BACKUP, False, 1, 101, BACKUP),
        (BACKUP, False, 3, 100, BACKUP),
        (BACKUP, False, 3, 101, MASTER),  # it would be timed out anyway
        (BACKUP, False, 255, 255, MASTER),
        (MASTER, True, 1, 99, BACKUP),
        (MASTER, True, 1, 100, BACKUP),  # a tie yields
        (MASTER, True, 1, 101, MASTER),
        (MASTER, False, 1, 101, MASTER),
        (MASTER, False, 1, 99, BACKUP),
        (MASTER, True, 255, 255, MASTER),
        (INIT, True, 1, 0, INIT),
        (INIT, True, 255, 255, INIT),
    ],
)
def test_heard_advert(state, preempt, base, skew, after):
    one = machine(state, skew=100)
    one.preempt = preempt
    one.hear(advert(base, skew), NOW + 1)
    assert one.state is after


def test_master_down_time_is_rearmed_by_each_advert_and_ignores_demotion():
    one = machine(BACKUP, skew=100)
    assert one.deadline() == NOW + 3 + 100 / 256
    one.demote(240, NOW)
    assert one.deadline() == NOW + 3 + 100 / 256
    one.hear(advert(), NOW + 2)
    assert one.deadline() == NOW + 2 + 3 + 100 / 256
    assert one.pass_time(NOW + 5) == []
    one.pass_time(NOW + 2 + 3 + 100 / 256)
    assert one.state is MASTER


def test_adverts_go_out_each_interval_with_rising_counters():
    one = machine(MASTER, skew=128)
    first = sent(one.pass_time(NOW + 1.5))
    second = sent(one.pass_time(NOW + 3.0))
    assert [a.advskew for a in first + second] == [128, 128]
    assert second[0].counter == first[0].counter + 1
    assert all(one.speech.seal.fits(a) for a in first + second)


def test_demotion_is_clamped_and_told_at_once():
    one = machine(MASTER, skew=100)
    assert [a.advskew for a in sent(one.demote(480, NOW))] == [240]
    assert one.demote(480, NOW) == []
    assert [a.advskew for a in sent(one.demote(-500, NOW))] == [0]
    assert [a.advskew for a in sent(one.demote(0, NOW))] == [100]


def test_a_configured_skew_above_240_is_sent_as_240():
    assert sent(machine(MASTER, skew=254).pass_time(NOW + 2))[0].advskew == 240


def test_announcements_at_0_1_2_4_8_seconds():
    one = machine(BACKUP, addresses=("10.0.0.100", "10.0.0.101"))
    times = [NOW] * kinds(one.happen(H.SILENCE, NOW)).count("arp")
    while one.deadline() < NOW + 20:
        at = one.deadline()
        times += [at] * kinds(one.pass_time(at)).count("arp")
    assert times == [NOW + n for n in (0, 0, 1, 1, 2, 2, 4, 4, 8, 8)]


def test_one_that_yields_lingers():
    one = machine(MASTER, skew=100)
    assert kinds(one.hear(advert(), NOW + 1)) == []
    assert one.holds
    assert one.deadline() == NOW + 1 + LINGER
    assert kinds(one.pass_time(NOW + 1 + LINGER)) == ["Release"]
    assert not one.holds


def test_one_that_rises_while_it_lingers_keeps_the_addresses():
    one = machine(MASTER, skew=100)
    one.hear(advert(), NOW + 1)
    one.hear(advert(255, 255), NOW + 1.1)
    assert one.state is MASTER
    assert "Release" not in kinds(one.pass_time(NOW + 1.3))


def test_one_that_leaves_holds_on_until_its_successor_was_heard():
    one = machine(MASTER)
    (last,) = sent(one.happen(H.LEAVING, NOW))
    assert (last.advbase, last.advskew) == (255, 255)
    one.hear(advert(1, 100), NOW + 0.1)
    assert one.deadline() == pytest.approx(NOW + 0.1 + LINGER)
    lonely = machine(MASTER)
    lonely.happen(H.LEAVING, NOW)
    assert lonely.deadline() == NOW + 0.5


def test_a_bow_out_does_not_come_from_the_virtual_mac():
    (send,) = [a for a in machine(MASTER).happen(H.LEAVING, NOW) if isinstance(a, Send)]
    assert send.frame[6:12] == bytes(6)


def test_a_worse_master_is_answered_once_in_an_interval():
    one = machine(MASTER)
    answers = [kinds(one.hear(advert(1, 50), NOW + 1 + n / 10)) for n in range(11)]
    assert [n for n, answer in enumerate(answers) if answer] == [0, 10]


def test_base_0_counts_in_256ths():
    one = machine(BACKUP, base=0, skew=10)
    assert one.deadline() == NOW + 30 / 256
    one.pass_time(NOW + 30 / 256)
    assert one.deadline() == pytest.approx(NOW + 40 / 256)
    assert one.lifetime == 1


def test_at_base_0_the_masters_interval_counts():
    one = machine(BACKUP, base=0, skew=2)
    one.hear(advert(0, 1), NOW)
    assert one.deadline() == NOW + 4 / 256
    one.hear_again(advert(0, 1), 4, NOW + 1 / 256)
    assert one.deadline() == NOW + 5 / 256
    one.demote(240, NOW + 2 / 256)
    one.hear(advert(0, 1), NOW + 2 / 256)
    assert one.deadline() == NOW + 6 / 256
    one.demote(0, NOW + 2 / 256)
    one.hear(advert(0, 200), NOW + 3 / 256)
    assert one.state is MASTER, "that one's silence could not be told from its death"


def test_own_adverts_are_known_again():
    one = machine(MASTER)
    (mine,) = sent(one.pass_time(NOW + 1))
    assert one.speech.is_own(wire.Received(mine, "10.0.0.1"))
    assert not one.speech.is_own(wire.Received(mine, "10.0.0.2"))
    assert not one.speech.is_own(advert(source="10.0.0.1"))


def test_new_settings_leave_a_master_master():
    one = machine(MASTER, addresses=("10.0.0.100", "10.0.0.101"))
    done = one.reconfigure(vhid(skew=7, addresses=("10.0.0.101", "10.0.0.102")), NOW + 1)
    assert one.state is MASTER
    assert done[0] == Release("wan", ("10.0.0.100",))
    assert done[1] == Take("wan", ("10.0.0.101", "10.0.0.102"), 2)
    assert {a.advskew for a in sent(done)} == {7}
    assert one.reconfigure(one.config, NOW + 2) == []


def test_without_anything_to_do_there_is_no_deadline():
    assert machine(INIT).deadline() == NEVER


# ---------------------------------------------------------------------------------------------------- both families

PORT = bytes.fromhex("020000000001")
DUAL = {"addresses": ("10.0.0.100", "2001:db8::1")}
ONLY6 = {"addresses": ("2001:db8::1", "fe80::1"), "source": ""}


def advert6(base=1, skew=0) -> wire.Received:
    return wire.Received(wire.Advert(1, base, skew, 5, bytes(20)), "fe80::9")


def test_an_ipv6_vhid_speaks_ipv6_from_the_ports_link_local_address():
    one = machine(BACKUP, **ONLY6)
    one.speech.attach(PORT)
    done = one.happen(H.SILENCE, NOW)
    assert kinds(done) == ["Take", "advert6", "advertisement", "advertisement"]
    (frame,) = [a.frame for a in done if isinstance(a, Send) and a.frame[20] == 112]
    assert frame[6:12] == wire.virtual_mac(1)
    assert wire.read_packet(frame[14:]).source == wire.link_local(PORT)


def test_a_vhid_of_both_families_speaks_in_both_with_one_digest_over_all_addresses():
    one = machine(BACKUP, **DUAL)
    done = one.happen(H.SILENCE, NOW)
    assert kinds(done) == ["Take", "advert", "advert6", "arp", "advertisement"]
    seal = wire.Seal("secret", 1, DUAL["addresses"])
    assert all(seal.fits(one) for one in sent(done))
    assert len({one.counter for one in sent(done)}) == 2


def test_each_family_has_a_master_down_time_of_its_own():
    one = machine(BACKUP, **DUAL)
    for tenths in range(0, 31, 10):
        one.hear(advert(skew=0, source="10.0.0.9"), NOW + tenths / 10)
    assert one.deadline() == NOW + 3  # nothing was heard over IPv6
    one.hear(advert6(), NOW + 2.9)
    assert one.deadline() == pytest.approx(NOW + 5.9)
    one.hear(advert(source="10.0.0.9"), NOW + 5.8)
    done = one.pass_time(NOW + 5.9)
    assert one.state is MASTER
    assert one.reason == "no IPv6 advert for 3.00 s"
    assert kinds(done)[0] == "Take"


def test_who_becomes_backup_awaits_both_families():
    one = machine(MASTER, skew=100, **DUAL)
    one.hear(advert6(), NOW + 1)
    assert one.state is BACKUP
    one.pass_time(NOW + 1 + LINGER)
    one.hear(advert(source="10.0.0.9"), NOW + 2)
    assert one.deadline() == pytest.approx(NOW + 1 + 3 + 100 / 256)


# ------------------------------------------------------------------------------- no virtual MAC, and unicast peers


def test_without_virtual_mac_everything_comes_from_the_port():
    one = machine(BACKUP, virtual_mac=False, **DUAL)
    one.speech.attach(PORT)
    done = [a.frame for a in one.happen(H.SILENCE, NOW) if isinstance(a, Send)]
    assert {frame[6:12] for frame in done} == {PORT}
    assert not [frame for frame in done if bytes.fromhex("00005e0001") in frame]


def test_with_a_peer_adverts_go_to_it_and_a_frame_keeps_the_virtual_mac_open():
    one = machine(BACKUP, peer="192.0.2.7")
    _, _, advert, again, arp = one.happen(H.SILENCE, NOW)
    assert (advert.device, advert.source, advert.to) == ("wan", "10.0.0.1", "192.0.2.7")
    assert wire.decode(advert.message).advskew == 0
    assert again == arp
    assert again.frame[6:12] == wire.virtual_mac(1)
    assert [type(a) for a in one.pass_time(NOW + 1)][:2] == [SendTo, Send]


def test_without_virtual_mac_a_peer_gets_the_advert_alone():
    one = machine(MASTER, peer="192.0.2.7", virtual_mac=False)
    assert [type(a) for a in one.happen(H.ADVERT_DUE, NOW)] == [SendTo]


def test_only_the_family_with_a_peer_is_unicast():
    one = machine(MASTER, peer6="2001:db8::7", source6="2001:db8::2", **DUAL)
    done = one.happen(H.ADVERT_DUE, NOW)
    assert kinds(done) == ["advert", "SendTo", "arp"]
    assert (done[1].source, done[1].to) == ("2001:db8::2", "2001:db8::7")


# ------------------------------------------------------------------------- a change on one node before the other

MORE = ("10.0.0.100", "10.0.0.101")


def changed(state=MASTER) -> Machine:
    one = machine(state)
    one.reconfigure(vhid(addresses=MORE), NOW)
    return one


def digests(one: Machine, now=NOW) -> set[str]:
    """For which address sets it speaks."""
    old, new = wire.Seal("secret", 1, ("10.0.0.100",)), wire.Seal("secret", 1, MORE)
    adverts = sent(one.happen(H.ADVERT_DUE, now))
    return {name for name, seal in (("old", old), ("new", new)) if any(seal.fits(a) for a in adverts)}


def sealed(addresses) -> wire.Advert:
    return wire.Advert(1, 1, 0, 5, wire.Seal("secret", 1, addresses).digest(5))


def test_after_a_change_both_address_sets_are_spoken_for_and_taken():
    one = changed()
    assert digests(one) == {"old", "new"}
    assert one.speech.accepts(sealed(("10.0.0.100",)), NOW)
    assert one.speech.accepts(sealed(MORE), NOW)
    assert not one.speech.accepts(sealed(("10.0.0.100", "10.0.0.99")), NOW)


def test_once_the_peer_has_the_change_too_the_old_set_is_forgotten():
    one = changed()
    one.speech.peer_mark = wire.Seal("secret", 1, MORE).mark
    assert digests(one) == {"new"}
    assert not one.speech.accepts(sealed(("10.0.0.100",)), NOW)


def test_as_long_as_the_peer_says_that_it_has_the_old_set_it_counts():
    one = changed()
    one.speech.peer_mark = wire.Seal("secret", 1, ("10.0.0.100",)).mark
    assert digests(one, NOW + 3600) == {"old", "new"}
    assert one.speech.is_ahead(NOW + 3600)
    assert not one.speech.is_ahead(NOW + 1)


def test_who_cannot_tell_has_a_minute():
    one = changed()
    assert digests(one, NOW + 59) == {"old", "new"}
    assert digests(one, NOW + 61) == {"new"}
    assert not one.speech.accepts(sealed(("10.0.0.100",)), NOW + 61)


def test_another_skew_is_no_change_of_the_digest():
    one = machine(MASTER)
    one.reconfigure(vhid(skew=9), NOW)
    assert digests(one) == {"old"}
    assert len(sent(one.happen(H.ADVERT_DUE, NOW))) == 1
