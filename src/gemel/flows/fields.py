"""Numbers of the attributes of a state, and what of it means the same on the other node."""

from gemel.flows.ctnetlink import ASSURED

STATUS, PROTOINFO, HELP, NAT_SRC, TIMEOUT, MARK = 3, 4, 5, 6, 7, 8
NAT_DST, MASTER, SEQ_ORIG, SEQ_REPLY, LABELS, SYNPROXY = 13, 14, 15, 16, 22, 24
IP, PROTO, TUPLE_ZONE = 1, 2, 3
PROTO_NUM, SOURCE_PORT, DESTINATION_PORT, ICMP_ID, ICMPV6_ID = 1, 2, 3, 4, 7
TCP, UDP, DCCP, GRE, SCTP, UDPLITE = 6, 17, 33, 47, 132, 136

KEPT = (MARK, SEQ_ORIG, SEQ_REPLY, LABELS)
SEEN_REPLY, CONFIRMED, FIXED_TIMEOUT = 0x2, 0x8, 0x400
STATUS_KEPT = SEEN_REPLY | ASSURED | FIXED_TIMEOUT
LIBERAL = 0x8
FLAGS_MASK = 0x1 | 0x2 | LIBERAL  # window scale, selective acknowledgement, liberal
FLAGS = [bytes(((flags | LIBERAL) & FLAGS_MASK, FLAGS_MASK, 0, 0)) for flags in range(256)]
"""TCP's flags as the kernel tells them -> flags and mask to inject, padded: liberal, always."""

LEASE = 180  # seconds
GRE_LEASE = 600  # seconds: the kernel refreshes an injected GRE state to *no* time at its next packet, so this is fixed
LONGEST = 30 * 86400  # seconds; more is no timeout but a mistake
