"""`gemel upgrade`: a new version on both nodes, one after the other, while the pair goes on serving.

sight      what the status of the primary says of both nodes
fitness    what is missing for the next step, and where the pair stands
steps      what comes next, and when to stop: pure, a script of looks and moments
run        the hands: apt, the peer, the roles
cli        the command
"""
