"""How things look: plain data in, text out.

Belongs here: what turns a command's document into text, an error into a
message, and events into progress. Renderers take dictionaries and events and
know nothing of where they came from.
"""
