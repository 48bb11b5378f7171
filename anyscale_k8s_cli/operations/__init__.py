"""What the tool can do, one module per operation: requests in, reports out.

Belongs here: the order of things, from a request to a report. Nothing here
knows of terminals, options or output formats; `cli/` calls in once per step.
"""
