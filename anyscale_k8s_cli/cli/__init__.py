"""Everything that a person types and sees. Knows nothing of any cloud.

Belongs here: commands, options, prompts, renderers. The tree of files is the
tree of commands: a command parses, builds a request, makes one call into
`operations/` per step, and renders what comes back. Nothing heavy is imported
before a command runs, so that `--help` and completion stay cheap.
"""
