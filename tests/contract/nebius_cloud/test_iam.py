"""IAM: tokens, names, rights, keys whose secret is told once."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from grpc import StatusCode
from nebius.aio.service_error import RequestError
from nebius.api.nebius.common.v1 import ResourceMetadata
from nebius.api.nebius.iam.v1 import (
    AccessPermitServiceClient,
    AccessPermitSpec,
    Account,
    CreateAccessPermitRequest,
    CreateGroupMembershipRequest,
    CreateGroupRequest,
    CreateServiceAccountRequest,
    DeleteServiceAccountRequest,
    GetServiceAccountByNameRequest,
    GroupMembershipServiceClient,
    GroupMembershipSpec,
    GroupServiceClient,
    GroupSpec,
    ListServiceAccountRequest,
    ServiceAccountServiceClient,
    ServiceAccountSpec,
)
from nebius.api.nebius.iam.v2 import (
    AccessKeyServiceClient,
    AccessKeySpec,
    AccessKeyStatus,
    CreateAccessKeyRequest,
    GetAccessKeyRequest,
    GetAccessKeySecretRequest,
    SecretDeliveryMode,
)
from nebius.sdk import SDK

from anyscale_k8s_cli.sandbox.nebius.seed import ADMIN, PROJECT_ID
from anyscale_k8s_cli.sandbox.nebius.standin import NebiusSettings
from anyscale_k8s_cli.sandbox.wire import FaultKind, FaultRule
from tests.contract.nebius_cloud.conftest import PATIENCE, Site


def refusal(call: Any) -> RequestError:
    with pytest.raises(RequestError) as refused:
        call.wait()
    return refused.value


def code_of(call: Any) -> StatusCode:
    return refusal(call).status.code


def account(sdk: SDK, name: str, **labels: str) -> str:
    """Makes a service account, and returns its id."""
    metadata = ResourceMetadata(parent_id=PROJECT_ID, name=name, labels=labels)
    request = CreateServiceAccountRequest(metadata=metadata, spec=ServiceAccountSpec())
    operation = ServiceAccountServiceClient(sdk).create(request, **PATIENCE).wait()
    return str(operation.resource_id)


def group(sdk: SDK, name: str) -> str:
    metadata = ResourceMetadata(parent_id=PROJECT_ID, name=name)
    request = CreateGroupRequest(metadata=metadata, spec=GroupSpec())
    return str(GroupServiceClient(sdk).create(request, **PATIENCE).wait().resource_id)


def key_request(account_id: str, **said: Any) -> CreateAccessKeyRequest:
    owner = Account(service_account=Account.ServiceAccount(id=account_id))
    spec = AccessKeySpec(account=owner, secret_delivery_mode=SecretDeliveryMode.EXPLICIT, **said)
    return CreateAccessKeyRequest(metadata=ResourceMetadata(parent_id=PROJECT_ID), spec=spec)


def test_a_key_file_is_exchanged_for_a_token(admin: SDK) -> None:
    found = admin.whoami(**PATIENCE).wait().service_account_profile
    assert found is not None
    assert found.info.metadata.name == ADMIN


def test_a_key_that_nobody_added_gets_no_token(site: Site, tmp_path: Path) -> None:
    file = tmp_path / "key.json"
    content = site.stand_in.key_file()
    content["subject-credentials"]["kid"] = "publickey-e00unknown"
    file.write_text(json.dumps(content))
    sdk = site.sdk(credentials_file_name=file)
    told = {"token_renew_report_error": "1"}
    call = sdk.whoami(**PATIENCE, auth_timeout=5, auth_options=told)
    assert code_of(call) is StatusCode.UNAUTHENTICATED
    sdk.sync_close()


def test_unknown_and_ended_tokens_are_refused(site: Site) -> None:
    bogus = site.sdk(credentials="ne1bogus")
    assert code_of(bogus.whoami(**PATIENCE)) is StatusCode.UNAUTHENTICATED
    good = site.sdk(credentials=site.stand_in.token(site.stand_in.admin_id))
    good.whoami(**PATIENCE).wait()
    site.stand_in.expire_tokens()
    assert code_of(good.whoami(**PATIENCE)) is StatusCode.UNAUTHENTICATED
    for sdk in (bogus, good):
        sdk.sync_close()


def test_whoever_has_no_role_may_do_nothing(site: Site) -> None:
    sdk = site.sdk(credentials=site.stand_in.token(site.stand_in.outsider_id))
    listing = ListServiceAccountRequest(parent_id=PROJECT_ID)
    call = ServiceAccountServiceClient(sdk).list(listing, **PATIENCE)
    assert code_of(call) is StatusCode.PERMISSION_DENIED
    sdk.sync_close()


@pytest.mark.parametrize("settings", [NebiusSettings(admin_role="editor")])
def test_an_editor_gives_no_roles(admin: SDK) -> None:
    metadata = ResourceMetadata(parent_id=PROJECT_ID, name="g")
    request = CreateGroupRequest(metadata=metadata, spec=GroupSpec())
    call = GroupServiceClient(admin).create(request, **PATIENCE)
    assert code_of(call) is StatusCode.PERMISSION_DENIED


def test_an_operation_ends_after_some_polls(admin: SDK) -> None:
    metadata = ResourceMetadata(parent_id=PROJECT_ID, name="w")
    request = CreateServiceAccountRequest(metadata=metadata, spec=ServiceAccountSpec())
    operation = ServiceAccountServiceClient(admin).create(request, **PATIENCE).wait()
    assert not operation.done()
    operation.sync_wait(interval=0.01, timeout=10)
    assert operation.done()
    assert operation.successful()


def test_names_are_unique_and_lists_have_pages(admin: SDK) -> None:
    service = ServiceAccountServiceClient(admin)
    made = {account(admin, f"w{number}") for number in range(12)}
    metadata = ResourceMetadata(parent_id=PROJECT_ID, name="w3")
    again = CreateServiceAccountRequest(metadata=metadata, spec=ServiceAccountSpec())
    assert code_of(service.create(again, **PATIENCE)) is StatusCode.ALREADY_EXISTS
    first = service.list(ListServiceAccountRequest(parent_id=PROJECT_ID), **PATIENCE).wait()
    assert first.next_page_token
    following = ListServiceAccountRequest(parent_id=PROJECT_ID, page_token=first.next_page_token)
    rest = service.list(following, **PATIENCE).wait()
    seen = {item.metadata.id for item in (*first.items, *rest.items)}
    assert made <= seen
    by_name = GetServiceAccountByNameRequest(parent_id=PROJECT_ID, name="nobody")
    assert code_of(service.get_by_name(by_name, **PATIENCE)) is StatusCode.NOT_FOUND


def test_labels_are_lower_case(admin: SDK) -> None:
    metadata = ResourceMetadata(parent_id=PROJECT_ID, name="w", labels={"k": "Capital"})
    request = CreateServiceAccountRequest(metadata=metadata, spec=ServiceAccountSpec())
    call = ServiceAccountServiceClient(admin).create(request, **PATIENCE)
    assert code_of(call) is StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize("settings", [NebiusSettings(most={"serviceaccount": 3})])
def test_a_quota_is_told_with_its_name(admin: SDK) -> None:
    account(admin, "third")
    metadata = ResourceMetadata(parent_id=PROJECT_ID, name="fourth")
    request = CreateServiceAccountRequest(metadata=metadata, spec=ServiceAccountSpec())
    refused = refusal(ServiceAccountServiceClient(admin).create(request, **PATIENCE))
    assert refused.status.code is StatusCode.RESOURCE_EXHAUSTED
    (error,) = refused.status.service_errors
    assert error.code == "QuotaFailure"


def test_a_secret_is_told_once(admin: SDK) -> None:
    keys = AccessKeyServiceClient(admin)
    ends = datetime.now(UTC) + timedelta(days=90)
    asked = key_request(account(admin, "w"), expires_at=ends)
    key_id = keys.create(asked, **PATIENCE).wait().resource_id
    shown = keys.get(GetAccessKeyRequest(id=key_id), **PATIENCE).wait()
    assert shown.spec.expires_at is not None
    assert shown.status is not None
    assert not shown.status.secret
    told = keys.get_secret(GetAccessKeySecretRequest(id=key_id), **PATIENCE).wait()
    assert (told.aws_access_key_id, bool(told.secret)) == (shown.status.aws_access_key_id, True)
    again = keys.get_secret(GetAccessKeySecretRequest(id=key_id), **PATIENCE)
    assert code_of(again) is StatusCode.FAILED_PRECONDITION


def test_a_key_ends_when_it_should_and_with_its_account(site: Site, admin: SDK) -> None:
    keys, owner = AccessKeyServiceClient(admin), account(admin, "w")
    past = key_request(owner, expires_at=datetime.now(UTC) - timedelta(days=1))
    assert code_of(keys.create(past, **PATIENCE)) is StatusCode.INVALID_ARGUMENT
    key_id = keys.create(key_request(owner), **PATIENCE).wait().resource_id
    site.stand_in.expire_keys()
    shown = keys.get(GetAccessKeyRequest(id=key_id), **PATIENCE).wait()
    assert shown.status is not None
    assert shown.status.state == AccessKeyStatus.State.EXPIRED
    ServiceAccountServiceClient(admin).delete(
        DeleteServiceAccountRequest(id=owner), **PATIENCE
    ).wait()
    call = keys.get(GetAccessKeyRequest(id=key_id), **PATIENCE)
    assert code_of(call) is StatusCode.NOT_FOUND


def test_a_groups_permit_lets_its_member_into_what_it_names(site: Site, admin: SDK) -> None:
    member, theirs = account(admin, "w"), group(admin, "w")
    GroupMembershipServiceClient(admin).create(
        CreateGroupMembershipRequest(
            metadata=ResourceMetadata(parent_id=theirs), spec=GroupMembershipSpec(member_id=member)
        ),
        **PATIENCE,
    ).wait()
    sdk = site.sdk(credentials=site.stand_in.token(member))
    listing = ListServiceAccountRequest(parent_id=PROJECT_ID)
    call = ServiceAccountServiceClient(sdk).list(listing, **PATIENCE)
    assert code_of(call) is StatusCode.PERMISSION_DENIED
    AccessPermitServiceClient(admin).create(
        CreateAccessPermitRequest(
            metadata=ResourceMetadata(parent_id=theirs),
            spec=AccessPermitSpec(resource_id=PROJECT_ID, role="viewer"),
        ),
        **PATIENCE,
    ).wait()
    assert ServiceAccountServiceClient(sdk).list(listing, **PATIENCE).wait().items
    sdk.sync_close()


def test_a_role_that_there_is_not_is_refused(admin: SDK) -> None:
    request = CreateAccessPermitRequest(
        metadata=ResourceMetadata(parent_id=group(admin, "w")),
        spec=AccessPermitSpec(resource_id=PROJECT_ID, role="storage.emperor"),
    )
    call = AccessPermitServiceClient(admin).create(request, **PATIENCE)
    assert code_of(call) is StatusCode.INVALID_ARGUMENT


def test_calls_are_recorded_with_their_caller_and_faults_strike(site: Site, admin: SDK) -> None:
    account(admin, "w")
    (made,) = site.wire.calls(writes_only=True)
    assert made.operation.name == "nebius.iam.v1.ServiceAccountService/Create"
    assert (made.operation.principal, made.operation.resource) == (ADMIN, "w")
    site.wire.inject(FaultRule(FaultKind.ERROR_AFTER, operation="*/Create", status=503))
    metadata = ResourceMetadata(parent_id=PROJECT_ID, name="x")
    request = CreateServiceAccountRequest(metadata=metadata, spec=ServiceAccountSpec())
    call = ServiceAccountServiceClient(admin).create(request, **PATIENCE)
    assert code_of(call) is StatusCode.UNAVAILABLE
    found = GetServiceAccountByNameRequest(parent_id=PROJECT_ID, name="x")
    ServiceAccountServiceClient(admin).get_by_name(found, **PATIENCE).wait()
