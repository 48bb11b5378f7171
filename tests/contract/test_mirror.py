"""Charts and images for a registry of one's own: all of them, and nothing from elsewhere."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jsonschema
import pytest

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.addons import by_hand
from anyscale_k8s_cli.checks import Finding, Status, declared
from anyscale_k8s_cli.cluster.charts import Charts
from anyscale_k8s_cli.cluster.helm import Helm
from anyscale_k8s_cli.cluster.helm_executable import HelmExecutable
from anyscale_k8s_cli.cluster.pins import pins
from anyscale_k8s_cli.operations.mirror import context_of, supplies
from anyscale_k8s_cli.operations.rendering import images_in, parts, pod_checks
from anyscale_k8s_cli.operations.requests import HelmChoice, MirrorRequest
from anyscale_k8s_cli.pod_words import path_of
from anyscale_k8s_cli.provider import LoadBalancer
from anyscale_k8s_cli.provider_registry import PLATFORMS
from anyscale_k8s_cli.run import Run
from anyscale_k8s_cli.sandbox.charts.repository import ChartRepository
from anyscale_k8s_cli.sandbox.tls import Authority
from anyscale_k8s_cli.sandbox.wire import Wire
from anyscale_k8s_cli.spec_loading import load

REGISTRY = "registry.example:5000/mirror"
ELSEWHERE = re.compile(r"docker\.io|nvcr\.io|pkg\.dev|registry\.k8s\.io|quay\.io|ghcr\.io")
SCHEMA = Path(__file__).parents[2] / "docs" / "schemas" / "mirror.json"


class Mirror:
    """The stand-in charts in an index of one's own, and a machine that has nothing yet."""

    def __init__(self, helm: HelmExecutable, home: Path, repository: ChartRepository) -> None:
        self.wire, self.url, self.home = repository.wire, repository.url, home
        self.choice = HelmChoice(named=helm.path)
        self.environment = {"HOME": str(home), "SSL_CERT_FILE": str(home / "ca.pem")}
        self.helm = Helm(helm, None, Run(), self.environment, home / "helm")
        self.charts = Charts(self.helm, Run(), home / "cache", self.url)

    async def told(self, platform: str = "eks", **said: Any) -> dict[str, Any]:
        flags = {"provider": platform, **{key.replace("__", "."): said[key] for key in said}}
        request = MirrorRequest(environment=self.environment, flags=flags, helm=self.choice)
        run = Run()
        try:
            document = (await supplies(request, run)).as_json()
        finally:
            run.resources.close()
        jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text())).validate(document)
        return document

    async def rendered(self, platform: str, **said: Any) -> list[dict[str, Any]]:
        """All that goes into a cluster and describes pods, as setup would have it."""
        told = {key.replace("__", "."): value for key, value in said.items()}
        flags = {"provider": platform, "name": "prod", **told}
        spec = load(flags=flags, file=None, environment={}).spec
        context = context_of(spec, MirrorRequest(environment=self.environment), Run())
        documents = list(by_hand.gateway(context, LoadBalancer("somebody"), "cldrsrc_abc"))
        for part in parts(context):
            if not part.namespace:
                continue
            archive = await self.charts.fetch(part.chart)
            documents += await self.helm.template(
                part.release, part.namespace, archive, part.values, kubernetes_version="1.33.0"
            )
        return documents


@pytest.fixture
async def mirror(
    helm4: HelmExecutable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Mirror]:
    authority = Authority()
    (tmp_path / "ca.pem").write_bytes(authority.ca_pem)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    served = ChartRepository(Wire(), authority)
    await served.start()
    yield Mirror(helm4, tmp_path, served)
    await served.stop()


async def test_with_a_registry_no_other_is_left_on_any_platform(mirror: Mirror) -> None:
    for platform in PLATFORMS:
        documents = await mirror.rendered(platform, pods__image_registry=REGISTRY)
        images = set(images_in(documents))
        assert len(images) >= 5, platform
        assert {image for image in images if not image.startswith(f"{REGISTRY}/")} == set()
        assert ELSEWHERE.findall(json.dumps(documents)) == []

    own = {"pods__image_registry": REGISTRY, "network__kind": "nginx"}
    by_ingresses = await mirror.rendered("eks", **own)
    assert any("ingress-nginx/controller" in image for image in images_in(by_ingresses))
    assert ELSEWHERE.findall(json.dumps(by_ingresses)) == []

    said = {"charts__mirror": mirror.url, "pods__image_registry": REGISTRY}
    nginx = (await mirror.told("eks", **own, charts__mirror=mirror.url))["images"]
    assert {item["target"] for item in nginx} >= set(images_in(by_ingresses))
    assert not [item for item in nginx if "envoyproxy" in item["image"]]
    listed = (await mirror.told(platform, **said))["images"]
    proxy = next(item for item in documents if item["kind"] == "EnvoyProxy")
    proxied = proxy["spec"]["provider"]["kubernetes"]["envoyDeployment"]["container"]["image"]
    probe = f"{REGISTRY}/library/{pins().images['python'].rpartition('/')[2]}"
    assert {item["target"] for item in listed} == images | {proxied, probe}
    assert [item for item in listed if not item["target"].endswith(path_of(item["image"]))] == []


async def test_what_is_not_on_this_machine_is_named_with_the_command_and_nobody_is_asked(
    mirror: Mirror,
) -> None:
    document = await mirror.told(pods__image_registry=REGISTRY, network__crds="never")

    assert [chart["here"] for chart in document["charts"]] == [False] * 3
    assert [text.split(":")[0] for text in document["unknown"]] == [
        *("the images of gateway-helm", "the images of nvidia-device-plugin"),
        "the images of anyscale-operator",
    ]
    assert document["next"] == (
        f"anyscale mirror list --provider eks --network-crds never --image-registry {REGISTRY} "
        "--fetch"
    )
    assert mirror.wire.calls() == []


async def test_charts_of_a_mirror_come_with_their_digest_and_stay(mirror: Mirror) -> None:
    first = await mirror.told(charts__mirror=mirror.url, gpu="off")
    asked = len(mirror.wire.calls())
    again = await mirror.told(charts__mirror=mirror.url, gpu="off")

    assert again == first
    assert len(mirror.wire.calls()) == asked
    assert first["unknown"] == []
    assert first["next"] is None
    assert {chart["name"] for chart in first["charts"]} == set(pins().charts) - {
        "nvidia-device-plugin",
        "ingress-nginx",
    }
    assert all(re.fullmatch(r"[0-9a-f]{64}", chart["sha256"]) for chart in first["charts"])
    assert {image["target"] for image in first["images"]} == {None}
    by_name = {image["image"]: image for image in first["images"]}
    assert by_name["timberio/vector:0.40.0-debian"]["used_by"] == ["anyscale-operator"]
    assert by_name[pins().images["envoy"]]["when"] is None


async def test_ones_own_gateway_and_images_are_heeded(mirror: Mirror) -> None:
    document = await mirror.told(
        charts__mirror=mirror.url,
        existing__gateway="ingress/shared",
        gpu="off",
        probe__image="tools.example/python@sha256:" + "0" * 64,
        operator__values={"operator": {"vector": {"image": {"tag": "mine"}}}},
        pods__image_registry=REGISTRY,
    )

    assert [chart["name"] for chart in document["charts"]] == ["anyscale-operator"]
    by_name = {image["image"]: image for image in document["images"]}
    assert by_name["timberio/vector:mine"]["target"] == f"{REGISTRY}/timberio/vector:mine"
    (own,) = [image for name, image in by_name.items() if "tools.example" in name]
    assert (own["target"], own["digest"]) == (None, "sha256:" + "0" * 64)


async def test_a_version_that_no_mirror_has_is_an_error(mirror: Mirror) -> None:
    with pytest.raises(errors.CliError) as caught:
        await mirror.told(charts__mirror=mirror.url, operator__version="9.9.9")
    assert caught.value.code is errors.CHART_UNAVAILABLE


async def test_what_ones_own_values_or_a_chart_keep_from_pods_is_told(mirror: Mirror) -> None:
    pods = {
        "pods.image_registry": REGISTRY,
        "pods.tolerations": ("dedicated:NoSchedule",),
        "pods.node_selector": {"pool": "ml"},
        "pods.labels": {"team": "ml"},
        "pods.https_proxy": "http://proxy.example:3128",
        "pods.image_pull_secrets": ("mirror",),
    }

    async def found(**values: Any) -> Finding:
        said = {"provider": "aws", "name": "prod", "charts.mirror": mirror.url, **pods}
        flags = {**said, **{key.replace("__", "."): values[key] for key in values}}
        spec = load(flags=flags, file=None, environment={}).spec
        known = context_of(spec, MirrorRequest(environment=mirror.environment), Run())
        run = Run()
        run.loop = asyncio.get_running_loop()
        context: Any = SimpleNamespace(
            **{item.name: getattr(known, item.name) for item in fields(known)},
            pods=known.pods,
            charts=mirror.charts,
            helm=mirror.helm,
            run=run,
        )
        (check,) = pod_checks(context)
        return await asyncio.to_thread(check.run)

    assert (await found()).status is Status.PASS
    own = {
        "operator": {
            "vector": {"image": {"registry": "tools.example"}},
            "nodeSelector": {"pool": "it"},
        }
    }
    controller = {"global": {"imagePullSecrets": []}, "certgen": {"job": {"tolerations": []}}}
    lacking = await found(operator__values=own, addons__gateway__values=controller)
    assert declared.POD_SETTINGS.code == "pod-settings"
    assert lacking.status is Status.FAIL
    assert set(lacking.evidence) == {
        "Deployment envoy-gateway: not pulled with mirror",
        "Job eg-gateway-helm-certgen: does not tolerate dedicated:NoSchedule; not pulled with "
        "mirror",
        "Deployment anyscale-operator: no node selector pool=ml; image tools.example/timberio/"
        "vector:0.40.0-debian",
    }
    of_hook = {"workloads": {"instanceTypes": {"validationHook": {"enabled": True}}}}
    hook = await found(operator__values=of_hook)
    assert hook.evidence == ("Job anyscale-operator-instance-types-validation: no label team=ml",)
