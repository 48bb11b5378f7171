"""The words of an API server that tell whose rule forbids a write."""

from __future__ import annotations

import pytest

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cluster.admission import denial_in, not_tried_by, way_on
from anyscale_k8s_cli.cluster.child import ChildResult
from anyscale_k8s_cli.cluster.helm_errors import helm_error

POLICY = (
    "deployments.apps \"x\" is forbidden: ValidatingAdmissionPolicy 'company' with binding 'all' "
    "denied request: name your team"
)


@pytest.mark.parametrize(
    ("message", "by", "words"),
    [
        (POLICY, "the policy company", "name your team"),
        (
            'admission webhook "validation.gatekeeper.sh" denied the request: [labels] you must '
            'provide labels: {"owner"}',
            "the webhook validation.gatekeeper.sh",
            '[labels] you must provide labels: {"owner"}',
        ),
        (
            'admission webhook "validate.kyverno.svc-fail" denied the request: \n\nresource '
            "Deployment/ray/x was blocked due to the following policies\n\nrequire-labels: no team",
            "the webhook validate.kyverno.svc-fail",
            "resource Deployment/ray/x was blocked due to the following policies\n\n"
            "require-labels: no team",
        ),
        (
            'admission webhook "w" denied the request without explanation',
            "the webhook w",
            "without explanation",
        ),
        (
            'Internal error occurred: failed calling webhook "w": failed to call webhook: Post '
            '"https://w.x.svc:443": no endpoints available for service "w"',
            "the webhook w, which must agree and gives no answer",
            'failed to call webhook: Post "https://w.x.svc:443": no endpoints available for '
            'service "w"',
        ),
        (
            'pods "p" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true',
            "the Pod Security level restricted of the namespace ray",
            "runAsNonRoot != true",
        ),
        (
            'pods "p" is forbidden: exceeded quota: team, requested: pods=1, used: pods=3, '
            "limited: pods=3",
            "the ResourceQuota team",
            "requested: pods=1, used: pods=3, limited: pods=3",
        ),
        (
            'pods "p" is forbidden: failed quota: team: must specify limits.cpu for: a,b',
            "the ResourceQuota team",
            "must specify limits.cpu for: a,b",
        ),
        (
            'pods "p" is forbidden: [maximum cpu usage per Container is 1.  No limit is '
            "specified, maximum memory usage per Pod is 1Gi, but limit is 2Gi]",
            "a LimitRange of the namespace ray",
            "[maximum cpu usage per Container is 1.  No limit is specified, maximum memory usage "
            "per Pod is 1Gi, but limit is 2Gi]",
        ),
    ],
)
def test_each_rule_is_named_with_its_words(message: str, by: str, words: str) -> None:
    denial = denial_in(message, "ray")
    assert denial is not None
    assert (denial.by, denial.words) == (by, words)
    assert way_on(denial, lambda said: f"kubectl {said}").startswith("kubectl get ") or (
        " -n ray" in denial.look
    )


@pytest.mark.parametrize(
    "message",
    [
        'pods is forbidden: User "joe" cannot create resource "pods" in API group "" in the '
        'namespace "ray"',
        'namespaces "ray" not found',
        'configmaps "x" is forbidden: unable to create new content in namespace ray because it '
        "is being terminated",
        'admission webhook "w" does not support dry run',
    ],
)
def test_other_refusals_are_no_rules(message: str) -> None:
    assert denial_in(message, "ray") is None


def test_a_webhook_with_side_effects_is_named() -> None:
    assert not_tried_by('admission webhook "w" does not support dry run') == "w"


def test_a_level_that_is_too_strict_is_mended_by_a_command() -> None:
    denial = denial_in('pods "p" is forbidden: violates PodSecurity "baseline:latest": x', "ray")
    assert denial is not None
    assert (
        "kubectl label namespace ray pod-security.kubernetes.io/enforce=privileged --overwrite"
        in way_on(denial, lambda said: f"kubectl {said}")
    )


def test_the_owner_of_a_rule_is_asked() -> None:
    denial = denial_in(POLICY)
    assert denial is not None
    told = way_on(denial, lambda said: f"kubectl {said}", owner="Argo CD application rules")
    assert told.splitlines() == [
        "kubectl get validatingadmissionpolicy company -o yaml",
        "ask whoever keeps it (Argo CD application rules) to let this pass, then run the same "
        "command again",
    ]


def test_a_policy_that_speaks_of_labels_may_be_met_by_an_option() -> None:
    denial = denial_in(POLICY.replace("name your team", "each pod has a Label of its team"))
    assert denial is not None
    told = way_on(denial, lambda said: f"kubectl {said}").splitlines()
    assert told[1] == "if it is a label of pods that it wants: --pod-label KEY=VALUE"
    other = denial_in(POLICY)
    assert other is not None
    assert "--pod-label" not in way_on(other, lambda said: f"kubectl {said}")


def test_helm_is_told_by_the_same_rule() -> None:
    stderr = f"Error: failed to create resource: {POLICY}"
    error = helm_error("It failed", ChildResult(1, b"", stderr.encode()), 60)
    assert error.code is errors.ADMISSION_DENIED
    assert error.cause == "the policy company: name your team"
    assert error.evidence == (stderr,)
