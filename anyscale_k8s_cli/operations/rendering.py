"""The charts of a setup, rendered with its values before anything is there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from anyscale_k8s_cli.addons import gateway_controller, gpu, nginx
from anyscale_k8s_cli.addons.context import ClusterContext, InstallContext
from anyscale_k8s_cli.addons.gateway_definitions import CHART as DEFINITIONS
from anyscale_k8s_cli.addons.names import OPERATOR_CHART, OPERATOR_RELEASE
from anyscale_k8s_cli.addons.operator import values_for
from anyscale_k8s_cli.addons.reached import unreached
from anyscale_k8s_cli.addons.values import merged
from anyscale_k8s_cli.checks import BoundCheck, Finding, Status, declared, passed
from anyscale_k8s_cli.cluster.charts import CHART_VERSION, ChartArchive, older
from anyscale_k8s_cli.cluster.documents import Documents
from anyscale_k8s_cli.cluster.helm import Helm
from anyscale_k8s_cli.cluster.shared_releases import SharedHelmRelease
from anyscale_k8s_cli.plan import Plan, PlannedChange
from anyscale_k8s_cli.resource import FieldChange
from anyscale_k8s_cli.spec import makes_gateway

ALWAYS = ""
_WITH_GPUS = "nodes have GPUs that nobody else serves"
# What charts demand, and on which no pod depends.
_STAND_IN = {"global": {"auth": {"anyscaleCliToken": "unknown"}, "aws": {"region": "unknown"}}}
_KUBERNETES = "1.33.0"


@dataclass(frozen=True)
class Part:
    """A chart with the values that it would be given; `when` is empty for what always comes."""

    chart: str
    release: str
    namespace: str
    values: Mapping[str, Any]
    when: str = ALWAYS
    version: str | None = None
    source: str | None = None


def parts(context: InstallContext) -> Iterator[Part]:
    """The charts that a setup would install or apply."""
    spec, place = context.spec, context.install.namespace
    if makes_gateway(spec):
        if spec.network.crds == "auto":
            yield Part(DEFINITIONS, "definitions", "", {})
        yield Part(
            gateway_controller.CHART,
            gateway_controller.RELEASE,
            gateway_controller.NAMESPACE,
            gateway_controller.controller_values(context),
        )
    if spec.network.kind == "nginx":
        yield Part(nginx.CHART, nginx.RELEASE, place, nginx.nginx_values(context, None, {}))
    if spec.gpu == "auto":
        # Where nothing names GPUs of itself, the plugin's other programs come with it.
        everything = {"gfd": {"enabled": True}}
        values = merged(everything, gpu.pod_values(context.pods, {}), spec.addons.gpu_plugin.values)
        yield Part(gpu.CHART, gpu.RELEASE, gpu.NAMESPACE, values, _WITH_GPUS)
    values = values_for(context, None, "cldrsrc_any", None, _STAND_IN)
    yield Part(
        OPERATOR_CHART,
        OPERATOR_RELEASE,
        place,
        values,
        version=spec.operator.version,
        source=spec.operator.chart,
    )


async def rendered(helm: Helm, part: Part, archive: ChartArchive) -> Documents:
    """All that a chart describes, hooks included; nothing of one that has no pods."""
    if part.chart == DEFINITIONS:
        return []
    return await helm.template(
        part.release, part.namespace, archive, part.values, kubernetes_version=_KUBERNETES
    )


def images_in(value: Any) -> Iterator[str]:
    """Of every pod that is described anywhere in it."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key in ("containers", "initContainers") and isinstance(inner, list):
                yield from (str(item["image"]) for item in inner if item.get("image"))
            else:
                yield from images_in(inner)
    elif isinstance(value, list):
        for item in value:
            yield from images_in(item)


def pod_checks(context: ClusterContext) -> Iterator[BoundCheck]:
    """Charts are rendered for those alone who have said something of pods."""
    if context.pods.as_json() is not None:
        yield declared.POD_SETTINGS.bind(lambda: pods_reached(context))


def pod_notes(context: ClusterContext, plan: Plan) -> Iterator[str]:
    """What of that which was said of pods does not reach them."""
    if context.pods.as_json() is None:
        return
    yield from context.pods.notes()
    for item in plan.changes:
        resource, observed = item.resource, item.observed
        if not isinstance(resource, SharedHelmRelease) or observed is None:
            continue
        if resource.serves_others(observed):
            yield f"{resource.title}: others use it too, and its pods stay as they are"


def version_change(item: PlannedChange) -> FieldChange | None:
    """How a chart's version becomes another; None where it stays."""
    return next((it for it in item.decision.fields if it.field == CHART_VERSION), None)


def taken_back(plan: Plan) -> Iterator[str]:
    """Which charts would be older than they are."""
    for item in plan.writes:
        change = version_change(item)
        if change is not None and older(str(change.new), str(change.old)):
            yield (
                f"{item.resource.title}: {CHART_VERSION} {change.new} is older than what is "
                f"installed ({change.old})"
            )


def pods_reached(context: ClusterContext) -> Finding:
    """Whether what was said of pods is in all that the charts make of it, here and now."""
    lacking: list[str] = []
    for part in parts(context):
        if part.chart != DEFINITIONS:
            fetched = context.charts.fetch(part.chart, part.version, part.source)
            documents = rendered(context.helm, part, context.run.await_(fetched))
            outside = part.chart == OPERATOR_CHART
            lacking += unreached(context.run.await_(documents), context.pods, outside=outside)
    if not lacking:
        return passed()
    return Finding(
        Status.FAIL,
        lacking[0] + (f", and {len(lacking) - 1} more" if lacking[1:] else ""),
        tuple(lacking),
        fix="leave out what your own Helm values say otherwise, or name the chart's tested version",
    )
