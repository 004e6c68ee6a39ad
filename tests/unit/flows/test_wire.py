import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemel.flows.wire import (
    LONGEST,
    Ack,
    Batch,
    BulkEnd,
    BulkPart,
    BulkStart,
    Creators,
    Decoder,
    Digest,
    DigestAsk,
    Hello,
    Malformed,
    Ping,
    Refusal,
    Welcome,
    encode,
)

U32 = st.integers(0, 2**32 - 1)
U64 = st.integers(0, 2**64 - 1)
U8 = st.integers(0, 255)
NONCE = st.binary(min_size=16, max_size=16)
FRAMES = st.one_of(
    st.builds(Hello, U8, U8, st.booleans(), U32, U64, NONCE), st.builds(Welcome, U8, U32, U64, NONCE),
    st.builds(Refusal, st.text(max_size=100)), st.builds(Batch, U32, U32, st.binary()), st.builds(Ack, U32),
    st.builds(Ping, U32), st.builds(BulkStart, U32, U32, U8), st.builds(BulkEnd, U32, U32, U8),
    st.builds(Creators, U32, st.lists(st.binary(max_size=255)).map(tuple)),
    st.builds(DigestAsk, U32, st.integers(0, 16)),
    st.builds(BulkPart, U32, st.integers(0, 16), st.lists(U32).map(tuple)),
    st.integers(0, 6).flatmap(lambda bits: st.builds(Digest, U32, st.just(bits), U32, st.sampled_from([0, 8 << bits])
                                                     .flatmap(lambda n: st.binary(min_size=n, max_size=n)))))


@given(st.lists(FRAMES), st.lists(st.integers(1, 40), min_size=1))
def test_frames_survive_any_cutting_of_the_stream(frames, cuts):
    data, decoder, found, i = b"".join(map(encode, frames)), Decoder(), [], 0
    while data:
        size = cuts[i % len(cuts)]
        found += decoder.feed(data[:size])
        data, i = data[size:], i + 1
    assert found == frames


@given(st.lists(st.binary(max_size=60), max_size=5))
def test_garbage_is_malformed_or_silence(pieces):
    decoder = Decoder()
    for piece in pieces:
        try:
            decoder.feed(piece)
        except Malformed:
            return


@given(U8, st.binary(max_size=80))
def test_any_payload_is_a_frame_or_malformed(kind, payload):
    with contextlib.suppress(Malformed):
        Decoder().feed(struct.pack("!IB", len(payload), kind) + payload)


def test_frame_too_long_is_refused_before_it_is_read():
    with pytest.raises(Malformed):
        Decoder().feed(struct.pack("!IB", LONGEST + 1, Batch.KIND))


def test_other_protocols_are_told_apart():
    hello = bytearray(encode(Hello(1, 1, True, 1, 1, bytes(16))))
    hello[5:9] = b"HTTP"
    with pytest.raises(Malformed, match="does not speak"):
        Decoder().feed(bytes(hello))


def test_later_versions_may_append_fields():
    longer = encode(Welcome(2, 7, 9, bytes(16)))
    longer = struct.pack("!IB", len(longer) - 5 + 3, Welcome.KIND) + longer[5:] + b"new"
    assert Decoder().feed(longer) == [Welcome(2, 7, 9, bytes(16))]


@pytest.mark.parametrize("payload", [
    struct.pack("!IB", 1, 17), struct.pack("!IBI", 1, 8, 5) + bytes(2047), struct.pack("!IBI", 1, 40, 5)])
def test_sums_that_do_not_fit_their_number_are_malformed(payload):
    kind = DigestAsk.KIND if len(payload) == 5 else Digest.KIND
    with pytest.raises(Malformed):
        Decoder().feed(struct.pack("!IB", len(payload), kind) + payload)
