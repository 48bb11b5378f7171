"""Whether you may do what a command does, by the roles of the groups that you are in.

Nebius has no call that tells it outright, and roles come as they are: one lacks a role and not
a right. A role that is not known here may be enough.
"""

from __future__ import annotations

from anyscale_k8s_cli.checks import Finding, Status, passed, unless_denied
from anyscale_k8s_cli.checks.rights import mended
from anyscale_k8s_cli.provider import Verb
from anyscale_k8s_cli.providers.nebius import permissions
from anyscale_k8s_cli.providers.nebius.nebius import Nebius

# Roles on a project or its tenant that are known to be too little to write.
# https://docs.nebius.com/iam/authorization/roles
_LESSER = {"viewer", "auditor", "editor"}


@unless_denied("ask")
def permitted(nebius: Nebius, verb: Verb) -> Finding:
    wanted = permissions.role(verb)
    held = nebius.iam.roles(nebius.session.own_id)
    if wanted in held:
        return passed(f"{wanted} of the project {nebius.project}")
    told = ", ".join(sorted(held)) or "none that can be seen"
    looked_at = permissions.of(Verb.PLAN)
    statement = permissions.grant(nebius.session.own_id, nebius.project, wanted)
    return Finding(
        Status.FAIL if held and held <= _LESSER else Status.UNKNOWN,
        f"your roles on the project {nebius.project} are {told}, and {verb.value} takes {wanted}",
        tuple(
            f"{item} on project {nebius.project}"
            for item in permissions.of(verb)
            if item not in looked_at
        ),
        mended(statement, permissions.command(verb)),
    )
