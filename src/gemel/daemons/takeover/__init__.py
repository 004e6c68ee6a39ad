"""How a machine becomes a node, and a plain machine again.

cli          `gemel setup`: asks, shows, and calls `run`
look         reads what a machine has now
seen         that: ports, addresses, routes, names, and who looks after them (pure, as all down to `plan`)
devices      VLANs, bonds and bridges, and the edits that make them again
around       services, nftables tables and listeners that are in the way
routes       routes as gateways and static routes
visitor      who does this over SSH, and the rule that still lets him in
given        what is answered before it is asked
plan         what will be, and what changes on the way
owners       ifupdown, systemd-networkd, NetworkManager: let go, retire for good, give back
dhcp_clients ifupdown's DHCP clients, which only start again at a boot
files        the files that Gemel writes in the place of others', and copies that last
kernel       tables, devices, addresses and routes, on the way back
connections  what is under way when the firewall begins goes on
features     what the kernel can do, and what it costs where it cannot
started      whether what was started runs
memory       what was, on disk, for the way back
run          begin, confirm, undo

Addresses stay where they are all the time, so that whoever does this over SSH is not cut off. Nothing outlives a reboot
until it has been confirmed.
"""
