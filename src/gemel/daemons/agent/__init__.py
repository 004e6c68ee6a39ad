"""The agent: the one process that changes this machine, and the one that answers for it.

__main__      wires the parts together, opens the door, waits
transaction   wants made real, all or none
desk          the configuration: show, change, diff, apply, restore
late_ports    a port that comes late, or goes and comes back, is served then
accounts      passwords, sessions, who may ask what
peer          what synchronisation needs of this node
report        the status, gathered from the daemons
sight         all that only looks, wired together:
  observer      looks once a second and at once when a role changes; remembers, wakes whoever waits for news
  views         fetches what facts are made of
  gateways      asks the gateways now and then
  notifier      mail and webhook
"""
