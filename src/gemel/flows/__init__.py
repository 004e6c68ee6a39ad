"""State synchronisation as a sans-I/O core: kernel messages in, requests and frames out, `now` as an argument.

Law: no socket, no clock, no file; standard library only. The kernel's conntrack messages travel as they are and are
parsed only as far as a decision needs.

Glossary
    state       one conntrack entry; its *key* is the original tuple (and the zone) as the kernel encodes it
    event       a ctnetlink message by which the kernel says that a state is new, changed or has ended
    listing     a dump of the kernel's whole table
    batch       events in one frame, with one sequence number and one acknowledgement
    bulk        the whole table, sent to a peer that joins; states it does not name are gone
    digest      sums of a table, by which the master finds what differs on the peer; a *part* is told again
    expectation what a helper (FTP, SIP) waits for: a connection that belongs to another one
    creator     Filter Host ID of the node on which a state began
    ledger      what the peer told us: key -> creator. A state that is not in it began here
    lease       the least lifetime that a copy gets; live states are announced again well before it ends
    outbox      what waits for the peer, one message for each state
    round       a listing and what it is for: bulk, part, digest, announcement
    role        True: MASTER of at least one VHID, False: of none, None: there is no VHID
"""
