"""What a plan writes in the cluster, tried without being done, against rules of an administrator.

One cluster for all: each test has a namespace of its own, and rules for it alone.
"""

from __future__ import annotations

import json
import shlex
from typing import Any

import pytest

from anyscale_k8s_cli.addons.rehearsal import Rehearsal, Stage
from anyscale_k8s_cli.checks import Finding, Status
from anyscale_k8s_cli.checks.admission import admission, charts, limits
from anyscale_k8s_cli.cluster.documents import Document, Reference
from anyscale_k8s_cli.cluster.dry_runs import Attempts, Trial
from anyscale_k8s_cli.cluster.kubernetes import Kubernetes

from .site import Site

ADMISSION = "admissionregistration.k8s.io/v1"


@pytest.fixture(scope="module")
def site(lasting: Site) -> Site:
    """With the gateway's controller and definitions in it."""
    lasting.world.apply(lasting.install("first", "first").resources)
    return lasting


def make(site: Site, kind: str, name: str, api: str = "v1", **more: Any) -> None:
    namespace = more.pop("namespace", None)
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    metadata |= {"labels": more.pop("labels")} if "labels" in more else {}
    site.world.kubernetes.create({"apiVersion": api, "kind": kind, "metadata": metadata, **more})


def given(site: Site, namespace: str, **labels: str) -> None:
    make(site, "Namespace", namespace, labels={"team": namespace, **labels})


def forbid(site: Site, namespace: str, resource: str, expression: str, message: str) -> None:
    """A policy for one namespace, kept by somebody."""
    group, _, plural = resource.rpartition("/")
    operations = ["CREATE", "UPDATE"]
    rule = {
        "apiGroups": [group],
        "apiVersions": ["*"],
        "operations": operations,
        "resources": [plural],
    }
    selector = {"matchLabels": {"team": namespace}}
    make(
        site,
        "ValidatingAdmissionPolicy",
        f"{namespace}-rules",
        ADMISSION,
        labels={"app.kubernetes.io/managed-by": "platform-team"},
        spec={
            "matchConstraints": {"resourceRules": [rule], "namespaceSelector": selector},
            "validations": [{"expression": expression, "message": message}],
        },
    )
    make(
        site,
        "ValidatingAdmissionPolicyBinding",
        f"{namespace}-rules",
        ADMISSION,
        spec={"policyName": f"{namespace}-rules", "validationActions": ["Deny"]},
    )


def rehearse(site: Site, stage: Stage) -> Rehearsal:
    return stage.rehearse(site.world.plan(stage.inside.resources).changes)


def judged(site: Site, namespace: str, **changes: Any) -> tuple[Finding, Finding]:
    """What the rules say, and what quotas and ranges do."""
    found = rehearse(site, site.stage("second", namespace, **changes))
    assert charts(found).status is Status.PASS
    return admission(site.world.kubernetes, found), limits(site.world.kubernetes, found)


def of(found: Rehearsal, kind: str) -> list[str]:
    references = (item.trial.reference for item in found.outcomes)
    return [reference.name for reference in references if reference.kind == kind]


def test_everything_is_tried_and_nothing_is_written(site: Site) -> None:
    given(site, "open")
    calls = len(site.world.wire.calls())

    # Nothing is known yet of what the operator will be bound to.
    found = rehearse(site, site.stage("second", "open", unregistered=True))

    assert not found.problems
    assert not found.denied
    assert [item.untried for item in found.outcomes if item.untried] == []
    there = site.world.standin.store.snapshot()
    assert not [key for key in there if "/open/" in key and "anyscale" in key]
    assert not any(call.operation.write for call in site.world.wire.calls()[calls:])
    assert "anyscale-operator" in of(found, "Deployment")
    proxy, operator = of(found, "Pod")
    assert operator == "anyscale-operator-dry-run"
    assert proxy.startswith("envoy-")
    assert len(of(found, "Service")) == 1
    assert {"Gateway", "GatewayClass", "ServiceAccount", "Role", "ClusterRole"} <= {
        item.trial.reference.kind for item in found.outcomes
    }


def test_what_has_no_namespace_yet_is_told_and_tried_once_it_has(site: Site) -> None:
    found = rehearse(site, site.stage("second", "coming"))
    finding = admission(site.world.kubernetes, found)

    assert finding.status is Status.PASS
    assert "the namespace coming does not exist yet" in finding.detail
    assert any("EnvoyProxy gateway in coming" in line for line in finding.evidence)
    tried = [item.trial.reference for item in found.outcomes if not item.untried]
    assert "Namespace" in {reference.kind for reference in tried}
    assert all(reference.namespace != "coming" for reference in tried)

    left = [item.trial for item in found.outcomes if item.untried]
    given(site, "coming")
    again = Attempts(site.world.kubernetes).outcomes(left)
    assert len(again) > 10
    assert not [item for item in again if item.untried or item.denial]


def test_a_policy_is_named_with_its_words_its_keeper_and_the_way_on(site: Site) -> None:
    given(site, "labelled")
    forbid(site, "labelled", "apps/deployments", "'cost' in object.metadata.labels", "name a cost")

    finding, _ = judged(site, "labelled")
    assert finding.status is Status.FAIL
    assert finding.detail == (
        "Deployment anyscale-operator in labelled is forbidden by the policy labelled-rules: "
        "name a cost"
    )
    look, ask = finding.fix.splitlines()
    assert look.endswith("get validatingadmissionpolicy labelled-rules -o yaml")
    assert "(platform-team)" in ask
    assert ask.endswith("then run the same command again")


def test_rules_for_pods_and_load_balancers_judge_what_controllers_will_make(site: Site) -> None:
    given(site, "imaged")
    images = "object.spec.containers.all(c, c.image.startsWith('registry.example/'))"
    forbid(site, "imaged", "/pods", images, "use our registry")
    site.world.kubernetes.apply(
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": "envoy-gateway-system", "labels": {"team": "edge"}},
        }
    )
    forbid(site, "edge", "/services", "object.spec.type != 'LoadBalancer'", "nothing public")

    finding, _ = judged(site, "imaged")
    binding = Reference(ADMISSION, "ValidatingAdmissionPolicyBinding", "edge-rules")
    site.world.kubernetes.delete(binding)
    assert finding.status is Status.FAIL
    told = "\n".join(finding.evidence)
    assert "Pod anyscale-operator-dry-run in imaged: the policy imaged-rules: use our" in told
    assert "in envoy-gateway-system: the policy edge-rules: nothing public" in told
    assert "edge-rules" in finding.fix
    assert "--network none --address ADDRESS" in finding.fix
    assert "imaged-rules" in finding.fix


def test_pod_security_judges_the_pods_as_the_charts_have_them(site: Site) -> None:
    given(site, "strict", **{"pod-security.kubernetes.io/enforce": "restricted"})
    finding, _ = judged(site, "strict")
    assert finding.status is Status.FAIL
    assert "the Pod Security level restricted of the namespace strict" in finding.detail
    assert "runAsNonRoot" in finding.detail
    assert "label namespace strict" in finding.fix


def test_a_quota_that_one_object_breaks(site: Site) -> None:
    given(site, "small")
    hard = {"requests.cpu": "1", "limits.memory": "8Gi"}
    make(site, "ResourceQuota", "team", namespace="small", spec={"hard": hard})

    finding, room = judged(site, "small")
    assert finding.status is Status.PASS
    assert room.status is Status.FAIL
    assert room.detail == (
        "the ResourceQuota team of the namespace small has no room: requests.cpu: limit 1, "
        "used 0, needed 1100m"
    )
    command = room.fix.splitlines()[0]
    assert "patch resourcequota team -n small --type merge -p" in command
    assert '{"spec": {"hard": {"requests.cpu": "1100m"}}}' in command


def counted(site: Site, namespace: str, quota: str) -> None:
    """Once the quota tells what is used of it."""
    store = site.world.standin.store
    there = site.world.standin.until(
        lambda: store.get("resourcequotas", namespace, quota).get("status")
    )
    site.world.do(there)


def test_a_quota_that_all_objects_together_break(site: Site) -> None:
    given(site, "few")
    hard = {"configmaps": "3", "pods": "9"}
    make(site, "ResourceQuota", "team", namespace="few", spec={"hard": hard})
    counted(site, "few", "team")

    _, room = judged(site, "few")
    assert room.status is Status.FAIL
    (line,) = room.evidence
    assert "the namespace few has no room: configmaps: limit 3, used 1, needed " in line
    assert "patch resourcequota team -n few" in room.fix


def carried_out(site: Site, fix: str) -> None:
    """What the commands of a fix do, as kubectl would do it."""
    for line in fix.splitlines():
        words = shlex.split(line)
        if words[0] == "echo" and words[-1] == "-":
            site.world.kubernetes.apply(json.loads(words[1]))
        elif "patch" in words:
            _, kind, name, _, namespace, *_, patch = words[words.index("patch") :]
            proper = {"resourcequota": "ResourceQuota", "limitrange": "LimitRange"}[kind]
            at = Reference("v1", proper, name, namespace)
            site.world.kubernetes.patch_merge(at, json.loads(patch))


def test_all_that_quotas_lack_is_told_at_once_with_commands_that_suffice_together(
    site: Site,
) -> None:
    given(site, "full")
    hard = {"pods": "0", "requests.cpu": "100m", "limits.cpu": "1", "secrets": "0"}
    make(site, "ResourceQuota", "team", namespace="full", spec={"hard": hard})
    edge = "envoy-gateway-system"
    balancers = {"services.loadbalancers": "0", "limits.memory": "2Gi", "requests.memory": "64Mi"}
    balancers |= {"count/configmaps": "1", "count/deployments.apps": "2"}
    make(site, "ResourceQuota", "lbs", namespace=edge, spec={"hard": balancers})
    counted(site, edge, "lbs")
    try:
        _, room = judged(site, "full")
        carried_out(site, room.fix)
        values = json.loads(shlex.split(next(filter(_is_values, room.fix.splitlines())))[1])
        _, anew = judged(site, "full", spec={"operator": {"values": values}})
    finally:
        site.world.kubernetes.delete(Reference("v1", "ResourceQuota", "lbs", edge))
        site.world.kubernetes.delete(Reference("v1", "LimitRange", "defaults", edge))

    assert room.status is Status.FAIL
    told = "\n".join(room.evidence)
    for name in ("pods", "requests.cpu", "limits.cpu", "secrets", "services.loadbalancers"):
        assert f"has no room: {name}: limit " in told
    assert "must specify limits.cpu for: operator,vector" in told
    # Controller and proxy of the first install are there, and there will be one more proxy.
    assert "requests.memory: limit 64Mi, used 800Mi, needed 544Mi" in told
    assert "count/configmaps: limit 1, used " in told
    assert "count/deployments.apps: limit 2, used 2, needed 1" in told
    # What values and range are to say is in the sums.
    assert '"limits.cpu": "4"' in room.fix
    assert "must specify limits.memory for: envoy,shutdown-manager" in told
    assert "limits.memory: limit 2Gi, used 1Gi, needed 4Gi" in told
    assert "--network none" in room.fix
    assert anew.status is Status.WARN, anew
    assert anew.detail.startswith("the namespace's LimitRange fills in limits.memory=2Gi")


def _is_values(line: str) -> bool:
    return line.startswith("echo") and line.endswith("resources.yaml")


def test_what_a_range_fills_in_counts_against_quotas(site: Site) -> None:
    given(site, "summed")
    item = {"type": "Container", "default": {"cpu": "2"}}
    make(site, "LimitRange", "box", namespace="summed", spec={"limits": [item]})
    hard = {"limits.cpu": "2"}
    make(site, "ResourceQuota", "lbs", namespace="summed", spec={"hard": hard})

    _, room = judged(site, "summed")
    assert room.evidence == (
        "the ResourceQuota lbs of the namespace summed has no room: limits.cpu: limit 2, used 0, "
        "needed 4",
    )
    carried_out(site, room.fix)
    assert judged(site, "summed")[1].status is Status.WARN


def test_a_quota_that_wants_amounts_leads_to_the_values(site: Site) -> None:
    given(site, "told")
    make(site, "ResourceQuota", "team", namespace="told", spec={"hard": {"limits.cpu": "8"}})
    _, room = judged(site, "told")
    assert room.status is Status.FAIL
    assert "must specify limits.cpu for: operator,vector" in room.detail
    echoed, written = shlex.split(room.fix.splitlines()[0])[:2]
    values = json.loads(written)["operator"]
    assert echoed == "echo"
    assert values["container"]["resources"]["limits"] == {"cpu": "2"}
    assert values["vector"]["resources"]["limits"] == {"cpu": "2"}
    assert "--values resources.yaml" in room.fix
    assert "LimitRange" not in room.fix


def test_a_quota_that_wants_requests_of_a_hook_leads_to_a_range_with_which_all_get_in(
    site: Site,
) -> None:
    given(site, "hooked")
    hard = {"requests.cpu": "8", "requests.memory": "16Gi"}
    make(site, "ResourceQuota", "team", namespace="hooked", spec={"hard": hard})
    hook = {"workloads": {"instanceTypes": {"validationHook": {"enabled": True}}}}
    with_hook = {"spec": {"operator": {"values": hook}}}
    _, room = judged(site, "hooked", **with_hook)
    assert room.status is Status.FAIL
    assert "requests.cpu for: validate" in room.detail
    first = room.fix.splitlines()[0]
    assert first.endswith("apply -f -")
    echoed, written, *_ = shlex.split(first)
    limit_range = json.loads(written)
    assert echoed == "echo"
    (item,) = limit_range["spec"]["limits"]
    assert item == {"type": "Container", "defaultRequest": {"cpu": "100m", "memory": "128Mi"}}
    assert "--values that has workloads.instanceTypes.validationHook.enabled: false" in room.fix
    assert "resources.yaml" not in room.fix
    site.world.kubernetes.create(limit_range)
    forbidden, room = judged(site, "hooked", **with_hook)
    assert forbidden.status is Status.PASS
    assert room.status is Status.WARN


def test_a_range_that_is_too_narrow_is_told_by_its_field(site: Site) -> None:
    given(site, "narrow")
    item = {"type": "Container", "max": {"memory": "1Gi"}}
    make(site, "LimitRange", "box", namespace="narrow", spec={"limits": [item]})
    _, room = judged(site, "narrow")
    assert room.status is Status.FAIL
    assert "patch limitrange box -n narrow --type json" in room.fix
    assert '"path": "/spec/limits/0/max/memory", "value": "2Gi"' in room.fix


def test_a_range_in_which_workloads_will_not_fit_is_a_warning(site: Site) -> None:
    given(site, "tight")
    item = {"type": "Container", "max": {"memory": "16Gi"}}
    make(site, "LimitRange", "box", namespace="tight", spec={"limits": [item]})
    _, room = judged(site, "tight")
    assert room.status is Status.WARN
    assert "lets a container have: memory 32Gi, at most 16Gi" in "\n".join(room.evidence)
    assert not [line for line in room.evidence if line.startswith("4CPU-16GB ")]


def test_what_a_range_fills_in_is_a_warning(site: Site) -> None:
    given(site, "filled")
    item = {"type": "Container", "default": {"cpu": "2"}}
    make(site, "LimitRange", "box", namespace="filled", spec={"limits": [item]})
    _, room = judged(site, "filled")
    assert room.status is Status.WARN
    assert room.evidence == (
        "limits.cpu=2 of the container operator",
        "limits.cpu=2 of the container vector",
    )


def test_a_range_that_makes_a_pod_impossible_is_in_the_way(site: Site) -> None:
    given(site, "impossible")
    item = {"type": "Container", "default": {"cpu": "250m"}}
    make(site, "LimitRange", "box", namespace="impossible", spec={"limits": [item]})
    finding, _ = judged(site, "impossible")
    assert finding.status is Status.FAIL
    assert "must be less than or equal to cpu limit of 250m" in finding.detail
    assert "the LimitRange box of the namespace impossible, which fills in limits.cpu=250m" in (
        finding.detail
    )
    assert "get limitrange box -n impossible -o yaml" in finding.fix
    assert '[{"op": "remove", "path": "/spec/limits/0/default/cpu"}]' in finding.fix


def test_an_update_tries_only_pods_that_are_made_anew(site: Site) -> None:
    """A quota that what runs has used up is in nobody's way."""
    hard = {"requests.cpu": "1100m"}
    make(site, "ResourceQuota", "full", namespace="first", spec={"hard": hard})
    types = {"workloads": {"instanceTypes": {"additional": {"2c": {"resources": {"CPU": 2}}}}}}

    def values(more: Document) -> Document:
        return {"spec": {"operator": {"values": more}}}

    same = rehearse(site, site.stage("first", "first", **values(types)))
    assert of(same, "Pod") == []
    assert limits(site.world.kubernetes, same).status is Status.PASS

    other = {"operator": {"annotations": {"example.com/x": "y"}}}
    anew = rehearse(site, site.stage("first", "first", **values(other)))
    assert of(anew, "Pod") == ["anyscale-operator-dry-run"]
    assert "exceeded" not in limits(site.world.kubernetes, anew).detail
    assert limits(site.world.kubernetes, anew).status is Status.FAIL
    site.world.kubernetes.delete(Reference("v1", "ResourceQuota", "full", "first"))


def test_the_operators_webhook_of_another_registration_has_no_say(site: Site) -> None:
    site.plane.registered.discard("cldrsrc_first")

    found = rehearse(site, site.stage("first", "first", resource_id="cldrsrc_new"))
    assert admission(site.world.kubernetes, found).status is Status.PASS
    told = {item.untried for item in found.outcomes}
    assert "the operator's webhook still asks about another registration" in told


def test_a_webhook_with_side_effects_and_missing_rights_are_not_tried(site: Site) -> None:
    given(site, "odd")
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["secrets"]}
    hook = {
        "name": "odd.example.com",
        "admissionReviewVersions": ["v1"],
        "sideEffects": "Some",
        "clientConfig": {"url": "https://127.0.0.1:1/"},
        "rules": [{**rule, "operations": ["CREATE"]}],
        "namespaceSelector": {"matchLabels": {"team": "odd"}},
    }
    make(site, "ValidatingWebhookConfiguration", "odd", ADMISSION, webhooks=[hook])
    metadata = {"name": "s", "namespace": "odd"}
    trial = Trial({"apiVersion": "v1", "kind": "Secret", "metadata": metadata}, new=True)
    nobody = Kubernetes(site.world.access(site.world.nobody), site.world.run)

    (asked,) = Attempts(site.world.kubernetes).outcomes([trial])
    assert asked.untried == "the webhook odd.example.com takes no dry runs"
    (refused,) = Attempts(nobody).outcomes([trial])
    assert refused.untried.startswith("not allowed: ")
    assert not asked.denial
    assert not refused.denial


def test_a_webhook_that_must_agree_and_is_away_is_in_the_way(site: Site) -> None:
    given(site, "away")
    service = {"namespace": "policies", "name": "judge"}
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["serviceaccounts"]}
    hook = {
        "name": "judge.example.com",
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "clientConfig": {"service": service},
        "rules": [{**rule, "operations": ["*"]}],
        "namespaceSelector": {"matchLabels": {"team": "away"}},
    }
    make(site, "ValidatingWebhookConfiguration", "away", ADMISSION, webhooks=[hook])
    finding, _ = judged(site, "away")
    assert finding.status is Status.FAIL
    assert "the webhook judge.example.com, which must agree and gives no answer" in finding.detail
    assert "whoever keeps it (Service policies/judge) to let it answer again" in finding.fix
