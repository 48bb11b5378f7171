"""Which cloud is meant: the one that was named, or the only one there is."""

from __future__ import annotations

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cli.execution import Session
from anyscale_k8s_cli.cli.options import WhichCloud


def chosen(which: WhichCloud, session: Session) -> tuple[str | None, str | None]:
    """The cloud's name and id, as far as they are known; at least one of the two.

    With nothing said, the only cloud there is. Raises `usage` when two names
    contradict each other and `missing-input` when there is not exactly one cloud.
    """
    name = only_name(which.cloud, which.name)
    if name or which.cloud_id:
        return name, which.cloud_id
    from anyscale_k8s_cli.operations import clouds
    from anyscale_k8s_cli.operations.requests import ListRequest

    request = ListRequest(environment=session.environment)
    only = session.execute(lambda run: clouds.only_cloud(request, run))
    return only.name, only.id


def only_name(argument: str | None, option: str | None) -> str | None:
    """The name that was given, by whichever way. Raises `usage` when there are two."""
    if argument and option and argument != option:
        raise errors.CliError(
            errors.USAGE,
            f"Two clouds are named: {argument!r} and --name {option!r}",
            cause="NAME and --name mean the same",
            fix="give one of them",
        )
    return argument or option
