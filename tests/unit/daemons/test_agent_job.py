"""What a ping or capture says: counted, bounded, and told from where one has read."""

import struct
import threading

from hypothesis import given
from hypothesis import strategies as st

from gemel.daemons.agent.job import LINES_KEPT, LONGEST_LINE, Job, Packets, told


def job() -> Job:
    return Job("x", "capture", "every packet on lan", "token", began=100.0, until=160.0)


@given(st.lists(st.integers(0, 300), max_size=20), st.integers(1, 64))
def test_packets_are_counted_however_the_stream_is_cut(sizes: list[int], cut: int) -> None:
    head = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
    stream = head + b"".join(struct.pack("<IIII", 1, 2, n, n + 5) + bytes(n) for n in sizes)
    packets = Packets()
    for at in range(0, len(stream), cut):
        packets.feed(stream[at : at + cut])
    assert packets.count == len(sizes)


def test_lines_are_bounded_and_told_from_where_one_has_read() -> None:
    one = job()
    for number in range(LINES_KEPT + 7):
        one.say(f"{number} " + "x" * 1000)
    run = told(one, LINES_KEPT - 2)
    assert [line.split()[0] for line in run.lines] == [str(LINES_KEPT - 2), str(LINES_KEPT - 1)]
    assert (run.next, run.dropped, len(run.lines[0])) == (LINES_KEPT, 7, LONGEST_LINE)


def test_who_ends_it_is_said_and_not_how_the_child_took_it() -> None:
    one = job()
    one.stop("stopped")
    one.close("all packets are there", 107.5)
    run = told(one, 0)
    assert (run.running, run.ended, run.seconds) == (False, "stopped", 7.5)


def test_a_reader_waits_for_bytes_and_ends_with_the_file() -> None:
    one, seen = job(), list[bool]()
    reader = threading.Thread(target=lambda: seen.extend((one.grown(0), one.grown(10))))
    reader.start()
    with one.changed:
        one.octets = 10
        one.changed.notify_all()
    one.complete(120.0)
    reader.join(5)
    assert seen == [True, False] and one.took == 20.0
