"""The configuration kit: models, problems, wants, steps, pending changes, revisions, and what is exchanged with a peer.

Law: pure. No socket, clock, file or subprocess; time and randomness that matter come in as arguments. `core` knows no
single area: the list of areas is handed in (`Schema`). The words:

    area       something a person configures: one frozen model, with `check` and `compile`
    config     one model for each area
    problem    what is wrong, tied to the path of a field
    want       what a machine can be asked to have (a closed list)
    step       one change that turns what the machine has into what it is wanted to have; knows its undo
    pending    saved but not yet applied changes, per area, over the running revision
    revision   a configuration that was applied: number, when, who, from where
"""
