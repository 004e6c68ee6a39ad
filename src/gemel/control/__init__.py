"""The doors between Gemel's processes: unix sockets, and on each a closed list of typed questions.

Law: standard library and `core` only; a question is a frozen dataclass; a door answers nothing that is not on
its list. Who asks is told by the kernel (SO_PEERCRED), not by the asker.
"""
