"""The firewall as a pure compiler: a node's policy goes in, the text of one nftables transaction comes out.

Law: values in, values out; nothing here touches the machine, reads a clock or keeps a thing between two calls.

Glossary. *Policy*: everything that one node filters and translates, names already resolved (`ir`). *Rule*: one
line that an admin wrote; *term*: what it says about one address family (`terms`). *Rank*: a rule's place in the
first-match order, as a number that survives later insertions (`ranks`). *Part*, *cell*: how a long list of terms
is cut, so that a packet meets only few of them (`grouping`). *Ruleset*: the compiled tables with their sets, maps
and chains (`ruleset`); *delta*: the smallest transaction from one ruleset to another (`delta`). `interpret` says
what a policy means, `explain` says it in words.
"""
