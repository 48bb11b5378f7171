"""helm's texts, as helm 3.17 and 4.3 write them, become coded errors."""

from __future__ import annotations

import pytest

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cluster.child import ChildResult
from anyscale_k8s_cli.cluster.helm_errors import helm_error


@pytest.mark.parametrize(
    ("stderr", "code"),
    [
        (
            "Error: UPGRADE FAILED: another operation (install/upgrade/rollback) is in progress",
            errors.HELM_FAILED,
        ),
        (
            "Error: Unable to continue with install: ConfigMap "
            '"x" in namespace "y" exists and cannot be imported into the current release: '
            "invalid ownership metadata",
            errors.FOREIGN_OBJECT,
        ),
        (
            "Error: kubernetes cluster unreachable: the server has asked for the client to "
            "provide credentials",
            errors.CLUSTER_UNAUTHENTICATED,
        ),
        (
            'Error: query: failed to query with labels: secrets is forbidden: User "x" cannot '
            'list resource "secrets"',
            errors.CLUSTER_FORBIDDEN,
        ),
        (
            "Error: kubernetes cluster unreachable: dial tcp 127.0.0.1:1: connect: "
            "connection refused",
            errors.CLUSTER_UNREACHABLE,
        ),
        (
            "Error: execution error at (op/templates/deployment.yaml:3:4): set the region",
            errors.INVALID_SPEC,
        ),
        ("Error: context deadline exceeded", errors.TIMED_OUT),
        ("Error: timed out waiting for the condition", errors.TIMED_OUT),
        ("Error: something new", errors.HELM_FAILED),
    ],
)
def test_meaning(stderr: str, code: errors.ErrorCode) -> None:
    error = helm_error("It failed", ChildResult(1, b"", stderr.encode()), 60)
    assert error.code is code
    assert error.evidence == (stderr,)
    assert error.cause == stderr.removeprefix("Error: ")
    assert error.details == ({"pending": True} if "another operation" in stderr else {})


def test_the_cause_is_the_error_among_what_was_logged() -> None:
    text = b"level=WARN msg=hm\nError: it broke\nlevel=INFO msg=bye\n"
    error = helm_error("It failed", ChildResult(1, b"", text), 60)
    assert error.cause == "it broke"
    assert len(error.evidence) == 3


def test_silence() -> None:
    error = helm_error("It failed", ChildResult(1, b"", b""), 60)
    assert (error.code, error.cause) == (errors.HELM_FAILED, "")


def test_no_end() -> None:
    error = helm_error("It failed", None, 60)
    assert error.code is errors.TIMED_OUT
    assert "60 s" in error.cause


def test_a_missing_right_is_told_with_the_commands_that_give_it() -> None:
    text = (
        b'Error: roles.rbac.authorization.k8s.io is forbidden: User "joe" cannot create resource '
        b'"roles" in API group "rbac.authorization.k8s.io" in the namespace "ray"'
    )
    error = helm_error("It failed", ChildResult(1, b"", text), 60)
    role, binding, *_, again = error.fix.splitlines()
    name = "anyscale-k8s-create-roles"
    kind = "roles.rbac.authorization.k8s.io"
    assert role == f"kubectl create clusterrole {name} --verb=create --resource={kind}"
    assert binding == (f"kubectl create clusterrolebinding {name} --clusterrole={name} --user=joe")
    assert again.endswith("then run the same command again")


def test_who_may_not_grant_what_a_chart_grants_is_told_of_escalate() -> None:
    text = (
        b'Error: roles.rbac.authorization.k8s.io "x" is forbidden: user "joe" (groups=["dev"]) is '
        b'attempting to grant RBAC permissions not currently held:\n{APIGroups:[""]}'
    )
    error = helm_error("It failed", ChildResult(1, b"", text), 60)
    assert error.code is errors.CLUSTER_FORBIDDEN
    assert "--verb=escalate,bind" in error.fix
    assert "--user=joe" in error.fix
