"""Local stand-ins for the far end of every wire, and their supervisor.

Belongs here: servers that answer as the real ones do, the world they start
with, the process that holds them. Does not belong here: anything that the
production code would need to know. Outside this package and `cli/`, nobody
knows the word.
"""
