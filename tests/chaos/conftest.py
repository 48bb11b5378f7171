"""The same command after any crash: processes, and sandboxes with faults."""

from __future__ import annotations

from tests.processes import desk, desks, forks, helm, homes, new_sandbox, sandbox

__all__ = ["desk", "desks", "forks", "helm", "homes", "new_sandbox", "sandbox"]
