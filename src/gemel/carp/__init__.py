"""CARP as a protocol core without any I/O: events in, actions out, one deadline.

Law: standard library only; no socket, no clock, no file, no thread. `now` is an argument (float seconds, monotonic);
what must be done comes back as values; the daemon does it.

    node = Node(settings, now, nonce)
    for action in node.handle(Heard(...), now): ...
    ... wait until node.deadline(), then node.handle(TimePassed(), later)

Glossary. *VHID*: one group of addresses on one interface that moves as one. *Advert*: what a master says each
interval. *Interval*: advbase + effective advskew/256 seconds; the smaller one wins. *Master-down time*: how long a
backup waits for an advert before it takes over. *Demotion*: named reasons to stand back, summed into the effective
skew of every VHID. *Bow-out*: the last advert of one who leaves (255/255). *Linger*: to hold the addresses a moment
longer after yielding. *Heartbeat*, *beat*: what paired nodes say to each other over SYNC. *Witness*: somebody else
on a segment, whose answer shows that it is not this node which is cut off.

`wire` bytes · `events` the vocabulary · `table` transitions · `machine` one VHID · `speech` what it says · `hearing`
which adverts count · `node` all of them · `port` one device · `demotion` reasons to stand back, `reasons` a node's
own · `settings` what is configured · `neighbour` ARP and neighbour discovery · `responder` what is answered here ·
`ledger` what went wrong and when · `diagnosis` why a digest does not fit · `replay` what was heard before · `beat`
the heartbeat's bytes · `segment` who answers ARP · `detector` is the peer dead? · `peer` these together, and split
brain · `pair` what that means for the VHIDs · `scan` who else is there.
"""
