"""All VHIDs of one machine: demotion by name, the order of a planned hand-over, restart, faults."""

import dataclasses
import itertools

import pytest

from gemel.carp import wire
from gemel.carp.events import (
    AWAITING_READY,
    AWAITING_STATES,
    AwaitStates,
    Demoted,
    Flush,
    Forced,
    HandOverReady,
    HealthTold,
    Heard,
    LinkChanged,
    PortMoved,
    Promoted,
    Quit,
    Release,
    Renew,
    Report,
    Send,
    SendFailed,
    Sent,
    SettingsChanged,
    Started,
    State,
    Stopped,
    Take,
    TellRole,
    TimePassed,
    Waived,
)
from gemel.carp.machine import NEVER
from gemel.carp.node import Node
from gemel.carp.settings import Settings
from gemel.carp.table import Happening

from .test_machine import sent
from .world import vhid

NOW = 1000.0
TWO = (vhid(1, "wan", 10), vhid(1, "lan", 10))


def node(*vhids, links=True, **settings) -> Node:
    made = Node(Settings(vhids or TWO, **settings), NOW, 77)
    made.handle(Started(), NOW)
    if links:
        for one in vhids or TWO:
            made.handle(LinkChanged(one.device, True), NOW)
    return made


def master(*vhids, **settings) -> tuple[Node, float]:
    """A node that has waited its master-down time, and what time it is then."""
    made = node(*vhids, **settings)
    while not all(m.state is State.MASTER for m in made.machines.values()):
        made.handle(TimePassed(), now := made.deadline())
    return made, now


def heard(one=TWO[0], base=1, skew=0, source="10.0.0.9", counter=5, password=None, addresses=None) -> Heard:
    digest = wire.Seal(password or one.password, one.vhid, addresses or one.addresses).digest(counter)
    head = wire.advert_head(source, wire.virtual_mac(one.vhid))[14:]
    return Heard(one.device, (head + wire.encode(one.vhid, base, skew, counter, digest),))


def of(kind, actions):
    return [action for action in actions if isinstance(action, kind)]


def skews(actions):
    return [advert.advskew for advert in sent(actions)]


# ---------------------------------------------------------------------------------------------------------- starting


def test_a_fresh_node_gives_up_what_an_earlier_life_left_and_is_silent():
    fresh = Node(Settings(TWO), NOW, 77)
    actions = fresh.handle(Started(), NOW)
    assert of(Release, actions) == [Release("wan", ("10.0.0.100",)), Release("lan", ("10.0.0.100",))]
    assert of(TellRole, actions) == [TellRole(False)]
    assert not of(Send, actions)
    assert fresh.handle(LinkChanged("wan", True), NOW)[-1].after is State.BACKUP
    assert fresh.deadline() == NOW + 3 + 10 / 256


def test_a_node_without_vhids_has_nothing_to_wait_for():
    empty = Node(Settings(), NOW, 1)
    assert empty.handle(Started(), NOW) == []
    assert empty.deadline() == NEVER


def test_unknown_links_are_no_reason_to_stand_back_but_dead_ones_are_once_each():
    unknown = node(links=False)
    assert unknown.reasons() == {}
    for _ in range(3):
        unknown.handle(LinkChanged("wan", False), NOW)
    assert unknown.reasons() == {"wan has no link": 240}
    unknown.handle(LinkChanged("wan", True), NOW)
    assert unknown.reasons() == {}


def test_many_vhids_on_a_dead_port_are_one_reason():
    three = node(*(vhid(n, "wan") for n in (1, 2, 3)), vhid(9, "lan"))
    three.handle(LinkChanged("wan", False), NOW)
    assert three.reasons() == {"wan has no link": 240}
    assert {m.demotion for m in three.machines.values()} == {240}


def test_at_boot_states_are_awaited_when_the_first_settings_come():
    booting = Node(Settings(), NOW, 77)
    booting.handle(Started(), NOW)
    assert AwaitStates() in booting.handle(SettingsChanged(Settings(TWO, await_states=30.0)), NOW)
    assert booting.reasons() == {AWAITING_STATES: 240}


def test_a_node_that_has_vhids_already_does_not_stand_back_for_states():
    running = Node(Settings(TWO), NOW, 77)
    running.handle(Started(), NOW)
    assert AwaitStates() not in running.handle(SettingsChanged(Settings(TWO, await_states=30.0)), NOW)
    assert running.reasons() == {}


def test_states_are_awaited_but_not_for_ever():
    waiting = Node(Settings(TWO, await_states=30.0), NOW, 77)
    assert of(AwaitStates, waiting.handle(Started(), NOW))
    assert waiting.reasons() == {AWAITING_STATES: 240}
    waiting.handle(Promoted(AWAITING_STATES), NOW + 1)
    assert waiting.reasons() == {}
    patient = Node(Settings(TWO, await_states=30.0), NOW, 77)
    patient.handle(Started(), NOW)
    assert patient.deadline() == NOW + 30
    patient.handle(TimePassed(), NOW + 30)
    assert patient.reasons() == {}
    assert patient.ledger.counters[f"gave up waiting: {AWAITING_STATES}"] == 1
    assert "states did not come" in patient.ledger.problems(NOW + 31)[0]


# ---------------------------------------------------------------------------------------------------------- demotion


def test_reasons_add_up_by_name_and_nothing_leaks():
    one = node(demotion={"maintenance": 240})
    one.handle(Demoted("gateway down", 10), NOW)
    one.handle(Demoted("gateway down", 20), NOW)
    assert one.reasons() == {"maintenance": 240, "gateway down": 20}
    one.handle(Promoted("gateway down"), NOW)
    one.handle(Promoted("never given"), NOW)
    assert one.reasons() == {"maintenance": 240}
    one.handle(SettingsChanged(Settings(TWO)), NOW)
    assert one.reasons() == {}
    assert {m.demotion for m in one.machines.values()} == {0}


def test_the_same_name_in_settings_and_by_door_counts_once():
    one = node(demotion={"maintenance": 240})
    one.handle(Demoted("maintenance", 240), NOW)
    assert {m.demotion for m in one.machines.values()} == {240}


def test_a_planned_step_back_flushes_first_and_then_tells_all_at_once():
    one, now = master()
    actions = one.handle(Demoted("maintenance", 240), now)
    assert actions == [Flush(0.2)]
    assert one.handle(Demoted("maintenance", 240), now) == []
    assert skews(one.handle(HandOverReady(), now + 0.01)) == [240, 240]


def test_a_flush_without_an_answer_holds_up_nothing():
    one, now = master()
    one.handle(Demoted("maintenance", 240), now)
    assert one.deadline() <= now + 0.2
    assert skews(one.handle(TimePassed(), now + 0.2)) == [240, 240]
    assert one.handle(HandOverReady(), now + 0.3) == []


def test_a_reason_that_goes_during_the_flush_leaves_no_trace():
    one, now = master()
    one.handle(Demoted("maintenance", 240), now)
    one.handle(Promoted("maintenance"), now + 0.01)
    assert not skews(one.handle(HandOverReady(), now + 0.02))
    assert one.machines["wan", 1].effective_skew == 10


def test_a_dead_port_moves_the_others_without_waiting():
    one, now = master()
    actions = one.handle(LinkChanged("wan", False), now)
    assert of(Release, actions) == [Release("wan", ("10.0.0.100",))]
    assert skews(actions) == [240]
    assert not of(Flush, actions)


def test_a_backup_is_demoted_without_ceremony():
    assert node().handle(Demoted("maintenance", 240), NOW) == []


def test_three_send_errors_demote_and_three_successes_in_a_row_undo_it():
    one = node()
    for event in (SendFailed("wan"), SendFailed("wan"), Sent("wan"), Sent("wan"), SendFailed("wan")):
        one.handle(event, NOW)
    assert one.reasons() == {"wan cannot send": 240}
    for event in (Sent("wan"), Sent("wan"), SendFailed("wan"), Sent("wan"), Sent("wan")):
        one.handle(event, NOW)
    assert one.reasons() == {"wan cannot send": 240}
    one.handle(Sent("wan"), NOW)
    assert one.reasons() == {}


# ----------------------------------------------------------------------------------------------------- late, leaving


def test_a_late_loop_falls_back_before_it_renews_anything():
    one, now = master()
    late = one.deadline() + 1.5
    actions = one.handle(TimePassed(), late)
    assert [r.after for r in of(Report, actions)] == [State.BACKUP, State.BACKUP]
    assert "held up for 1.5 s" in of(Report, actions)[0].reason
    assert not of(Renew, actions)
    assert not of(Take, actions)
    assert len(of(Release, actions)) == 2
    assert one.reasons() == {"this node was held up": 240}
    assert one.handle(heard(skew=200), late) == actions[:0]  # demoted: it does not challenge at once
    now = late
    while one.reasons():
        one.handle(TimePassed(), now := one.deadline())
    assert now == late + 5


def test_a_loop_that_is_a_little_late_stays_what_it_is():
    one, _now = master()
    one.handle(TimePassed(), one.deadline() + 0.9)
    assert one.machines["wan", 1].state is State.MASTER


def test_lateness_is_seen_at_whatever_comes_first():
    one, _now = master()
    one.handle(heard(skew=200), one.deadline() + 3)
    assert one.machines["wan", 1].state is State.BACKUP
    assert one.ledger.counters["late loop"] == 1


def test_a_stop_flushes_bows_out_holds_on_a_moment_and_ends():
    one, now = master()
    assert one.handle(Stopped(), now) == [Flush(0.2)]
    actions = one.handle(HandOverReady(), now + 0.01)
    assert [(a.advbase, a.advskew) for a in sent(actions)] == [(255, 255), (255, 255)]
    assert of(TellRole, actions) == [TellRole(False)]
    assert not of(Release, actions)
    done = []
    while Quit() not in done:
        done += one.handle(TimePassed(), now := one.deadline())
    assert len(of(Release, done)) == 2


def test_a_backup_that_stops_says_nothing():
    actions = node().handle(Stopped(), NOW)
    assert not of(Send, actions)
    assert Quit() in actions


def test_disabled_carp_takes_part_in_nothing_until_enabled_again():
    one, now = master()
    one.handle(SettingsChanged(Settings(TWO, enabled=False)), now)
    one.handle(HandOverReady(), now)
    assert {m.state for m in one.machines.values()} == {State.INIT}
    one.handle(LinkChanged("wan", True), now)
    assert one.machines["wan", 1].state is State.INIT
    one.handle(SettingsChanged(Settings(TWO)), now)
    assert one.machines["wan", 1].state is State.BACKUP


# ----------------------------------------------------------------------------------------------------------- settings


def test_unchanged_settings_move_nothing():
    one, now = master()
    assert one.handle(SettingsChanged(one.settings), now) == []


def test_a_vhid_that_goes_bows_out_and_one_that_comes_starts_as_backup():
    one, now = master()
    three = vhid(3, "wan")
    actions = one.handle(SettingsChanged(Settings((TWO[0], three))), now)
    assert [(a.vhid, a.advbase) for a in sent(actions)] == [(1, 255)]
    assert Release("lan", ("10.0.0.100",)) in actions
    assert one.machines["wan", 3].state is State.BACKUP
    assert one.machines["wan", 1].state is State.MASTER


def test_an_address_that_moves_between_vhids_is_taken_off_before_it_is_put_on():
    one, now = master(vhid(1, addresses=("10.0.0.8",)), vhid(2, addresses=("10.0.0.9",)))
    after = (vhid(1, addresses=("10.0.0.8", "10.0.0.9")), vhid(2, addresses=("10.0.0.7",)))
    actions = [a for a in one.handle(SettingsChanged(Settings(after)), now) if isinstance(a, Take | Release)]
    assert actions[0] == Release("wan", ("10.0.0.9",))
    assert all(isinstance(a, Take) for a in actions[1:])


def test_preempt_is_a_setting_of_the_node():
    one = node(preempt=False)
    one.handle(heard(skew=200), NOW)
    assert one.machines["wan", 1].state is State.BACKUP
    one.handle(SettingsChanged(dataclasses.replace(one.settings, preempt=True)), NOW)
    one.handle(heard(skew=200), NOW)
    assert one.machines["wan", 1].state is State.MASTER


def test_a_demotion_in_new_settings_is_a_planned_step_back():
    one, now = master()
    assert one.handle(SettingsChanged(Settings(TWO, demotion={"maintenance": 240})), now) == [Flush(0.2)]


def test_an_operator_may_force_a_state():
    one, now = master()
    one.handle(Forced("wan", 1, State.BACKUP), now)
    assert one.machines["wan", 1].state is State.BACKUP
    one.handle(Forced("wan", 1, State.MASTER), now)
    assert one.machines["wan", 1].state is State.MASTER
    assert one.handle(Forced("wan", 99, State.MASTER), now) == []


# ---------------------------------------------------------------------------------------------------- faults and words


@pytest.mark.parametrize(
    ("event", "cause"),
    [
        (Heard("wan", (b"x",)), "too short"),
        (heard(vhid(7)), "unknown vhid"),
        (heard(vhid(1, "dmz")), "unknown vhid"),
        (heard(password="other"), "bad digest"),
    ],
)
def test_faults_are_counted_by_cause_and_move_nothing(event, cause):
    one, now = master()
    assert one.handle(event, now) == []
    assert one.ledger.counters[cause] == 1


def test_a_wrong_password_is_said_in_words_while_it_lasts():
    one = node()
    one.handle(heard(password="other"), NOW)
    said = ("vhid 1 on wan: adverts from 10.0.0.9 do not authenticate: another password",)
    assert one.ledger.problems(NOW) == said
    one.handle(heard(password="other"), NOW + 2)
    assert one.ledger.problems(NOW + 11) == said
    assert one.ledger.problems(NOW + 13) == ()


def test_another_address_set_is_said_in_words():
    both = vhid(addresses=("10.0.0.100", "10.0.0.105"))
    one = node(both)
    one.handle(heard(both, addresses=("10.0.0.100",)), NOW)
    assert one.ledger.problems(NOW) == (
        "vhid 1 on wan: adverts from 10.0.0.9 do not authenticate: "
        "other address set (the sender has not 10.0.0.105)",
    )


def test_a_flood_of_strangers_costs_one_diagnosis_a_second():
    one = node()
    for n in range(200):
        one.handle(heard(password="other", source=f"10.0.1.{n}"), NOW + n / 100)
    assert len(one.ledger.problems(NOW + 2)) == 2
    assert one.ledger.counters["bad digest"] == 200


def test_own_adverts_that_come_back_move_nothing():
    one, now = master(vhid(1, "wan", 10))
    (send,) = [a for a in one.handle(Demoted("x", 5), now) + one.handle(HandOverReady(), now) if isinstance(a, Send)]
    assert one.handle(Heard("wan", (send.frame[14:],)), now) == []
    assert one.ledger.counters["own advert came back"] == 1


def test_another_node_with_our_address_is_said_in_words():
    one = node()
    one.handle(heard(source="10.0.0.1", counter=1 << 50), NOW)
    assert one.ledger.problems(NOW) == ("vhid 1 on wan: another node sends from this node's own 10.0.0.1",)


# ---------------------------------------------------------------------------------------------------------- together


def test_addresses_are_renewed_well_within_their_lifetime():
    one, now = master()
    renewed = []
    while now < NOW + 10:
        now = one.deadline()
        renewed += [now] * len(of(Renew, one.handle(TimePassed(), now)))
    gaps = [b - a for a, b in itertools.pairwise(renewed)]
    assert max(gaps) < 0.75
    one.handle(heard(TWO[0]), now)
    one.handle(heard(TWO[1]), now)
    while one.deadline() < now + 2:
        one.handle(TimePassed(), one.deadline())
    assert not any(m.holds for m in one.machines.values())


def test_roles_are_told_when_the_first_rises_and_the_last_falls():
    one, now = master()
    assert of(TellRole, one.handle(heard(TWO[0]), now)) == []
    assert of(TellRole, one.handle(heard(TWO[1]), now)) == [TellRole(False)]
    assert of(TellRole, one.handle(SettingsChanged(Settings()), now)) == [TellRole(None)]


def test_role_changes_are_reported_with_their_reason():
    one, now = master(vhid(1, "wan", 10))
    told = of(Report, one.handle(heard(vhid(1, "wan", 10)), now))
    why = "10.0.0.9 advertises base 1 skew 0, this node base 1 skew 10"
    assert told == [Report("wan", 1, State.MASTER, State.BACKUP, why)]


def test_a_reset_reason_is_shown_and_does_not_count_until_it_has_gone_and_come_again():
    one = node(*TWO)
    one.handle(Demoted("gateway down", 20), NOW)
    one.handle(LinkChanged("lan", False), NOW)
    assert one.reasons() == {"gateway down": 20, "lan has no link": 240}
    one.handle(Waived(), NOW)
    assert one.reasons() == {}
    assert one.demotion.waived() == {"gateway down": 20, "lan has no link": 240}
    assert one.machines["wan", 1].effective_skew == one.machines["wan", 1].config.advskew
    one.handle(LinkChanged("lan", True), NOW + 1)
    assert one.demotion.waived() == {"gateway down": 20}
    one.handle(LinkChanged("lan", False), NOW + 2)
    assert one.reasons() == {"lan has no link": 240}


def test_one_reason_can_be_reset_alone_and_maintenance_cannot():
    one = Node(Settings(TWO, demotion={"maintenance": 240}), NOW, 77)
    one.handle(Started(), NOW)
    one.handle(Demoted("a", 20), NOW)
    one.handle(Demoted("b", 30), NOW)
    one.handle(Waived("a"), NOW)
    assert one.reasons() == {"maintenance": 240, "b": 30}
    one.handle(Waived(), NOW)
    assert one.reasons() == {"maintenance": 240}


def test_health_is_told_whole_and_nothing_of_it_stays():
    one = node(*TWO)
    one.handle(HealthTold({"disk full": 100, "WANGW": 240}), NOW)
    assert one.reasons() == {"disk full": 100, "WANGW": 240}
    one.handle(HealthTold({"disk full": 50}), NOW)
    assert one.reasons() == {"disk full": 50}
    assert one.handle(HealthTold({"disk full": 50}), NOW) == []
    one.handle(HealthTold({}), NOW)
    assert one.reasons() == {}


def test_a_masters_bad_health_is_a_planned_step_back():
    one, now = master()
    assert one.handle(HealthTold({"WANGW": 240}), now) == [Flush(0.2)]
    assert skews(one.handle(HandOverReady(), now)) == [240, 240]


def test_configuration_and_services_are_awaited_but_not_for_ever():
    one = Node(Settings(TWO, await_ready=30.0), NOW, 77)
    one.handle(Started(), NOW)
    one.handle(HealthTold({}, ready=False), NOW + 1)
    assert one.reasons() == {AWAITING_READY: 240}
    one.handle(HealthTold({}, ready=True), NOW + 2)
    assert one.reasons() == {}
    patient = Node(Settings(TWO, await_ready=30.0), NOW, 77)
    patient.handle(Started(), NOW)
    patient.handle(TimePassed(), NOW + 30)
    assert patient.reasons() == {}
    assert any("agent did not say in time" in text for text in patient.problems(NOW + 31))


def test_adverts_that_are_due_within_ten_milliseconds_leave_together():
    one, now = master(*(vhid(n, "wan", 10) for n in range(1, 6)))
    for n, machine in enumerate(one.machines.values()):
        machine.happen(Happening.PEER_YIELDED, now + n * 0.002)  # each begins its interval a little later
    one.handle(Promoted("nothing"), now + 0.01)
    adverts: list = []
    while not adverts:
        due = one.deadline()
        adverts = sent(one.handle(TimePassed(), due))
    assert [advert.vhid for advert in adverts] == [1, 2, 3, 4, 5]
    assert due == pytest.approx(now + 1 + 10 / 256)


def test_fast_adverts_are_not_sent_early_by_much():
    one, now = master(vhid(1, "wan", 1, base=0), vhid(2, "wan", 1, base=0))
    one.machines["wan", 2].happen(Happening.PEER_YIELDED, now + 0.002)
    one.handle(Promoted("nothing"), now + 0.002)
    assert [a.vhid for a in sent(one.handle(TimePassed(), one.deadline()))] == [1]


def test_a_master_whose_port_has_moved_says_so_there_at_once_and_six_times_more():
    one, now = master()

    def announced(until):
        """ARP on either device up to then."""
        found = []
        while (due := one.deadline()) <= until:
            found += [a.device for a in of(Send, one.handle(TimePassed(), due)) if a.frame[12:14] == b"\x08\x06"]
        return found

    announced(now + 20)
    assert not announced(now + 40)
    actions = one.handle(PortMoved("wan"), now + 40)
    assert [a.device for a in of(Send, actions)] == ["wan", "wan"], "an advert and one ARP"
    assert len(sent(actions)) == 1 and not of(Report, actions)
    assert announced(now + 40.5) == ["wan"] * 2, "soon, as the new port may pass nothing for a moment"
    assert announced(now + 60) == ["wan"] * 4


def test_a_backup_whose_port_has_moved_says_nothing():
    assert node().handle(PortMoved("wan"), NOW + 1) == []
