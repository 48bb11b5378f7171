"""What an API server's words tell of whoever forbids a write although one has the right to it.

Policies, webhooks, quotas, ranges and Pod Security are the administrator's own rules. They
answer with texts alone, some of them with the same status and reason as RBAC.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from anyscale_k8s_cli.cluster.documents import Reference

ENFORCE = "pod-security.kubernetes.io/enforce"
_GROUP = "admissionregistration.k8s.io/v1"
POLICY, BINDING = "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"
# The operator's own webhook, behind which is Anyscale.
_ANYSCALES = ".anyscale-operator.anyscale.com"
_NOT_IN_DRY_RUNS = re.compile(r'admission webhook "([^"]+)" does not support dry run')


@dataclass(frozen=True)
class Denial:
    """Whose rule it is (`by`) and what it says.

    `rule` is the object that holds it, where the words name one; `look` are the words after
    kubectl that show it, `mend` those by which an administrator lets this pass, where these
    follow from the rule alone. `passing` is one that may go by itself.
    """

    by: str
    words: str
    look: str = ""
    rule: Reference | None = None
    webhook: str = ""
    mend: str = ""
    plea: str = "let this pass"
    passing: bool = False

    @property
    def of_room(self) -> bool:
        """Whether it is about amounts: a quota's, or a range's."""
        return "ResourceQuota" in self.by or "LimitRange" in self.by

    def __str__(self) -> str:
        return f"{self.by}: {self.words}"


Words = Mapping[str, str]


def _policy(found: Words, _: str) -> Denial:
    name = found["name"]
    return Denial(
        f"the policy {name}",
        found["words"],
        f"get validatingadmissionpolicy {name} -o yaml",
        Reference(_GROUP, POLICY, name),
    )


def _webhook(found: Words, _: str) -> Denial:
    return Denial(
        f"the webhook {found['name']}",
        found["words"].strip() or "no reason is told",
        "get validatingwebhookconfigurations,mutatingwebhookconfigurations",
        webhook=found["name"],
    )


def _unanswered(found: Words, _: str) -> Denial:
    return Denial(
        f"the webhook {found['name']}, which must agree and gives no answer",
        found["words"],
        "get validatingwebhookconfigurations,mutatingwebhookconfigurations",
        webhook=found["name"],
        plea="let it answer again",
        passing=True,
    )


def _security(found: Words, namespace: str) -> Denial:
    level = found["name"].partition(":")[0]
    if not namespace:
        return Denial(f"the Pod Security level {level} of the namespace", found["words"])
    return Denial(
        f"the Pod Security level {level} of the namespace {namespace}",
        found["words"],
        f"get namespace {namespace} --show-labels",
        Reference("v1", "Namespace", namespace),
        mend=f"label namespace {namespace} {ENFORCE}=privileged --overwrite",
    )


def _quota(found: Words, namespace: str) -> Denial:
    name = found["name"]
    return Denial(
        f"the ResourceQuota {name}",
        found["words"],
        f"describe resourcequota {name} -n {namespace}" if namespace else "",
        Reference("v1", "ResourceQuota", name, namespace),
    )


def _range(found: Words, namespace: str) -> Denial:
    return Denial(
        f"a LimitRange of the namespace {namespace}".rstrip(),
        found["words"],
        f"describe limitranges -n {namespace}" if namespace else "",
    )


_KINDS: tuple[tuple[re.Pattern[str], Callable[[Words, str], Denial]], ...] = tuple(
    (re.compile(pattern, re.DOTALL), made)
    for pattern, made in (
        (
            r"ValidatingAdmissionPolicy '(?P<name>[^']+)'.*? denied request: (?P<words>.+)",
            _policy,
        ),
        (
            r'admission webhook "(?P<name>[^"]+)" denied the request:?(?P<words>.*)',
            _webhook,
        ),
        (r'failed calling webhook "(?P<name>[^"]+)": (?P<words>.+)', _unanswered),
        (r'violates PodSecurity "(?P<name>[^"]+)": (?P<words>.+)', _security),
        (r"exceeded quota: (?P<name>[^,\s]+), (?P<words>.+)", _quota),
        (r"failed quota: (?P<name>[^:\s]+): (?P<words>.+)", _quota),
        (
            r"(?P<words>\[?(?:(?:maximum|minimum) \S+ usage per|\S+ max limit to request ratio per)"
            r" (?:Container|Pod|PersistentVolumeClaim) is .+)",
            _range,
        ),
    )
)


def denial_in(message: str, namespace: str = "") -> Denial | None:
    """Who forbids it, by the API server's words; None where these are no rule's."""
    for pattern, made in _KINDS:
        if found := pattern.search(message):
            return made(found.groupdict(), namespace)
    return None


def not_tried_by(message: str) -> str:
    """The webhook for whose sake the API server makes no dry run; empty if it is none's."""
    found = _NOT_IN_DRY_RUNS.search(message)
    return found.group(1) if found else ""


def way_on(denial: Denial, kubectl: Callable[[str], str], *, owner: str = "") -> str:
    """What helps: the rule is somebody's, who can change it or tell what it wants."""
    return "\n".join(_way_on(denial, kubectl, owner))


def _is_of_labels(denial: Denial) -> bool:
    policy = denial.rule is not None and denial.rule.kind == POLICY
    return (policy or bool(denial.webhook)) and "label" in denial.words.lower()


def _way_on(denial: Denial, kubectl: Callable[[str], str], owner: str) -> Iterator[str]:
    if denial.webhook.endswith(_ANYSCALES):
        yield "mend what Anyscale complains of, and run the same command again"
        return
    if denial.look:
        yield kubectl(denial.look)
    if _is_of_labels(denial):
        yield "if it is a label of pods that it wants: --pod-label KEY=VALUE"
    whose = f"whoever keeps it ({owner})" if owner else "whoever keeps it"
    if denial.mend:
        yield f"an administrator lets this pass with: {kubectl(denial.mend)}"
        yield "then run the same command again"
    else:
        yield f"ask {whose} to {denial.plea}, then run the same command again"
