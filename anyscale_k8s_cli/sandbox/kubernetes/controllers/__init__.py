"""The control loops of the stand-in cluster.

Each looks at what is there and moves it one step towards what should be; the
manager calls it soon after anything it cares about has changed. What belongs to a
node (running containers) is in `pods.py`, next to this package.
"""
