"""Whatever happened before: once adverts get through again there is one master, and soon.

Random schedules of loss, delay, death, stall and demotion in simulated time. From one advert interval and one delay
after the last of it, two masters on a segment are only ever the two ends of a hand-over in progress: the new one has
spoken, and the old one hears it within one delay.
"""

import dataclasses

from hypothesis import example, given, settings
from hypothesis import strategies as st

from gemel.carp.events import Demoted, HealthTold, LinkChanged, Promoted, SettingsChanged, State, Waived

from .world import World, pair, vhid

DEVICES = ("wan", "lan")
LONGEST_INTERVAL = 1 + 240 / 256
HOSTS = 3

MISFORTUNES = st.one_of(
    st.tuples(st.just("die"), st.integers(0, HOSTS - 1)),
    st.tuples(st.just("boot"), st.integers(0, HOSTS - 1)),
    st.tuples(st.just("freeze"), st.integers(0, HOSTS - 1)),
    st.tuples(st.just("thaw"), st.integers(0, HOSTS - 1)),
    st.tuples(st.just("demote"), st.integers(0, HOSTS - 1)),
    st.tuples(st.just("promote"), st.integers(0, HOSTS - 1)),
    st.tuples(st.just("unplug"), st.integers(0, HOSTS - 1), st.sampled_from(DEVICES)),
    st.tuples(st.just("plug"), st.integers(0, HOSTS - 1), st.sampled_from(DEVICES)),
    st.tuples(st.just("deafen"), st.integers(0, HOSTS - 1), st.sampled_from(DEVICES)),
    st.tuples(st.just("lose"), st.integers(0, 9)),
    st.tuples(st.sampled_from(["disable", "enable", "sicken", "heal", "waive"]), st.integers(0, HOSTS - 1)),
)


ADDRESSES = st.sampled_from([("10.0.0.100",), ("2001:db8::100",), ("10.0.0.100", "2001:db8::100", "fe80::1")])


def make(skews, count, preempt, delay, addresses=("10.0.0.100",), hold_down=0.0) -> World:
    world = World(delay)
    for n in range(count):
        ours = (vhid(1, device, skews[n], source=f"10.0.0.{n + 1}", addresses=addresses) for device in DEVICES)
        world.add(f"fw{n + 1}", *ours, preempt=preempt, hold_down=hold_down)
    return world


TOLD = {
    "demote": Demoted("maintenance", 240),
    "promote": Promoted("maintenance"),
    "sicken": HealthTold({"gateway": 200}),
    "heal": HealthTold({}),
    "waive": Waived(),
}


def strike(world: World, misfortune, deaf: set) -> None:
    kind, who, *device = misfortune
    if kind == "lose":
        world.loses = lambda sender, receiver, on: (receiver.name, on) in deaf or hash((world.now, on)) % 10 < who
        return
    host = world.hosts[who % len(world.hosts)]
    match kind:
        case "die":
            host.die()
        case "boot" if not host.alive:
            host.boot()
        case "freeze":
            host.frozen = host.alive
        case "thaw" if host.frozen:
            host.thaw()
        case "disable" | "enable":
            host.settings = dataclasses.replace(host.settings, enabled=kind == "enable")
            host.tell(SettingsChanged(host.settings))
        case _ if kind in TOLD:
            host.tell(TOLD[kind])
        case "unplug" | "plug":
            host.links[device[0]] = kind == "plug"
            host.tell(LinkChanged(device[0], kind == "plug"))
        case "deafen":
            deaf.add((host.name, device[0]))
            world.loses = lambda sender, receiver, on: (receiver.name, on) in deaf


def calm(world: World) -> None:
    world.loses = lambda sender, receiver, device: False
    for host in world.hosts:
        if host.frozen:
            host.thaw()


@example(  # demoted to one skew, and so near each other that both rise before they hear of it
    skews=[0, 1, 2], count=3, preempt=False, delay=0.005, addresses=("10.0.0.100",), hold_down=0.0,
    schedule=[(0.0, ("die", 0)), (0.0, ("demote", 1)), (0.0, ("demote", 2))],
)
@example(  # equals that yield to each other by the advert of one family, and hear that of the other as backups
    skews=[0, 2, 1], count=3, preempt=False, delay=0.005, addresses=("10.0.0.100", "2001:db8::100", "fe80::1"),
    hold_down=0.0, schedule=[(0.0, ("demote", 0)), (0.0, ("demote", 2))],
)
@settings(max_examples=150, deadline=None)
@given(
    skews=st.lists(st.integers(0, 200), min_size=3, max_size=3, unique=True),
    count=st.integers(2, HOSTS),
    preempt=st.booleans(),
    delay=st.sampled_from([0.0002, 0.005, 0.05]),
    addresses=ADDRESSES,
    hold_down=st.sampled_from([0.0, 3.0]),
    schedule=st.lists(st.tuples(st.floats(0, 4), MISFORTUNES), max_size=12),
)
def test_one_master_soon_after_adverts_get_through(skews, count, preempt, delay, addresses, hold_down, schedule):
    world = make(skews, count, preempt, delay, addresses, hold_down)
    deaf: set = set()
    for pause, misfortune in schedule:
        world.run(pause)
        strike(world, misfortune, deaf)
    calm(world)
    world.run(LONGEST_INTERVAL + delay)

    doubled: dict[str, float] = {}

    def watch() -> None:
        for device in DEVICES:
            if len(world.masters(device)) > 1:
                since = doubled.setdefault(device, world.now)
                assert world.now - since <= delay + 1e-6, f"{device}: two masters for longer than one delay"
            else:
                doubled.pop(device, None)

    world.watch = watch
    world.run(15)
    for device in DEVICES:
        able = [host for host in world.hosts if host.alive and host.links[device] and host.settings.enabled]
        assert len(world.masters(device)) == min(1, len(able))
        for host in world.hosts:
            owned = {address for on, address in host.owned if on == device and host.alive}
            assert owned == (set(addresses) if host.is_master(device) else set()), f"{host.name} owns {owned}"


@settings(max_examples=60, deadline=None)
@given(
    skews=st.lists(st.integers(0, 200), min_size=2, max_size=2, unique=True),
    schedule=st.lists(st.tuples(st.floats(0, 4), MISFORTUNES), max_size=10),
)
def test_with_preempt_and_all_well_the_better_node_has_everything(skews, schedule):
    world = make([*skews, 0], 2, True, 0.001)
    deaf: set = set()
    for pause, misfortune in schedule:
        world.run(pause)
        strike(world, misfortune, deaf)
    calm(world)
    for host in world.hosts:
        host.settings = dataclasses.replace(host.settings, enabled=True)
        if not host.alive:
            host.boot()
        host.tell(SettingsChanged(host.settings))
        host.tell(Promoted("maintenance"))
        host.tell(HealthTold({}))
        for device in DEVICES:
            host.links[device] = True
            host.tell(LinkChanged(device, True))
    world.run(20)
    best = min(world.hosts, key=lambda host: host.node.machines["wan", 1].config.advskew)
    assert world.masters("wan") == world.masters("lan") == [best]
    assert not best.node.reasons()


@example(  # equal, and each told by the heartbeat that the other has yielded: both rose at once, for ever
    preempt=True, hold_down=0.0, cuts=True,
    schedule=[(0.5357314342628517, ("unplug", 0, "wan")), (0.0, ("freeze", 1)), (2.359430272517286, ("demote", 1)),
              (3.569822658240963, ("demote", 2)), (2.8877490813886193, ("unplug", 1, "wan")),
              (0.36853269716510445, ("promote", 2)), (3.569822658240963, ("demote", 2)), (0.215805843237, ("boot", 2)),
              (1.1605848254172, ("freeze", 0)), (1.0, ("demote", 2))],
)
@settings(max_examples=60, deadline=None)
@given(
    preempt=st.booleans(),
    hold_down=st.sampled_from([0.0, 3.0]),
    cuts=st.booleans(),
    schedule=st.lists(st.tuples(st.floats(0, 4), MISFORTUNES), max_size=10),
)
def test_with_fast_detection_too_there_is_one_master_once_all_is_well(preempt, hold_down, cuts, schedule):
    """The heartbeat runs all the time, or (`cuts`) is lost with every port that is deafened."""
    gateway = "10.0.0.254"
    partner = {"gateways": dict.fromkeys(DEVICES, (gateway,))}
    world, *hosts = pair((1, 101), DEVICES, partner=partner, preempt=preempt, hold_down=hold_down)
    world.gateways = dict.fromkeys(DEVICES, gateway)
    world.run(6)
    deaf: set = set()
    for pause, misfortune in schedule:
        strike(world, misfortune, deaf)
        world.silent = deaf | ({(name, "sync") for name, _ in deaf} if cuts else set())
        world.run(pause)
    calm(world)
    world.silent = set()
    world.run(12)
    for device in DEVICES:
        able = [host for host in hosts if host.alive and host.links[device] and host.settings.enabled]
        assert len(world.masters(device)) == min(1, len(able))
        for host in able:
            owned = {address for on, address in host.owned if on == device}
            assert owned == ({"10.0.0.100"} if host.state(device) is State.MASTER else set())
    if len(able) == 2 and all(all(host.links.values()) for host in hosts):
        assert not any("split brain" in text for host in hosts for text in host.node.problems(world.now))
