"""leased: stands between Kea and its clients, so that serving follows CARP and both nodes have the same leases.

Kea asks before it acknowledges a lease (its HA hook in passive-backup mode, with us as the backup to wait for). The
answer is yes when this node holds the virtual IP of that network and the peer has the lease, or is known to be away.
Without leased nothing is acknowledged: what is not sure is not given out.

__main__  settings, signals, the door
keeper    the decisions: who serves, what is acknowledged, what the peer gets
standing  what of it is told at the door, and what is wrong
server    Kea's side: its question before each acknowledgement, its switch, its configuration
link      the peer's side: leases over TLS, tables compared after each silence
names     hosts with a lease become known to unbound
renewals  what clients send to the virtual IP itself is put before Kea, which listens to the node's own address only
"""
