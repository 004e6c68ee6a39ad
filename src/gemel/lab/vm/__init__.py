"""What `scripts/vm-test` tells: two plain machines, a package, the recipe by REST, and what may happen afterwards.

pair       from the plain machines to the pair: what every story begins with
recipe     the recipe as calls of REST. Pure
session    an SSH session that has to live on
picture    what a machine is, and what has become different
owner      a machine whose ports somebody else looks after than ifupdown
story_…    one story each; `stories` lists them
"""
