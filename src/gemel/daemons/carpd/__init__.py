"""carpd: CARP on this machine. `python -m gemel.daemons.carpd [--run-dir DIR]`

One thread speaks the protocol (`loop`): it waits for packets, links, questions and its one deadline, and makes no call
that could wait for the kernel's big network lock or for a disk. `hands` has the threads that may wait: addresses and
memberships, the talk with flowd, and the log; `news` has the word to the agent. `ports` are its sockets,
`waiting` is what it sleeps on, `settings` what it is told, `report` what it says about itself, `journal` its role
changes; `stop_step`, run by itself, is what has to be done after it has ended.
"""
