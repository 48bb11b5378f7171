"""What the stand-in refuses, as Oracle does: asked with Oracle's own SDK."""

from __future__ import annotations

import base64
import hashlib
import http.client
from typing import Any
from urllib.parse import urlsplit

import oci
import pytest
from oci.exceptions import ServiceError
from oci.identity import IdentityClient, models
from oci.object_storage import ObjectStorageClient
from oci.object_storage.models import UpdateBucketDetails
from oci.retry import NoneRetryStrategy

from anyscale_k8s_cli.sandbox.oci.seed import NAMESPACE, REGION, TENANCY_ID
from anyscale_k8s_cli.sandbox.oci.signatures import ApiKey

from .conftest import World


def client(world: World, kind: Any, region: str = REGION, **config: str) -> Any:
    found = oci.config.from_file()
    return kind(
        {**found, **config},
        service_endpoint=world.stand_in.oci.url.replace("{region}", region),
        retry_strategy=NoneRetryStrategy(),
    )


def refused(call: Any, *arguments: Any, **more: Any) -> tuple[int, str]:
    with pytest.raises(ServiceError) as caught:
        call(*arguments, **more)
    return caught.value.status, caught.value.code


def test_a_key_that_is_not_known_is_refused(world: World) -> None:
    stranger = ApiKey()
    asked = client(
        world,
        IdentityClient,
        key_content=stranger.pem,
        fingerprint=stranger.fingerprint,
        key_file="",
    )
    assert refused(asked.list_users, TENANCY_ID) == (401, "NotAuthenticated")


def test_a_key_of_another_one_under_a_known_name_is_refused(world: World) -> None:
    asked = client(world, IdentityClient, key_content=ApiKey().pem, key_file="")
    assert refused(asked.list_users, TENANCY_ID) == (401, "NotAuthenticated")


@pytest.mark.parametrize("spoilt", ["body", "digest", "nothing is signed"])
def test_what_was_changed_on_the_way_is_refused(world: World, spoilt: str) -> None:
    url = world.stand_in.oci.url.replace("{region}", REGION) + "/20160918/users"
    body = b'{"compartmentId":"%s","name":"n","description":"d"}' % TENANCY_ID.encode()
    request = oci._vendor.requests.Request("POST", url, data=body).prepare()
    oci.signer.Signer.from_config(oci.config.from_file()).do_request_sign(request)
    headers = dict(request.headers)
    sent = body.replace(b'"n"', b'"m"')
    if spoilt == "digest":
        digest = hashlib.sha256(sent).digest()
        headers["x-content-sha256"] = base64.b64encode(digest).decode()
    if spoilt == "nothing is signed":
        sent = body
        del headers["authorization"]
    split = urlsplit(url)
    connection = http.client.HTTPConnection(split.netloc)
    connection.request("POST", split.path, sent, headers)
    assert connection.getresponse().status == 401
    connection.close()
    assert not [item for item in world.snapshot()["users"].values() if item["name"] in "nm"]


def test_identity_is_not_changed_elsewhere_than_at_home(world: World) -> None:
    asked = client(world, IdentityClient, "us-phoenix-1")
    details = models.CreateGroupDetails(compartment_id=TENANCY_ID, name="g", description="d")
    assert refused(asked.create_group, details) == (403, "NotAllowed")
    assert asked.list_groups(TENANCY_ID).data


def test_a_user_has_two_secret_keys_at_most_and_their_secrets_are_told_once(world: World) -> None:
    asked, user = client(world, IdentityClient), world.stand_in.oci.outsider_id
    details = models.CreateCustomerSecretKeyDetails(display_name="k")
    made = [asked.create_customer_secret_key(details, user).data for _ in range(2)]
    assert all(item.key for item in made)
    assert refused(asked.create_customer_secret_key, details, user)[1] == "LimitExceeded"
    listed = asked.list_customer_secret_keys(user).data
    assert {item.id for item in listed} == {item.id for item in made}
    assert not [item for item in listed if hasattr(item, "key")]


def test_what_is_denied_looks_as_if_it_were_not_there(world: World) -> None:
    outsider = world.stand_in.oci.outsider_id
    key = world.stand_in.oci.another_key(outsider)
    config = {"user": outsider, "key_content": key.pem, "fingerprint": key.fingerprint}
    asked = client(world, IdentityClient, key_file="", **config)
    denied = refused(asked.get_user, world.stand_in.oci.admin_id)
    assert denied == refused(client(world, IdentityClient).get_user, "ocid1.user.oc1..none")
    assert denied == (404, "NotAuthorizedOrNotFound")


def test_users_and_groups_must_be_empty(world: World) -> None:
    asked, tenancy = client(world, IdentityClient), world.stand_in.oci.tenancy
    user, group = tenancy.add("user", "u").id, tenancy.add("group", "g").id
    tenancy.join(user, group)
    assert refused(asked.delete_user, user)[0] == 409
    assert refused(asked.delete_group, group)[0] == 409


def test_a_policy_must_be_understood(world: World) -> None:
    asked = client(world, IdentityClient)
    for statement in ("Allow everybody all", "Allow group id x to read buckets in tenancy"):
        details = models.CreatePolicyDetails(
            compartment_id=TENANCY_ID, name="p", description="d", statements=[statement]
        )
        assert refused(asked.create_policy, details) == (400, "InvalidParameter")


def test_a_change_of_what_somebody_else_changed_is_refused(world: World) -> None:
    world.stand_in.store.store.create_bucket("b")
    asked = client(world, ObjectStorageClient)
    seen = asked.get_bucket(NAMESPACE, "b").headers["etag"]
    details = UpdateBucketDetails(freeform_tags={"a": "b"})
    asked.update_bucket(NAMESPACE, "b", details, if_match=seen)
    assert refused(asked.update_bucket, NAMESPACE, "b", details, if_match=seen)[0] == 412
    many = UpdateBucketDetails(freeform_tags={str(number): "x" for number in range(11)})
    assert refused(asked.update_bucket, NAMESPACE, "b", many)[0] == 400
