"""Set up, register and tear down Anyscale clouds on Kubernetes."""

from functools import cache

DISTRIBUTION = "anyscale-k8s-cli"


@cache
def tool_version() -> str:
    """The installed version of this tool."""
    # Imported here because `--help` has no need of it, and it is slow to import.
    from importlib.metadata import version

    return version(DISTRIBUTION)
