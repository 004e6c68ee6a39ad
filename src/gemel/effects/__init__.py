"""The only hands: netlink, nft, files, services, ctnetlink, raw sockets. Nothing else in the house touches the machine.

Law: imports the ground floor only. What carpd and flowd use of it is standard library. An effect does one thing, says
in words why it could not, and leaves deciding to others.
"""
