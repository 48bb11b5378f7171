"""Drift: what a setup with the same settings would do, which should be nothing."""

from __future__ import annotations

from dataclasses import dataclass

from anyscale_k8s_cli.addons import gateway_controller, gpu, nginx
from anyscale_k8s_cli.addons.names import OPERATOR_RELEASE
from anyscale_k8s_cli.addons.pod_settings import CA_BUNDLE
from anyscale_k8s_cli.checks import BoundCheck, Finding, Status, declared, passed
from anyscale_k8s_cli.controlplane.clouds import Clouds
from anyscale_k8s_cli.ledger import UNTOLD
from anyscale_k8s_cli.operations.requests import ExplainRequest, SetupRequest, VerifyRequest
from anyscale_k8s_cli.operations.said import without_secrets
from anyscale_k8s_cli.operations.side import side_of
from anyscale_k8s_cli.operations.wires import Wiring
from anyscale_k8s_cli.operations.workbench import OpenCluster, load_spec
from anyscale_k8s_cli.parallel import Once
from anyscale_k8s_cli.plan import Plan, PlannedChange, compute
from anyscale_k8s_cli.provider import install_on
from anyscale_k8s_cli.registration import RegisteredCloud
from anyscale_k8s_cli.resource import Change
from anyscale_k8s_cli.run import Run

_AS_IT_IS = (Change.NONE, Change.ADOPT, Change.KEEP)
# Where contents of the user's files go that no ledger keeps.
_WITH_VALUES = {
    "operator.values": (OPERATOR_RELEASE,),
    "pods.ca_bundle": (OPERATOR_RELEASE, CA_BUNDLE),
    "addons.gateway.values": (gateway_controller.RELEASE,),
    "addons.nginx.values": (nginx.RELEASE,),
    "addons.gpu_plugin.values": (gpu.RELEASE,),
}


@dataclass(frozen=True)
class Drift:
    """An install that can be compared with what its last setup was told."""

    request: VerifyRequest | ExplainRequest
    wiring: Wiring
    opened: OpenCluster
    clouds: Clouds
    cloud_id: str
    run: Run

    def checks(self) -> tuple[BoundCheck, ...]:
        plan = Once(self.plan)
        return (
            declared.DRIFT.bind(lambda: self._drifted(plan())),
            declared.KEPT_OBJECTS.bind(lambda: self._kept(plan())),
        )

    def _drifted(self, plan: Plan | None) -> Finding:
        if plan is None:
            return _UNTOLD
        changed = [item for item in plan.changes if item.change not in _AS_IT_IS]
        unknown = [item for item in changed if self._of_unknown_values(item)]
        drifted = [item for item in changed if item not in unknown]
        if not drifted:
            rest = "; what your own files say is not kept, and not compared" * bool(unknown)
            return passed(f"{len(plan.changes)} objects{rest}")
        refused = next((item for item in drifted if item.change is Change.REFUSE), None)
        return Finding(
            Status.FAIL,
            _told(drifted[0]) + (f", and {len(drifted) - 1} more" if drifted[1:] else ""),
            tuple(f"{item.resource.key}: {item.decision.reason}" for item in drifted),
            refused.decision.fix if refused and refused.decision.fix else self.wiring.again,
            # What waits for another is no fault of its own.
            tuple(item.decision.awaits or item.resource.key for item in drifted),
        )

    def _kept(self, plan: Plan | None) -> Finding:
        if plan is None:
            return _UNTOLD
        used = [
            item
            for item in plan.changes
            # The cloud is named here by its id, which says nothing of whose it is.
            if item.change in (Change.ADOPT, Change.KEEP)
            and not isinstance(item.resource, RegisteredCloud)
        ]
        return Finding(
            Status.PASS,
            f"{len(used)} objects are not of this tool's making" if used else "none",
            tuple(f"{item.resource.key}: {item.decision.reason}" for item in used),
        )

    def plan(self) -> Plan | None:
        """What setup would do now; None where the ledger does not tell the settings."""
        return self.run.await_(self._compute()) if self.wiring.ledger.said else None

    async def _compute(self) -> Plan:
        wiring, opened = self.wiring, self.opened
        said = without_secrets(wiring.ledger.said)
        loaded, provider = load_spec(said, None, self.request.environment, self.run)
        asked = SetupRequest(
            environment=self.request.environment,
            home=self.request.home,
            cloud_id=self.cloud_id,
            helm=self.request.helm,
        )
        install = install_on(opened.cluster, loaded.spec, opened.uid)
        side = await side_of(
            asked, loaded.spec, provider, opened, install, self.clouds, {}, self.run
        )
        return await compute(side.resources, wiring.ledger.rights, self.run)

    def _of_unknown_values(self, item: PlannedChange) -> bool:
        """Whether it is made of what only the user has."""
        said = self.wiring.ledger.said
        return item.change in (Change.UPDATE, Change.DELETE) and any(
            said.get(path, "") is None and item.resource.key.rpartition("/")[2] in names
            for path, names in _WITH_VALUES.items()
        )


_UNTOLD = Finding(Status.UNKNOWN, UNTOLD)


def _told(item: PlannedChange) -> str:
    return f"{item.resource.title}: {item.decision.reason}"
