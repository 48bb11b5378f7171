"""The data plane: roles, keys, signatures, browsers."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from azure.core import MatchConditions
from azure.storage.blob import (
    BlobClient,
    BlobServiceClient,
    generate_account_sas,
    generate_blob_sas,
    generate_container_sas,
)

from anyscale_k8s_cli.sandbox.azure.seed import TEAM_DATA
from anyscale_k8s_cli.sandbox.azure.standin import AzureSettings
from anyscale_k8s_cli.sandbox.wire import FaultKind, FaultRule

ACCOUNT = "teamdatademo"
CONTRIBUTOR = {"role": "Storage Blob Data Contributor"}
CONSOLE = "https://console.anyscale.com"
RULE = {
    "allowedOrigins": ["https://*.anyscale.com"],
    "allowedMethods": ["GET", "PUT"],
    "maxAgeInSeconds": 3600,
    "exposedHeaders": ["Content-Length", "Content-Range"],
    "allowedHeaders": ["content-type", "x-ms-*"],
}


def soon() -> datetime:
    return datetime.now(UTC) + timedelta(hours=1)


def data(azure: Any, *roles: dict[str, Any]) -> Any:
    """The team's container as an application with these roles sees it."""
    credential = azure.application(f"data-{len(roles)}", *roles)
    return azure.blobs(ACCOUNT, credential).get_container_client("data")


def key_of(azure: Any, name: str = ACCOUNT) -> str:
    return str(azure.stand_in.world.accounts.data[name].keys["key1"])


# -- roles -------------------------------------------------------------------------------


def test_owners_may_not_touch_data(azure: Any, refused: Any) -> None:
    container = azure.blobs(ACCOUNT).get_container_client("data")
    assert container.get_container_properties().name == "data"
    with refused("AuthorizationPermissionMismatch", status=403):
        list(container.list_blobs())
    with refused("AuthorizationPermissionMismatch"):
        container.upload_blob("new", b"x")


def test_readers_do_not_write(azure: Any, refused: Any) -> None:
    container = data(azure, {"role": "Storage Blob Data Reader"})
    assert container.download_blob("models/base.bin").readall() == b"weights"
    for refusal in (
        lambda: container.upload_blob("new", b"x"),
        lambda: container.delete_blob("models/base.bin"),
        container.delete_container,
    ):
        with refused("AuthorizationPermissionMismatch"):
            refusal()


def test_blobs_come_and_go(azure: Any, refused: Any) -> None:
    container = data(azure, CONTRIBUTOR)
    container.upload_blob("a b/c.txt", b"hello")
    with refused("BlobAlreadyExists", status=409):
        container.upload_blob("a b/c.txt", b"hello")
    container.upload_blob("a b/c.txt", b"hello again", overwrite=True)
    assert container.download_blob("a b/c.txt").readall() == b"hello again"
    assert container.download_blob("a b/c.txt", offset=6, length=2).readall() == b"ag"
    properties = container.get_blob_client("a b/c.txt").get_blob_properties()
    assert (properties.size, properties.blob_type) == (11, "BlockBlob")
    assert [item.name for item in container.list_blobs(name_starts_with="a")] == ["a b/c.txt"]
    top = [item.name for item in container.walk_blobs()]
    assert top == ["a b/", "models/", "reports/"]
    container.delete_blob("a b/c.txt")
    with refused("BlobNotFound", status=404):
        container.delete_blob("a b/c.txt")
    with refused("ContainerNotFound", status=404):
        list(
            azure.blobs(ACCOUNT, azure.application("x", CONTRIBUTOR))
            .get_container_client("no")
            .list_blobs()
        )


def test_large_blobs_come_in_blocks(azure: Any) -> None:
    credential = azure.application("data", CONTRIBUTOR)
    client = BlobClient(
        f"{azure.stand_in.world.blob_url}/{ACCOUNT}",
        "data",
        "large",
        credential=credential,
        connection_verify=str(azure.bundle),
        max_single_put_size=1024,
        max_block_size=1024,
        max_single_get_size=1024,
        max_chunk_get_size=1024,
    )
    content = os.urandom(5000)
    client.upload_blob(content)
    assert client.download_blob().readall() == content


def test_lists_come_in_pages(azure: Any) -> None:
    container = data(azure, CONTRIBUTOR)
    for number in range(5):
        container.upload_blob(f"n/{number}", b"")
    pages = container.list_blobs(name_starts_with="n/", results_per_page=2).by_page()
    assert [[item.name for item in page] for page in pages] == [
        ["n/0", "n/1"],
        ["n/2", "n/3"],
        ["n/4"],
    ]


def test_conditions(azure: Any, refused: Any) -> None:
    container = data(azure, CONTRIBUTOR)
    blob = container.get_blob_client("models/base.bin")
    etag = blob.get_blob_properties().etag
    with refused("ConditionNotMet", status=412):
        blob.delete_blob(etag="0xOLD", match_condition=MatchConditions.IfNotModified)
    with refused("InvalidRange", status=416):
        blob.download_blob(offset=7, length=2)
    blob.delete_blob(etag=etag, match_condition=MatchConditions.IfNotModified)


def test_roles_reach_as_far_as_their_scope(azure: Any, refused: Any) -> None:
    account = azure.make_account()
    scope = f"{account.id}/blobServices/default/containers/one"
    for name in ("one", "two"):
        azure.storage().blob_containers.create("demo", account.name, name, {})
    service = azure.blobs(account.name, azure.application("data", {**CONTRIBUTOR, "scope": scope}))
    service.get_container_client("one").upload_blob("x", b"x")
    with refused("AuthorizationPermissionMismatch"):
        service.get_container_client("two").upload_blob("x", b"x")


class TestPropagation:
    @pytest.fixture
    def settings(self, settings: AzureSettings) -> AzureSettings:
        return replace(settings, propagation_attempts=2)

    def test_a_new_role_takes_a_while(self, azure: Any, refused: Any) -> None:
        identity, account = azure.make_identity(), azure.make_account()
        azure.trust(identity)
        azure.storage().blob_containers.create("demo", account.name, "one", {})
        name = "0d1d5a4e-6ad5-4f6b-9f0b-2f1f0e2a6c01"
        azure.grant(account.id, identity.principal_id, CONTRIBUTOR["role"], name)
        credential = azure.federated(identity.client_id, azure.issuer.token())
        container = azure.blobs(account.name, credential).get_container_client("one")
        for _ in range(2):
            with refused("AuthorizationPermissionMismatch"):
                container.upload_blob("x", b"x")
        container.upload_blob("x", b"x")


# -- keys and signatures -----------------------------------------------------------------


def by_key(azure: Any, key: str) -> Any:
    return azure.blobs(ACCOUNT, {"account_name": ACCOUNT, "account_key": key})


def test_the_account_s_keys_open_everything(azure: Any, refused: Any) -> None:
    service = by_key(azure, key_of(azure))
    container = service.create_container("new-one")
    container.upload_blob("x y/z", b"1", metadata={"a": "b"})
    assert {item.name for item in service.list_containers()} == {"data", "new-one"}
    service.delete_container("new-one")
    with refused("ContainerBeingDeleted", status=409):
        service.create_container("new-one")
    service.create_container("new-one")
    with refused("ContainerAlreadyExists", status=409):
        service.create_container("new-one")
    wrong = "AAAA" + key_of(azure)[4:]
    with refused("AuthenticationFailed", status=403):
        list(by_key(azure, wrong).list_containers())


def signed(azure: Any, token: str, name: str = "models/base.bin") -> Any:
    base = f"{azure.stand_in.world.blob_url}/{ACCOUNT}"
    options = {"connection_verify": str(azure.bundle), "retry_total": 0}
    return BlobClient(base, "data", name, credential=token, **options)


def test_signatures_by_key(azure: Any, refused: Any) -> None:
    key = key_of(azure)
    blob = generate_blob_sas(
        ACCOUNT, "data", "models/base.bin", account_key=key, permission="r", expiry=soon()
    )
    assert signed(azure, blob).download_blob().readall() == b"weights"
    with refused("AuthenticationFailed", status=403):
        signed(azure, blob, "reports/2025.csv").download_blob()
    with refused("AuthorizationPermissionMismatch"):
        signed(azure, blob).delete_blob()
    container = generate_container_sas(
        ACCOUNT, "data", account_key=key, permission="rwd", expiry=soon()
    )
    signed(azure, container, "new").upload_blob(b"x")
    account = generate_account_sas(
        ACCOUNT, account_key=key, resource_types="o", permission="r", expiry=soon()
    )
    assert signed(azure, account).download_blob().readall() == b"weights"
    with refused("AuthorizationPermissionMismatch"):
        signed(azure, account).delete_blob()
    azure.clock.offset = timedelta(hours=2)
    with refused("AuthenticationFailed"):
        signed(azure, blob).download_blob()


def test_signatures_by_a_delegated_key(azure: Any, refused: Any) -> None:
    credential = azure.application("data", CONTRIBUTOR)
    service: BlobServiceClient = azure.blobs(ACCOUNT, credential)
    key = service.get_user_delegation_key(datetime.now(UTC) - timedelta(minutes=5), soon())
    token = generate_blob_sas(
        ACCOUNT, "data", "models/base.bin", user_delegation_key=key, permission="rd", expiry=soon()
    )
    assert signed(azure, token).download_blob().readall() == b"weights"
    key.value = key_of(azure)
    forged = generate_blob_sas(
        ACCOUNT, "data", "models/base.bin", user_delegation_key=key, permission="r", expiry=soon()
    )
    with refused("AuthenticationFailed"):
        signed(azure, forged).download_blob()
    # It is good for no more than its owner may do, now.
    principal = next(
        item
        for item in azure.stand_in.world.directory.principals.values()
        if item.display_name == "data"
    )
    azure.stand_in.world.rights.replace(principal, [{"role": "Storage Blob Data Reader"}])
    assert signed(azure, token).download_blob().readall() == b"weights"
    with refused("AuthorizationPermissionMismatch"):
        signed(azure, token).delete_blob()


def test_who_gets_a_delegated_key(azure: Any, refused: Any) -> None:
    nobody = azure.blobs(ACCOUNT, azure.application("nobody"))
    with refused("AuthorizationPermissionMismatch"):
        nobody.get_user_delegation_key(datetime.now(UTC), soon())
    with refused("AuthenticationFailed"):
        by_key(azure, key_of(azure)).get_user_delegation_key(datetime.now(UTC), soon())
    with refused("InvalidXmlNodeValue"):
        later = datetime.now(UTC) + timedelta(days=8)
        azure.blobs(ACCOUNT).get_user_delegation_key(datetime.now(UTC), later)


class TestWithoutSharedKeys:
    @pytest.fixture
    def settings(self, settings: AzureSettings) -> AzureSettings:
        return replace(settings, accounts=(replace(TEAM_DATA, shared_key=False),))

    def test_only_entra_opens(self, azure: Any, refused: Any) -> None:
        key = key_of(azure)
        with refused("KeyBasedAuthenticationNotPermitted", status=403):
            list(by_key(azure, key).list_containers())
        token = generate_blob_sas(
            ACCOUNT, "data", "models/base.bin", account_key=key, permission="r", expiry=soon()
        )
        with refused("KeyBasedAuthenticationNotPermitted"):
            signed(azure, token).download_blob()
        service = azure.blobs(ACCOUNT, azure.application("data", CONTRIBUTOR))
        delegated = service.get_user_delegation_key(datetime.now(UTC), soon())
        token = generate_blob_sas(
            ACCOUNT,
            "data",
            "models/base.bin",
            user_delegation_key=delegated,
            permission="r",
            expiry=soon(),
        )
        assert signed(azure, token).download_blob().readall() == b"weights"


def test_strangers_are_sent_to_entra(azure: Any) -> None:
    url = f"{azure.stand_in.world.blob_url}/{ACCOUNT}/data/models/base.bin"
    answer = requests.get(url, verify=str(azure.bundle), timeout=10)
    assert (answer.status_code, answer.headers["x-ms-error-code"]) == (
        401,
        "NoAuthenticationInformation",
    )
    assert "resource_id=https://storage.azure.com" in answer.headers["WWW-Authenticate"]


# -- browsers ----------------------------------------------------------------------------


@pytest.fixture
def browser(azure: Any) -> Any:
    """Asks as a page of some origin would."""
    azure.storage().blob_services.set_service_properties(
        "demo", ACCOUNT, {"properties": {"cors": {"corsRules": [RULE]}}}
    )
    token = generate_blob_sas(
        ACCOUNT,
        "data",
        "models/base.bin",
        account_key=key_of(azure),
        permission="r",
        expiry=soon(),
    )
    url = f"{azure.stand_in.world.blob_url}/{ACCOUNT}/data/models/base.bin?{token}"

    def ask(method: str, **headers: str) -> requests.Response:
        return requests.request(method, url, headers=headers, verify=str(azure.bundle), timeout=10)

    return ask


@pytest.mark.parametrize(
    ("origin", "method", "wanted", "status"),
    [
        (CONSOLE, "GET", "", 200),
        (CONSOLE, "PUT", "Content-Type, x-ms-blob-type", 200),
        ("https://anyscale.com", "GET", "", 403),
        ("https://console.anyscale.com.evil.example", "GET", "", 403),
        ("http://console.anyscale.com", "GET", "", 403),
        (CONSOLE, "DELETE", "", 403),
        (CONSOLE, "PUT", "authorization", 403),
    ],
)
def test_preflights(browser: Any, origin: str, method: str, wanted: str, status: int) -> None:
    headers = {"Origin": origin, "Access-Control-Request-Method": method}
    if wanted:
        headers["Access-Control-Request-Headers"] = wanted
    answer = browser("OPTIONS", **headers)
    assert answer.status_code == status
    if status == 200:
        assert answer.headers["Access-Control-Allow-Origin"] == origin
        assert answer.headers["Access-Control-Max-Age"] == "3600"
    else:
        assert answer.headers["x-ms-error-code"] == "CorsPreflightFailure"


def test_answers_to_browsers(browser: Any) -> None:
    answer = browser("GET", Origin=CONSOLE)
    assert (answer.status_code, answer.content) == (200, b"weights")
    assert answer.headers["Access-Control-Allow-Origin"] == CONSOLE
    assert answer.headers["Access-Control-Expose-Headers"] == "Content-Length,Content-Range"
    foreign = browser("GET", Origin="https://elsewhere.example")
    assert "Access-Control-Allow-Origin" not in foreign.headers
    assert browser("OPTIONS", Origin=CONSOLE).status_code == 400


def test_a_star_exposes_what_there_is(azure: Any, browser: Any) -> None:
    rules = [{**RULE, "exposedHeaders": ["x-ms-blob-*", "*"]}]
    azure.storage().blob_services.set_service_properties(
        "demo", ACCOUNT, {"properties": {"cors": {"corsRules": rules}}}
    )
    exposed = browser("GET", Origin=CONSOLE).headers["Access-Control-Expose-Headers"].split(",")
    assert exposed[0] == "x-ms-blob-type"
    assert {"Content-Length", "Accept-Ranges"} <= set(exposed)
    assert not {"Content-Range", "*"} & set(exposed)


# -- the record and faults ---------------------------------------------------------------


def test_requests_are_recorded_as_operations(azure: Any) -> None:
    container = data(azure, CONTRIBUTOR)
    container.upload_blob("a/b", b"secret")
    container.download_blob("a/b").readall()
    calls = [call for call in azure.wire.calls() if call.operation.service == "blob"]
    told = [(c.operation.name, c.operation.resource, c.operation.write) for c in calls]
    assert told == [
        ("PutBlob", f"{ACCOUNT}/data/a/b", True),
        ("GetBlob", f"{ACCOUNT}/data/a/b", False),
    ]
    assert {call.operation.principal for call in calls} == {"data-1"}
    assert "secret" not in str([call.as_json() for call in calls])


def test_throttling(azure: Any, refused: Any) -> None:
    container = data(azure, CONTRIBUTOR)
    azure.wire.inject(FaultRule(FaultKind.THROTTLE, service="blob"))
    with refused("ServerBusy", status=503):
        list(container.list_blobs())
    assert len(list(container.list_blobs())) == 2
