"""What one VHID does when: the transitions of reference section 2.2 as a table.

A row that is not there means that nothing happens. Where two nodes of ours do better than FreeBSD, and a peer of
another make notices nothing of it, the row is marked * and the reason stands in `machine`.
"""

from enum import StrEnum
from typing import Final

from gemel.carp.events import State


class Happening(StrEnum):
    """What can happen to one VHID."""

    READY = "there is a link"
    UNREADY = "there is no link"
    PEER_LEADS = "an advert with an interval no longer than mine"
    PEER_TRAILS = "an advert with a longer interval"
    PEER_TOLERATED = "the same, without preempt"
    PEER_LEAVES = "an advert with an interval longer than my patience"
    SILENCE = "the master-down time is over"
    PEER_DEAD = "the master is dead"
    PEER_RESIGNED = "the master says over the heartbeat that it no longer is"
    PEER_YIELDED = "the other master of the same VHID has yielded"
    ADVERT_DUE = "the interval is over"
    ANNOUNCE_DUE = "the addresses are to be announced again"
    DEMOTION_CHANGED = "my interval changed"
    WOKE_LATE = "this node was held up"
    PORT_MOVED = "this port is at another place of its network"
    LEAVING = "this VHID shall end here"
    FORCED_BACKUP = "an operator says backup"
    FORCED_MASTER = "an operator says master"


class Step(StrEnum):
    """What goes with a transition, in order."""

    LISTEN = "arm the master-down time"
    TAKE = "put the addresses on"
    ADVERTISE = "send an advert, arm the interval"
    ANNOUNCE = "gratuitous ARP for every address, now and four times more"
    ANNOUNCE_MOVED = "the same, and twice more soon: the port that it leaves by has just come up"
    REPEAT = "the next of these"
    REASSERT = "advert and gratuitous ARP, at most once in an interval"
    LINGER = "take the addresses off a little later"
    RELEASE = "take the addresses off now"
    BOW_OUT = "send the last advert"


S, H, D = State, Happening, Step
_RISE = (D.TAKE, D.ADVERTISE, D.ANNOUNCE)

# fmt: off
TABLE: Final[dict[tuple[State, Happening], tuple[State, tuple[Step, ...]]]] = {
    # state    what happened          next      and then
    (S.INIT,   H.READY):            (S.BACKUP, (D.LISTEN,)),

    (S.BACKUP, H.SILENCE):          (S.MASTER, _RISE),
    (S.BACKUP, H.PEER_DEAD):        (S.MASTER, _RISE),  # *
    (S.BACKUP, H.PEER_RESIGNED):    (S.MASTER, _RISE),  # *
    (S.BACKUP, H.PEER_TRAILS):      (S.MASTER, _RISE),
    (S.BACKUP, H.PEER_LEAVES):      (S.MASTER, _RISE),
    (S.BACKUP, H.FORCED_MASTER):    (S.MASTER, _RISE),
    (S.BACKUP, H.PEER_LEADS):       (S.BACKUP, (D.LISTEN,)),
    (S.BACKUP, H.PEER_TOLERATED):   (S.BACKUP, (D.LISTEN,)),
    (S.BACKUP, H.WOKE_LATE):        (S.BACKUP, (D.RELEASE, D.LISTEN)),  # *
    (S.BACKUP, H.UNREADY):          (S.INIT,   (D.RELEASE,)),
    (S.BACKUP, H.LEAVING):          (S.INIT,   ()),

    (S.MASTER, H.PEER_LEADS):       (S.BACKUP, (D.LINGER, D.LISTEN)),
    (S.MASTER, H.FORCED_BACKUP):    (S.BACKUP, (D.BOW_OUT, D.LINGER, D.LISTEN)),
    (S.MASTER, H.WOKE_LATE):        (S.BACKUP, (D.RELEASE, D.LISTEN)),  # *
    (S.MASTER, H.PEER_TRAILS):      (S.MASTER, (D.REASSERT,)),  # *
    (S.MASTER, H.PEER_LEAVES):      (S.MASTER, (D.REASSERT,)),  # *
    (S.MASTER, H.PEER_YIELDED):     (S.MASTER, (D.ADVERTISE, D.ANNOUNCE)),  # *
    (S.MASTER, H.PORT_MOVED):       (S.MASTER, (D.ADVERTISE, D.ANNOUNCE_MOVED)),  # *
    (S.MASTER, H.ADVERT_DUE):       (S.MASTER, (D.ADVERTISE,)),
    (S.MASTER, H.DEMOTION_CHANGED): (S.MASTER, (D.ADVERTISE,)),
    (S.MASTER, H.ANNOUNCE_DUE):     (S.MASTER, (D.REPEAT,)),
    (S.MASTER, H.UNREADY):          (S.INIT,   (D.RELEASE,)),
    (S.MASTER, H.LEAVING):          (S.INIT,   (D.BOW_OUT, D.LINGER)),
}
# fmt: on
