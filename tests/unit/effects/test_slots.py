import socket

from gemel.effects.slots import Slots


def test_what_waits_is_read_at_once_in_its_order_and_a_long_one_is_cut_off() -> None:
    there, here = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with there, here:
        slots = Slots(3, 8)
        assert slots.read(here.fileno()) == []
        for said in (b"first", b"", b"longer than that", b"last"):
            there.send(said)
        assert slots.read(here.fileno()) == [b"first", b"", b"longer t"]
        assert slots.read(here.fileno()) == [b"last"]
        there.send(b"again, whole")
        there.send(b"ab")
        assert slots.read(here.fileno(), skip=5) == [b", w", b""]


def test_what_cannot_be_read_has_nothing() -> None:
    assert Slots(3, 8).read(-1) == []
