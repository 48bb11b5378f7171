"""A cloud in the sandbox, somebody who spoils it, and somebody who pastes what is printed."""

from __future__ import annotations

import base64
import shlex
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.by_hand import ByHand
from tests.processes import UNTRIED, Ended, Sandbox

# How each platform's cluster is named, and its context in the kubeconfig of the sandbox.
WHERE: Mapping[str, tuple[str, str]] = {
    "eks": ("--cluster-name demo --region us-west-2 --kms-key alias/team-data", "arn:aws:eks:"),
    "gke": (
        "--cluster-name demo --region us-central1 --project-id demo",
        "gke_demo_us-central1_demo",
    ),
    "aks": ("--cluster-name demo --resource-group demo", "demo-admin"),
    "nebius": ("--cluster-name demo --region eu-north1", "nebius-mk8s-demo"),
    "coreweave": ("--cluster-name demo --region us-east-04a", "coreweave-demo"),
    "oke": ("--cluster-name demo --region us-ashburn-1", "context-"),
    "generic": ("--context demo --region onprem", "demo"),
}
SPACE = "anyscale-operator"
CORE = f"/api/v1/namespaces/{SPACE}"
OPERATOR = f"/apis/apps/v1/namespaces/{SPACE}/deployments/anyscale-operator"

Plant = Callable[["Site"], Callable[[], object] | None]


@dataclass(frozen=True)
class Fault:
    """`plant` gives the way back where it is for others to go.

    `code` is the check that must tell of it, alone, and `said` stands in its detail or
    evidence. `fix` is how the command begins that mends it: one of this tool's is run as it
    is printed. With `probe` a pod is asked, too.
    """

    what: str
    plant: Plant
    code: str
    said: str
    fix: str = "anyscale cloud setup"
    probe: bool = False


@dataclass(frozen=True)
class Site:
    """The install of one platform in a sandbox."""

    sandbox: Sandbox
    platform: str
    hand: ByHand = field(repr=False)

    @property
    def cloud(self) -> str:
        return f"on-{self.platform}"

    def setup(self) -> Ended:
        where = WHERE[self.platform][0].split()
        named = ("--provider", self.platform, *where, "--name", self.cloud)
        return self.sandbox.anyscale(
            "cloud", "setup", *named, "--instance-types", "auto", *UNTRIED, "--yes", "-o", "json"
        )

    def verify(self, *more: str) -> Ended:
        return self.sandbox.anyscale("cloud", "verify", self.cloud, "-o", "json", *more)

    def paste(self, command: str) -> str:
        """What is wrong after a printed command of this tool, as its output tells it.

        It is typed with `--yes` as the answer, and without trials.
        """
        words = shlex.split(command)[1:]
        untried = UNTRIED if words[1] == "setup" else ()
        ended = self.sandbox.anyscale(*words, *untried, "--yes")
        return "" if ended.code == 0 else ended.out + ended.err

    def is_well(self) -> bool:
        """By the operator's own report, and by what the control plane can do by its means."""
        if self.reported != "HEALTHY":
            return False
        [console] = self.verify("--only", "storage-console").document["checks"]
        return bool(console["status"] == "pass")

    def break_(self, what: str) -> list[str]:
        return self.sandbox.admin.break_(what, platform=self.platform)

    def mend(self, what: str) -> list[str]:
        return self.sandbox.admin.mend(what, platform=self.platform)

    # -- the cluster ------------------------------------------------------------------

    @cached_property
    def kubernetes(self) -> httpx.Client:
        """Its API, as whoever has the kubeconfig of the sandbox asks it."""
        file = Path(self.sandbox.environment["KUBECONFIG"])
        config = yaml.safe_load(file.read_text(encoding="utf-8"))
        begin = WHERE[self.platform][1]
        [name] = [
            item["name"]
            for item in config["contexts"]
            if item["name"] == begin or (begin[-1] in ":_-" and item["name"].startswith(begin))
        ]
        [place] = [item["cluster"] for item in config["clusters"] if item["name"] == name]
        [user] = [item["user"] for item in config["users"] if item["name"] == name]
        ca = base64.b64decode(place["certificate-authority-data"]).decode()
        context = ssl.create_default_context(cadata=ca)
        pair = self.sandbox.record.directory / f"{self.platform}-admin.pem"
        pair.touch(mode=0o600)
        parts = ("client-certificate-data", "client-key-data")
        pair.write_bytes(b"\n".join(base64.b64decode(user[part]) for part in parts))
        context.load_cert_chain(pair)
        return httpx.Client(base_url=place["server"], verify=context, trust_env=False)

    def get(self, path: str) -> dict[str, Any]:
        return dict(self.kubernetes.get(path).raise_for_status().json())

    def exists(self, path: str) -> bool:
        return self.kubernetes.get(path).status_code != httpx.codes.NOT_FOUND

    def patch(self, path: str, change: Mapping[str, Any]) -> None:
        self.kubernetes.patch(
            path,
            params={"fieldManager": "kubectl-patch"},
            headers={"Content-Type": "application/merge-patch+json"},
            json=change,
        ).raise_for_status()

    def delete(self, path: str) -> None:
        self.kubernetes.delete(path, params={"propagationPolicy": "Background"}).raise_for_status()

    # -- Anyscale ---------------------------------------------------------------------

    @property
    def cloud_id(self) -> str:
        [cloud] = [
            item
            for item in self.hand.control_plane.get("clouds/").json()["results"]
            if item["name"] == self.cloud
        ]
        return str(cloud["id"])

    @property
    def registered(self) -> dict[str, Any]:
        found = self.hand.control_plane.get(f"clouds/{self.cloud_id}/resources").json()
        [resource] = found["results"]
        return dict(resource)

    def register(self, **changes: Any) -> None:
        """Write the registration with changed members, as somebody may with Anyscale's client."""
        told = ("operator_status", "operator_status_details", "created_at", "is_default")
        kept = {key: value for key, value in self.registered.items() if key not in told}
        for key, value in changes.items():
            kept[key] = {**kept[key], **value}
        self.hand.control_plane.put(f"clouds/{self.cloud_id}/resources", json=[kept])

    @property
    def reported(self) -> str:
        """What the control plane holds of the operator."""
        return str(self.registered["operator_status"])
