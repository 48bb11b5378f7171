"""Names that Nebius gives to labels and annotations in clusters."""

from __future__ import annotations

# The platform alone; the preset has a label of Nebius' own.
PLATFORM = "node.kubernetes.io/instance-type"
PRESET = "nebius.com/resource-preset"
NODE_GROUP = "nebius.com/node-group-id"
PREEMPTIBLE = "nebius.com/preemptible"
LOAD_BALANCER_TYPE = "nebius.com/load-balancer-type"
INTERNAL = "internal"
