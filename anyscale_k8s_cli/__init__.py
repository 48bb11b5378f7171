"""Set up, register and tear down Anyscale clouds on Kubernetes."""

from importlib.metadata import version

DISTRIBUTION = "anyscale-k8s-cli"


def tool_version() -> str:
    """The installed version of this tool."""
    return version(DISTRIBUTION)
