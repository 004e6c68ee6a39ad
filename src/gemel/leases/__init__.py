"""Leases without I/O: how they travel between the nodes, which of two is right, and how a pool stands.

Law: standard library only; no socket, no clock, no file. Time is an argument, in seconds since the epoch.

Words: a *lease* is Kea's JSON of one (`lease4-get`); *age* is how long ago its client was last heard, which is how it
travels, so that nodes whose clocks differ agree; its *holder* is the client; a *scope* is one interface with a DHCP
server; a lease is *live* while it is active and has not run out.

    dialect   Kea's commands, by address family
    settings  what leased is told          lease  age, holder, and which of two wins
    pool      the state of a pool in the words that admins know
"""
