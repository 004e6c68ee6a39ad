"""The agent: the one process that changes this machine, and the one that answers for it.

__main__      wires the parts together, opens the door, waits
transaction   wants made real, all or none
desk          the configuration: show, change, diff, apply, restore
late_ports    a port that comes late, or goes and comes back, is served then
services      what the configuration runs, by the supervisor or by systemd
peer          what synchronisation needs of this node
packages      a new version's package, from the peer or for it
heartbeat     the key of the pair's heartbeat, derived
answers       the door's questions, one method for each; shared out to
  access        who comes in, and who may ask what: logins, sessions, API keys
  entrance      the first password, second factors, API keys; with accounts, second_factor, remembered
  lists, pages  what lists, forms and the frame of every page show
  states        the state table; hits: how often rules have matched
  dhcp          leases and what people do to one
  diagnostics   ping and packet capture, each a job; segments: VHID scan, the virtual MAC's test
  demotion, resync  what an operator asks of carpd and flowd
report        the status, gathered from the daemons; board: the text console's part of it
health        reasons to stand back, told to carpd every second
hooks         what follows a role change: services, then the user's scripts
memory        garbage collection where it disturbs nobody
sight         all that only looks, wired together:
  observer      looks once a second and at once when a role changes; remembers, wakes whoever waits for news
  views         fetches what facts are made of
  gateways      asks the gateways now and then
  notifier      mail and webhook
"""
