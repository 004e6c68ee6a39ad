from dataclasses import replace

from hypothesis import example, given
from hypothesis import strategies as st

from gemel.flows.attributes import Malformed
from gemel.flows.ctnetlink import NO_SYNC, parts, stays_here
from gemel.flows.digest import Sums
from gemel.flows.local import Local
from tests.unit.flows.kernel import UDP, Tuple, flow, ip, listing
from tests.unit.flows.test_ctnetlink import V6, echo

LOCAL = Local(["192.168.1.9/32", "2001:db8::2/128"])
OWN = Tuple(ip("192.168.1.9"), ip("203.0.113.5"), 1024, 443)
LISTED = st.one_of(
    st.integers(0, 300).map(lambda n: listing(flow(n))),
    st.integers(0, 300).map(lambda n: listing(flow(n, UDP))),
    st.integers(0, 300).map(lambda n: listing(replace(flow(n), mark=NO_SYNC << 24))),
    st.integers(0, 300).map(lambda n: listing(replace(flow(n), mark=n))),
    st.just(listing(replace(flow(1), orig=OWN, reply=OWN.inverse()))),
    st.sampled_from(V6).map(lambda a: listing(replace(flow(1), orig=Tuple(a, V6[0], 1, 2),
                                                      reply=Tuple(V6[0], a, 2, 1)))),
    st.just(echo(7, 8)), st.binary(max_size=200), st.integers(20, 230).map(lambda n: listing(flow(1))[:n]))


@given(st.lists(LISTED, max_size=20))
@example([listing(flow(1))[:n] for n in range(20, 200)])
def test_a_piece_of_a_listing_adds_up_like_its_states_one_by_one(listed):
    whole, single = Sums(8), Sums(8)
    whole.take(listed, LOCAL)
    for m in listed:
        try:
            key, source, destination, reply = parts(m)
        except Malformed:
            continue
        if not (LOCAL[source] or LOCAL[destination] or stays_here(m)):
            single.add(key, reply)
    assert (whole.sums, whole.states) == (single.sums, single.states)
