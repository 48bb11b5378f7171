"""Everything as a user has it: processes, in a sandbox of their own."""

from tests.processes import desk, desks, forks, helm, homes, new_sandbox, sandbox

__all__ = ["desk", "desks", "forks", "helm", "homes", "new_sandbox", "sandbox"]
