"""The probe: a pod that is to cluster and cloud as the workloads' are, asked and removed again.

What it runs is `templates/pod_probe/`; what its answers mean, the checks say
(`checks/pods.py`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.addons.context import ClusterContext
from anyscale_k8s_cli.addons.credential_mounts import PodShare, mount_of
from anyscale_k8s_cli.addons.names import OPERATOR_RELEASE, SERVICE_ACCOUNT
from anyscale_k8s_cli.addons.placement import Placement
from anyscale_k8s_cli.addons.pod_settings import CA_BUNDLE, CA_VARIABLES, ca_share
from anyscale_k8s_cli.addons.storage_token import token_share
from anyscale_k8s_cli.cloud_side import CloudSide, Storage, WorkloadEndpoints
from anyscale_k8s_cli.cluster.documents import Document, Documents, Reference
from anyscale_k8s_cli.cluster.kubernetes import Kubernetes
from anyscale_k8s_cli.cluster.objects import INSTALL_LABEL, KubernetesObject, Surroundings
from anyscale_k8s_cli.cluster.one_off import OneOff
from anyscale_k8s_cli.cluster.pins import pins
from anyscale_k8s_cli.install import MARK_PREFIX, Install
from anyscale_k8s_cli.object_storage import POD_KEY
from anyscale_k8s_cli.pod_words import mirrored
from anyscale_k8s_cli.resource import Resource
from anyscale_k8s_cli.templates import load_program, load_yaml

NAME = "anyscale-k8s-probe"
# A pod that works as one of Ray's, and goes where those go.
FUNCTIONAL = "anyscale-k8s-functional"
FUNCTIONAL_GPU = "anyscale-k8s-functional-gpu"
# Seconds that Kubernetes leaves it beyond ours.
_GRACE = 60
# Some tenths of a second of one processor.
_ROUNDS = 200_000
_WHAT = {
    NAME: "probe",
    FUNCTIONAL: "functional check",
    FUNCTIONAL_GPU: "functional check of GPUs",
}
_PROGRAM = "pod_probe"
_NODE = {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}
_FOLDER = "/opt/anyscale-k8s"
# What this tool tells of the operator alone, and what makes its pods start anew.
_OTHERS = (f"{MARK_PREFIX}/", "kubectl.kubernetes.io/")
_NO_IMAGE = (
    "name an image with Python 3.8 or newer that the cluster can pull, such as your registry's "
    "copy, with --probe-image"
)


@dataclass(frozen=True)
class Question:
    """What the pod is to try.

    `storage` is the bucket, None where that is not asked; `endpoints` are the places that
    SDKs know by themselves. `hosts` are origins to reach: `https://host[:port]`,
    `http://host[:port]` or `tcp://host:port`. `work` is a text to work on, whose result goes
    into the bucket; `gpu` is whether it is to look for one. For `patience` seconds a denial of
    the bucket may be one that passes.
    """

    storage: Storage | None = None
    endpoints: WorkloadEndpoints = field(default_factory=WorkloadEndpoints)
    hosts: Sequence[str] = ()
    work: str = ""
    gpu: bool = False
    patience: float = 0.0

    @property
    def result(self) -> str:
        """What the work comes to."""
        return hashlib.pbkdf2_hmac("sha256", self.work.encode(), b"anyscale-k8s", _ROUNDS).hex()

    def as_json(self, key: str) -> dict[str, Any]:
        """`key` is of the object that is written."""
        asked: dict[str, Any] = {"hosts": list(self.hosts), "gpu": self.gpu}
        if self.work:
            asked["work"] = {"text": self.work, "rounds": _ROUNDS}
        if self.storage is not None:
            asked["store"] = {
                "url": self.storage.url,
                "key": key,
                "at": self.storage.endpoint or self.endpoints.storage,
                "tokens_at": self.endpoints.tokens,
                "region": self.storage.region,
                "addressing": self.storage.addressing,
                "checksums": self.storage.checksums,
                "patience": self.patience,
            }
        return asked


@dataclass(frozen=True)
class Answer:
    """One step, or one host: `step` is its name. What the fields mean, see `wire.described`."""

    part: str
    step: str
    ok: bool
    said: str = ""
    kind: str = ""
    code: str = ""
    status: int = 0
    stage: str = ""
    at: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class PodProbe:
    """Asks from inside one install's cluster.

    `cloud_side` tells what pods are given to be let into the store; `account` is the
    workloads' service account, `image` any with Python in it, else the pinned one, out of
    `registry` if there is one; `seconds` is the limit of it all.
    `name` is that of its objects; `placement` is the operator's own where nothing is said.
    """

    kubernetes: Kubernetes
    install: Install
    cloud_side: CloudSide | None
    image: str | None = None
    registry: str | None = None
    account: str = SERVICE_ACCOUNT
    tags: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 180.0
    name: str = NAME
    placement: Placement | None = None

    def ask(self, question: Question) -> tuple[Answer, ...]:
        """Every answer. Leaves nothing behind, and may be repeated after whatever interruption.

        Raises `timed-out`, `cluster-failed`, `foreign-object` and what the cluster raises:
        then nothing is known.
        """
        surroundings = Surroundings(self.kubernetes, self.install, self.tags)
        one_off = OneOff(
            self.kubernetes,
            self.install,
            surroundings.marked(self._job()),
            (surroundings.marked(self._config_map(question)),),
            _NO_IMAGE,
            self.seconds,
        )
        return answers(one_off.run())

    def _config_map(self, question: Question) -> Document:
        key = POD_KEY.format(name=self.name, install=self.install.id)
        asked = json.dumps(question.as_json(key), indent=2, sort_keys=True)
        manifest: Document = load_yaml(
            "pod_probe/config-map.yaml",
            {
                "name": self.name,
                "namespace": self.install.namespace,
                "files": {**load_program(_PROGRAM), "question.json": asked},
            },
        )
        return manifest

    def _job(self) -> Document:
        operator = Operator.read(self.kubernetes, self.install.namespace)
        share, place = _share(self.cloud_side), self.placement or operator.placement
        program = {"name": "program", "configMap": {"name": self.name}}
        mount = {"name": "program", "mountPath": f"{_FOLDER}/{_PROGRAM}", "readOnly": True}
        manifest: Document = load_yaml(
            "pod_probe/job.yaml",
            {
                "name": self.name,
                "namespace": self.install.namespace,
                "seconds": int(self.seconds) + _GRACE,
                "labels": {**operator.labels, INSTALL_LABEL: self.install.id},
                "annotations": operator.annotations,
                "service_account": self.account,
                "node_selector": place.node_selector,
                "affinity": place.affinity,
                "tolerations": place.tolerations,
                "resources": place.resources,
                "image_pull_secrets": operator.spec.get("imagePullSecrets") or [],
                "image": self.image or mirrored(pins().images["python"], self.registry),
                "folder": _FOLDER,
                "variables": [_NODE, *operator.ways_out, *share.variables],
                "sources": list(share.sources),
                "mounts": [mount, *share.mounts, *operator.trusted_mounts],
                "volumes": [program, *share.volumes, *operator.trusted],
            },
        )
        return manifest


def answers(log: str) -> tuple[Answer, ...]:
    """What the pod has told. Raises `cluster-failed` for a log that does not reach its end."""
    lines = [line for line in log.splitlines() if line.startswith("{")]
    try:
        found = [Answer(**json.loads(line)) for line in lines]
    except (ValueError, TypeError) as problem:
        raise _unreadable(log) from problem
    if not found or found[-1].part != "end":
        raise _unreadable(log)
    return tuple(found[:-1])


def _unreadable(log: str) -> errors.CliError:
    return errors.CliError(
        errors.CLUSTER_FAILED,
        "The probe's answer is not whole",
        cause="its log does not hold what its program writes",
        evidence=tuple(log.strip().splitlines()[-3:]),
        fix="run the same command again",
    )


def left_behind(
    context: ClusterContext, needs: Sequence[Resource[Any]]
) -> tuple[KubernetesObject, ...]:
    """For a teardown: what a run that was killed may have left."""
    if not context.teardown:
        return ()
    namespace = context.install.namespace
    return tuple(
        KubernetesObject(
            context.surroundings,
            Reference(api_version, kind, name, namespace),
            _never,
            title=f"{kind} of the {what}",
            needs=needs,
        )
        for name, what in _WHAT.items()
        for api_version, kind in (("batch/v1", "Job"), ("v1", "ConfigMap"))
    )


def _never() -> Mapping[str, Any]:
    raise AssertionError("a teardown makes no probe")


# -- as the workloads' pods are --------------------------------------------------------


@dataclass(frozen=True)
class Operator:
    """What the operator's pods have that ours need as well.

    `labels` are those beyond its selector's: webhooks and policies of networks go by them.
    `annotations` are those that nobody but the user has said. `ways_out` are the variables that
    lead out of a closed network; where they tell of authorities, `trusted` are their volumes.
    """

    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    spec: Mapping[str, Any]
    ways_out: Sequence[Document]
    trusted: Documents

    @property
    def trusted_mounts(self) -> Documents:
        return [ca_share()[1]] if self.trusted else []

    @property
    def placement(self) -> Placement:
        """Where its own pods go."""
        return Placement(
            self.spec.get("nodeSelector") or {},
            self.spec.get("affinity") or {},
            self.spec.get("tolerations") or [],
        )

    @classmethod
    def read(cls, kubernetes: Kubernetes, namespace: str) -> Operator:
        """Nothing in particular where it is not there."""
        found = kubernetes.get("apps/v1", "Deployment", OPERATOR_RELEASE, namespace)
        if found is None:
            return cls({}, {}, {}, (), [])
        template = found["spec"]["template"]
        selected = (found["spec"].get("selector") or {}).get("matchLabels") or {}
        metadata, spec = template["metadata"], template["spec"]
        return cls(
            {k: v for k, v in (metadata.get("labels") or {}).items() if k not in selected},
            {
                key: value
                for key, value in (metadata.get("annotations") or {}).items()
                if not key.startswith(_OTHERS)
            },
            spec,
            [item for item in spec["containers"][0].get("env") or () if _leads_out(item["name"])],
            [item for item in spec.get("volumes") or () if item["name"] == CA_BUNDLE],
        )


def _leads_out(variable: str) -> bool:
    return variable.upper().endswith("_PROXY") or variable in CA_VARIABLES


def _share(cloud_side: CloudSide | None) -> PodShare:
    """What brings the workloads' credentials into a pod where no webhook does."""
    if cloud_side is None:
        return PodShare()
    share = PodShare()
    if cloud_side.storage_keys is not None:
        share += mount_of(cloud_side.storage_keys.credentials).share()
    if cloud_side.token_audience:
        share += token_share(cloud_side.token_audience)
    return share
