"""The peer: first contact, and the configuration's way to the other node, over XML-RPC.

Law: it knows the node it runs in only through `node.Sender` and `node.Receiver`, which the agent fulfils, and it has no
hands (never `effects`). Decisions are pure and take `now`; sockets are in `client` alone, the one thread in `pusher`.
A sync cannot lie: success is only what the peer reports as applied. The words:

    introduction   what a node says of itself at the start of every push
    first contact  the password is proven both ways (SCRAM-SHA-256-PLUS), bound to both certificates; these are *pinned*
    session        what one push is made of; its calls are numbered and signed with the node's key
    push           one transaction: hello, report, prepare, commit, report
    meant          the hashes, area by area, of what the peer should have in common with us after the push
    finding        what two introductions tell that people must know: versions, roles, host ids, interface maps
"""
