"""The command line of a node: a face, without hands. Everything goes through the agent's door.

main        the tree of commands
generated   commands that follow from the areas' models: add, set, delete, move, list
cluster     status, CARP, synchronisation, the peer
history     diff, apply, revisions, restore, export, import
setup       first boot, passwords; accounts: second factors, API keys
facts       what a person looks at; states, dhcp, diagnostics: what he does beside the configuration
menu        `gemel console` where the GUI is out of reach, with menu_address
manual      manual pages, made of the help
console     how answers and refusals look; exit status 0 done, 1 refused, 2 wrong usage, 3 nobody answers
"""
