"""Two firewalls, a LAN client and a WAN server on one machine, in network namespaces.

             198.51.100.0/24                                   192.168.1.0/24
                    |---------- .201 wan [fw1] lan .2 ------------|
    [wan] .1 -------|                    sync (172.16.1.0/24)     |------- .50 [lan]
                    |---------- .202 wan [fw2] lan .3 ------------|        gateway .1, the LAN VIP

Law: the lab stands beside the house and uses it from outside: through `control` and the command line. Nothing in the
house imports it. It leaves nothing behind, whatever happens.

Words: a *node* is a firewall (own network, processes, files and host name; power can be cut), a *host* is anything else
with an address, a *segment* is one Ethernet network, a *cable* joins a device to it.
"""
