"""Everything that a person configures: one pure module each, and `AREAS`, the explicit ordered list of them
(`areas.every`).

Law: pure, imports only the ground floor. An area says what its fields are and mean, checks them against the other
areas, compiles them to wants, and knows what of it goes to the peer. It never looks at the machine.

    names       people's words to references and back: ``SYNC net`` is stored as ``net:opt1``
    fields      the kinds of fields that areas are made of
    endpoint    sources and destinations
"""
