"""How a machine becomes a node, and a plain machine again. `gemel setup` begins at `run.py`.

seen         what a machine has now: ports, addresses, routes, names, and who looks after them
plan         what will be, and what changes on the way (pure, like `seen`)
owners       ifupdown, systemd-networkd, NetworkManager: let go, retire for good, give back
connections  what is under way when the firewall begins goes on
features     what the kernel can do, and what it costs where it cannot
memory       what was, on disk, for the way back
run          begin, confirm, undo

Addresses stay where they are all the time, so that whoever does this over SSH is not cut off. Nothing outlives a reboot
until it has been confirmed.
"""
