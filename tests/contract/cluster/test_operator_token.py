"""The operator's token in the cluster: real helm, the stand-in chart, a control plane for keys."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.addons import ClusterSide
from anyscale_k8s_cli.addons.token_values import PLACEHOLDER, installed_tokens, told_token
from anyscale_k8s_cli.addons.values_file import render
from anyscale_k8s_cli.cluster.documents import Reference
from anyscale_k8s_cli.controlplane.client import ControlPlane
from anyscale_k8s_cli.controlplane.credentials import Credentials
from anyscale_k8s_cli.controlplane.service_accounts import ServiceAccounts
from anyscale_k8s_cli.operations import rotation
from anyscale_k8s_cli.operations.requests import HelmChoice, RotateRequest
from anyscale_k8s_cli.operations.workbench import OpenCluster
from anyscale_k8s_cli.operator_token import OperatorToken, SignIn
from anyscale_k8s_cli.plan import compute
from anyscale_k8s_cli.provider import Cluster
from anyscale_k8s_cli.resource import Rights
from anyscale_k8s_cli.sandbox.charts.repository import ChartRepository
from anyscale_k8s_cli.sandbox.controlplane.server import ControlPlaneStandIn
from anyscale_k8s_cli.sandbox.wire import Wire
from anyscale_k8s_cli.spec import CloudSpec

from .site import CPU, Site, make_site

PERSON = "aph0_MARKER-of-a-person"
OURS = Reference("v1", "Secret", "anyscale-cli-token", "ray")
KINDS = (
    *(("v1", kind) for kind in ("Namespace", "Secret", "ConfigMap", "Pod", "Event", "Service")),
    *(("v1", kind) for kind in ("ServiceAccount",)),
    *(("apps/v1", kind) for kind in ("Deployment", "ReplicaSet")),
)


@dataclass
class Signing:
    """A cluster, and the control plane at which its operator's keys are."""

    site: Site
    stand_in: ControlPlaneStandIn
    accounts: ServiceAccounts
    helm: Path
    folder: Path
    charts: ChartRepository

    def side(self) -> ClusterSide:
        return self.site.install(accounts=self.accounts, spec=CPU)

    def set_up(self) -> OperatorToken:
        side = self.side()
        self.site.world.apply(side.resources)
        assert side.token is not None
        side.token.retire()
        return side.token.token.output

    def sign_in(self, **more: Any) -> SignIn:
        return SignIn(self.accounts, self.side().namespace.install, **more)

    def rotation(self) -> tuple[Any, Any]:
        """The resources of a rotation: release and parts of the token."""
        kubernetes = self.site.tools.kubernetes
        cluster = Cluster("one", "cluster/one", "1", "eu-west-1", "1.33", kubernetes.access)
        opened = OpenCluster(cluster, kubernetes, "uid-1", ())
        spec = CloudSpec(
            provider="generic",
            name="prod",
            namespace="ray",
            charts={"mirror": self.charts.url},
        )
        environment = {"PATH": "/usr/bin:/bin", "SSL_CERT_FILE": str(self.folder / "ca.pem")}
        request = RotateRequest(environment=environment, helm=HelmChoice(self.helm))
        return asyncio.run(
            rotation._release(request, self.sign_in(renew=True), opened, spec, self.site.world.run)
        )

    def live(self) -> set[str]:
        accounts = self.stand_in.accounts
        people = accounts.service_accounts()
        return {key.id for one in people for key in accounts.live_keys(one.id)}

    def secret(self) -> str:
        found = self.site.world.kubernetes.get("v1", "Secret", OURS.name, OURS.namespace)
        return base64.b64decode(found["data"]["ANYSCALE_CLI_TOKEN"]).decode()


def signing_in(make_world: Any, helm: Any, folder: Path) -> Iterator[Signing]:
    site = make_site(make_world, helm, folder)
    stand_in = ControlPlaneStandIn(Wire(), PERSON)
    site.world.add(stand_in.start(), stand_in.stop)
    charts = ChartRepository(site.world.wire, site.world.authority)
    site.world.add(charts.start(), charts.stop)
    credentials = Credentials(stand_in.url, PERSON, "the test")
    plane = ControlPlane(credentials, site.world.run, environ={})
    yield Signing(site, stand_in, ServiceAccounts(plane), helm.path, folder, charts)
    plane.close()


@pytest.fixture
def signing(make_world: Any, helm3: Any, tmp_path: Path) -> Iterator[Signing]:
    yield from signing_in(make_world, helm3, tmp_path)


@pytest.fixture(scope="module")
def set_up(
    make_lasting_world: Any, helm3: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Signing, OperatorToken]]:
    """An install, and its token. All tests but the last only look."""
    for signing in signing_in(make_lasting_world, helm3, tmp_path_factory.mktemp("site")):
        yield signing, signing.set_up()


def unpacked(item: dict[str, Any]) -> str:
    """An object with what Helm has packed in it."""
    text = json.dumps(item)
    if item.get("type") == "helm.sh/release.v1":
        packed = base64.b64decode(base64.b64decode(item["data"]["release"]))
        text += gzip.decompress(packed).decode()
    if item.get("kind") == "Secret":
        text += "".join(
            base64.b64decode(value).decode(errors="replace")
            for value in (item.get("data") or {}).values()
        )
    return text


def test_a_token_is_where_it_is_documented_and_nowhere_else(
    set_up: tuple[Signing, OperatorToken],
) -> None:
    signing, token = set_up
    world = signing.site.world

    holding = {
        str(Reference.of(item))
        for kind in KINDS
        for item in world.kubernetes.list(*kind)
        if token.token in unpacked(item)
    }

    assert signing.secret() == token.token
    released = {name for name in holding if "sh.helm.release.v1.anyscale-operator" in name}
    assert released
    assert holding == {str(OURS), *released}
    said = [repr(event) for event in world.events]
    assert [line for line in said if token.token in line or PERSON in line] == []


def test_setup_again_changes_nothing_and_a_token_put_in_its_place_is_noticed(
    set_up: tuple[Signing, OperatorToken],
) -> None:
    signing, token = set_up
    world = signing.site.world
    assert world.changes(signing.side().resources) == {}
    assert installed_tokens(world.kubernetes, "ray").keys == {token.key_id}

    values = dict(signing.side().operator.read().output.values)  # type: ignore[union-attr]
    values["global"] = {**values["global"], "auth": {"anyscaleCliToken": "aph0_another"}}
    assert told_token(values) is None


def test_a_file_of_values_holds_no_token_and_says_how_to_give_it(
    set_up: tuple[Signing, OperatorToken],
) -> None:
    signing, token = set_up
    side = signing.side()
    found = side.operator.read()
    assert found is not None

    text = render(found.output.values, side.namespace.install)

    assert token.token not in text
    assert yaml.safe_load(text)["global"]["auth"]["anyscaleCliToken"] == PLACEHOLDER
    assert "anyscaleCliToken: %s" in text


def test_where_there_is_no_key_there_is_none_to_rotate(signing: Signing) -> None:
    with pytest.raises(errors.CliError) as missing:
        signing.rotation()
    assert missing.value.code is errors.NO_OPERATOR_TOKEN
    assert "not installed" in missing.value.message

    side = signing.site.install(spec=CPU)
    signing.site.world.apply(side.resources)
    with pytest.raises(errors.CliError) as other:
        signing.rotation()
    assert other.value.code is errors.NO_OPERATOR_TOKEN


def test_a_rotation_gives_the_release_a_new_key_and_pods_that_use_it(
    set_up: tuple[Signing, OperatorToken],
) -> None:
    signing, old = set_up
    before = signing.side().operator.read()
    release, parts = signing.rotation()
    plan = asyncio.run(compute((*parts.resources, release), Rights(), signing.site.world.run))
    assert [item.change.value for item in plan.changes] == ["none", "update", "update"]

    signing.site.world.apply((*parts.resources, release))

    new = parts.token.output
    assert signing.secret() == new.token != old.token
    assert signing.live() == {old.key_id, new.key_id}  # until the operator is known to be well
    assert parts.retire() == (old.key_id,)
    assert signing.live() == {new.key_id}
    assert installed_tokens(signing.site.world.kubernetes, "ray").pods == {new.key_id}
    after = signing.side().operator.read()
    assert before is not None
    assert after is not None
    assert after.output.chart_version == before.output.chart_version
    assert signing.site.world.changes(signing.side().resources) == {}
