"""The twin of `areas`: what a person looks at. Read-only views, each a pure function of what the daemons said.

Law: pure, imports only the ground floor. What came over a door is handed in as JSON values. `every.FACTS` is the list;
a new view is a `Fact` and one line there.

    fact        one view: name, labels, shape of its answer, the sources it is made of
    source      what the agent fetches for facts (`fact.SOURCES`, a closed list)
    sight       what this node knows of its peer
    standby     the node that would take over
    outage      seconds without a master before a take-over, as far as this node can know
    notice      one notification: everything of one failover
"""
