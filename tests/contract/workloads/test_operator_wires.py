"""The stand-in operator is well only if every wire is right; each wrong one has its own failure."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio

from anyscale_k8s_cli.controlplane.models import KubernetesConfig, ObjectStorage
from anyscale_k8s_cli.sandbox.aws.seed import OTHER_ACCOUNT_ID

from .conftest import (
    ACCOUNT,
    BUCKET_ACTIONS,
    REGION,
    TOKEN,
    Install,
    World,
    eventually,
    running,
)

NOT_ADMITTED = "AccessDenied"

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def operators() -> AsyncIterator[World]:
    """One world for all tests, which leave to others what they share."""
    async with running() as world:
        yield world


@pytest_asyncio.fixture(loop_scope="module")
async def install(operators: World) -> AsyncIterator[Install]:
    """An install of each test's own."""
    number = len(operators.plane.snapshot()["clouds"]) + 1
    made = await operators.add(f"prod-{number}", f"anyscale-operator-{number}")
    yield made
    made.stop()


def delete_role(install: Install) -> None:
    iam = install.world.client("iam")
    iam.delete_role_policy(RoleName=install.role, PolicyName="bucket")
    iam.delete_role(RoleName=install.role)


def remove_audience(world: World) -> None:
    iam = world.client("iam")
    (provider,) = iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]
    iam.remove_client_id_from_open_id_connect_provider(
        OpenIDConnectProviderArn=provider["Arn"], ClientID="sts.amazonaws.com"
    )


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (
            lambda i: i.set_trust(i.trust("system:serviceaccount:elsewhere:anyscale-operator")),
            NOT_ADMITTED,
        ),
        (
            lambda i: i.set_trust(i.trust(f"system:serviceaccount:{i.namespace}:default")),
            NOT_ADMITTED,
        ),
        (lambda i: i.set_trust(i.trust(audience="another.example.com")), NOT_ADMITTED),
        (lambda i: i.set_trust(i.trust(account=OTHER_ACCOUNT_ID)), NOT_ADMITTED),
        (delete_role, NOT_ADMITTED),
    ],
    ids=[
        "another-namespace",
        "another-service-account",
        "another-audience",
        "another-account",
        "no-role",
    ],
)
async def test_a_role_that_does_not_admit_it(
    install: Install, spoil: Callable[[Install], None], told: str
) -> None:
    await asyncio.to_thread(spoil, install)
    install.start()
    await install.never_admitted(told)


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (World.delete_provider, "No OpenIDConnect provider found"),
        (remove_audience, "Incorrect token audience"),
    ],
    ids=["no-provider", "no-client-id"],
)
async def test_an_account_that_does_not_know_the_clusters_tokens(
    install: Install, spoil: Callable[[World], None], told: str
) -> None:
    world = install.world
    await asyncio.to_thread(spoil, world)
    try:
        install.start()
        await install.never_admitted(told)
    finally:
        await asyncio.to_thread(world.delete_provider)
        await asyncio.to_thread(world.make_provider)


async def test_another_role_than_the_registered_one(install: Install) -> None:
    config = KubernetesConfig(anyscale_operator_iam_identity=f"{install.role_arn}-other")
    await asyncio.to_thread(lambda: install.register(kubernetes_config=config))
    install.start()
    await install.never_admitted("does not match the registered")


async def test_no_registered_identity(install: Install) -> None:
    await asyncio.to_thread(lambda: install.register(kubernetes_config=KubernetesConfig()))
    install.start()
    await install.never_admitted("names no operator identity")


async def test_an_id_that_is_not_registered(install: Install) -> None:
    install.start(ANYSCALE_CLOUD_DEPLOYMENT_ID="cldrsrc_absent")
    await install.never_admitted("cldrsrc_absent is not registered")


async def test_another_control_plane(install: Install) -> None:
    install.start(ANYSCALE_CONTROL_PLANE_URL="http://127.0.0.1:9")
    await install.never_admitted("no answer from the control plane")


async def test_no_identity_at_all(install: Install) -> None:
    store = install.world.store
    account = store.get("serviceaccounts", install.namespace, ACCOUNT)
    account["metadata"]["annotations"] = {}
    store.update("serviceaccounts", account)
    install.start()
    await install.never_admitted("no EC2 IMDS role found")


async def test_a_token_that_is_not_valid(install: Install) -> None:
    install.start(ANYSCALE_CLI_TOKEN="aph0_wrong")
    await install.never_admitted("token is not valid")


async def test_a_token_that_ended(install: Install) -> None:
    accounts = install.world.plane.accounts
    accounts.expire(TOKEN)
    try:
        install.start(ANYSCALE_CLI_TOKEN=TOKEN)
        await install.never_admitted("token is not valid")
    finally:
        accounts.renew(TOKEN)


async def test_a_key_that_is_revoked_shuts_the_operator_out_with_its_own_cause(
    install: Install,
) -> None:
    accounts = install.world.plane.accounts
    bot = accounts.add_service_account("operator")
    token = accounts.mint(bot.id, 3600, "key")
    install.start(ANYSCALE_CLI_TOKEN=token)
    await eventually(lambda: install.status == "HEALTHY")

    accounts.revoke(accounts.keys_of(bot.id)[0].id)

    await eventually(lambda: install.status == "DISCONNECTED")
    await eventually(lambda: "have been revoked" in install.events())


async def test_a_token_instead_of_an_identity(install: Install) -> None:
    install.start(ANYSCALE_CLI_TOKEN=TOKEN)
    await eventually(lambda: install.status == "HEALTHY")
    assert "Anyscale token" in install.finding("IAM_IDENTITY")[1]


async def unwell(install: Install, component: str, told: str) -> None:
    """Return once the operator reports this of a component; it must not be ready then."""

    def told_so() -> bool:
        status, details = install.finding(component)
        return status == "UNHEALTHY" and told in details

    await eventually(told_so)
    assert install.status == "UNHEALTHY"
    assert not install.ready()


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"ANYSCALE_GATEWAY_HOSTNAME": "stale.elb.example.com"}, "has the address {}"),
        ({"ANYSCALE_GATEWAY_HOSTNAME": ""}, "neither networking.gateway.hostname"),
        ({"ANYSCALE_GATEWAY_NAME": "none"}, "none not found"),
    ],
    ids=["stale", "none-given", "no-gateway"],
)
async def test_another_address_than_the_gateways(
    install: Install, variables: dict[str, str], told: str
) -> None:
    install.start(**variables)
    await unwell(install, "GATEWAY_RESOURCES", told.format(install.address))


async def test_a_gateway_without_an_address(install: Install) -> None:
    store, kind = install.world.store, "gateways.gateway.networking.k8s.io"
    store.set_status(kind, store.get(kind, install.namespace, "gateway"), {"addresses": []})
    install.start()
    await unwell(install, "GATEWAY_RESOURCES", "no controller has taken it up")


async def test_instance_types_that_nobody_made(install: Install) -> None:
    install.world.store.delete("configmaps", install.namespace, "instance-types")
    install.start()
    await unwell(install, "INSTANCE_TYPES", "instance-types not found")


@pytest.mark.parametrize("missing", BUCKET_ACTIONS)
async def test_a_policy_that_lacks_an_action(install: Install, missing: str) -> None:
    kept = [action for action in BUCKET_ACTIONS if action != missing]
    await asyncio.to_thread(install.grant, *kept)
    install.start()
    await unwell(install, "STORAGE_BUCKET", f"no identity-based policy allows the {missing} action")


async def test_a_policy_for_another_bucket(install: Install) -> None:
    await asyncio.to_thread(lambda: install.grant(*BUCKET_ACTIONS, bucket="another"))
    install.start()
    await unwell(install, "STORAGE_BUCKET", "s3:PutObject")


@pytest.mark.parametrize(
    ("bucket", "region", "told"),
    [("s3://absent", REGION, "NoSuchBucket"), ("", "eu-west-1", "AuthorizationHeaderMalformed")],
    ids=["no-bucket", "another-region"],
)
async def test_a_bucket_that_is_not_where_it_should_be(
    install: Install, bucket: str, region: str, told: str
) -> None:
    storage = ObjectStorage(bucket_name=bucket or f"s3://{install.bucket}", region=region)
    await asyncio.to_thread(lambda: install.register(object_storage=storage))
    install.start()
    await unwell(install, "STORAGE_BUCKET", told)


async def test_missing_permissions_in_the_cluster(install: Install) -> None:
    store = install.world.store
    role = store.get("roles.rbac.authorization.k8s.io", install.namespace, "operator")
    role["rules"] = role["rules"][:1]
    store.update("roles.rbac.authorization.k8s.io", role)
    install.start()
    await unwell(install, "KUBERNETES_PERMISSIONS", "create httproutes")
    assert "cannot get" in install.finding("GATEWAY_RESOURCES")[1]


async def test_the_role_of_another_install(operators: World) -> None:
    """Two namespaces of one cluster: each role admits its own service account alone."""
    first = await operators.add("first", "team-a")
    second = await operators.add("second", "team-b")
    account = operators.store.get("serviceaccounts", second.namespace, ACCOUNT)
    account["metadata"]["annotations"] = {"eks.amazonaws.com/role-arn": first.role_arn}
    operators.store.update("serviceaccounts", account)
    first.start()
    second.start()
    await second.never_admitted(NOT_ADMITTED)
    await first.healthy()
    first.stop()
    second.stop()
