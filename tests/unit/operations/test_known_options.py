"""What a platform does not know is refused with its reason, and every reason is about such."""

from __future__ import annotations

from typing import Any

import pytest

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.absence import absence_of
from anyscale_k8s_cli.operations.workbench import known_fields, load_spec
from anyscale_k8s_cli.provider_registry import PLATFORMS, absences, load
from anyscale_k8s_cli.run import Run
from anyscale_k8s_cli.spec import particular_fields

GKE = {"provider": "gke", "name": "prod", "account.project_id": "p", "cluster.name": "demo"}


def refused(said: dict[str, Any]) -> errors.CliError:
    with pytest.raises(errors.CliError) as raised:
        load_spec(said, None, {}, Run())
    assert raised.value.code is errors.INVALID_SPEC
    return raised.value


@pytest.mark.parametrize("platform", PLATFORMS)
def test_each_option_is_known_or_its_absence_has_a_reason(platform: str) -> None:
    known, told = known_fields(load(platform, Run())), absences(platform)
    fields = particular_fields()
    assert {path for path in fields - known if absence_of(told, path) is None} == set()
    # And no reason is about nothing.
    about = {path for path in told if any(field.startswith(path) for field in fields - known)}
    assert about == set(told)


def test_one_is_refused_with_the_reason() -> None:
    problem = refused({**GKE, "identity.kind": "irsa"})
    assert problem.message == "--identity-kind: has no meaning on gke"
    assert problem.cause == "--identity-kind: GKE has one way only, Workload Identity Federation"
    assert problem.evidence == (
        "of the options that are not for every platform, gke knows --impersonate-service-account, "
        "--kms-key, --project-id, --storage-role, --workload-identity",
    )
    assert problem.fix == "leave it out"


@pytest.mark.parametrize("platform", ["coreweave", "nebius", "oke", "generic"])
def test_where_rays_pods_can_have_no_identity_of_ours_it_is_told_what_they_can_have(
    platform: str,
) -> None:
    told = absence_of(absences(platform), "identity.workloads")
    assert told is not None
    assert "workloads.serviceAccount.name" in told.instead


def test_registering_makes_no_identity_for_rays_pods() -> None:
    said = {
        "provider": "eks",
        "name": "prod",
        "region": "us-west-2",
        "cluster.name": "demo",
        "identity.workloads": "separate",
    }
    load_spec(said, None, {}, Run())
    with pytest.raises(errors.CliError, match="registering makes no identity") as raised:
        load_spec(said, None, {}, Run(), adopting=True)
    assert "workloads.serviceAccount.name" in raised.value.fix


def test_several_are_refused_with_what_there_is_instead() -> None:
    problem = refused({**GKE, "account.id": "284710593866", "rules.role_path": "/team/"})
    assert problem.message == "--account-id, --role-path: has no meaning on gke"
    assert "--role-path: service accounts have no paths" in problem.cause
    assert problem.fix.startswith("leave them out; instead of --account-id: --project-id; ")
