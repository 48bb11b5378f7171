"""Azure's resource providers, by the names that actions and paths begin with."""

from __future__ import annotations

NETWORK, STORAGE = "Microsoft.Network", "Microsoft.Storage"
