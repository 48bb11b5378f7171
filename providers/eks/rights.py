"""Whether you may do what a command does: IAM's simulator is asked.

An answer is allowed, denied or unknown. What the simulator cannot see is told as unknown,
and never taken for allowed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from anyscale_k8s_cli.checks import Finding, Status, passed
from anyscale_k8s_cli.checks.rights import mended
from anyscale_k8s_cli.errors import CloudFailure
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.parallel import side_by_side
from anyscale_k8s_cli.provider import Cluster, Verb
from anyscale_k8s_cli.providers.eks import bucket, labels, permissions, tags
from anyscale_k8s_cli.providers.eks.arns import Arn
from anyscale_k8s_cli.providers.eks.aws import Aws
from anyscale_k8s_cli.providers.eks.discovery import EksFacts, principal_of
from anyscale_k8s_cli.providers.eks.sdk.endpoints import private_host
from anyscale_k8s_cli.providers.eks.sdk.iam import Answer, Verdict
from anyscale_k8s_cli.resource import Resource

# Discovery and this question itself have shown by use whether these are granted.
_SHOWN_BY_USE = {"Cluster", "Simulation"}
# What each kind of object takes to be removed, by the statements about it.
_REMOVALS = {
    "s3-bucket": ("RemoveBucket", "RemoveObjects"),
    "iam-role": ("RemoveRole",),
    "iam-oidc-provider": ("RemoveOidcProvider",),
    "pod-identity-association": ("RemovePodIdentity",),
    "load-balancer": ("FindLeftovers", "RemoveLeftovers"),
}
# What a deletion looks at, some of it only after it has begun.
_SEEN_BY_DELETION = {"Account", "Bucket", "Find"}
_PROVES_DELETION = "elasticloadbalancing:DescribeLoadBalancers"
# What takes our marks off an object that stays; for one that goes it is not needed.
_MARKS_OFF = {"s3:PutBucketTagging", "iam:UntagOpenIDConnectProvider"}
# What is about an object of one's own that setup makes, by the name that it is to have.
_OF_BUCKET = {"Bucket", "MakeBucket"}
_OF_ROLE = {"Role", "MakeRole"}
# What one way to the role takes, and not the other.
_OF_PODS = {"PodIdentity", "MakePodIdentity", "ChangePodIdentity", "GiveRole"}
_OF_TOKENS = {"OidcProvider", "MakeOidcProvider"}
# Tags can follow the creation, quotas are asked for before it, and the others are for changes of
# what is there, for what the user named, for the names in messages, and for what others attached.
_OPTIONAL = {
    "ec2:DescribeSubnets",
    "eks:ListClusters",
    "eks:UntagResource",
    "eks:UpdatePodIdentityAssociation",
    "elasticloadbalancing:DescribeLoadBalancers",
    "iam:AddClientIDToOpenIDConnectProvider",
    "iam:DetachRolePolicy",
    "iam:GetAccountSummary",
    "iam:GetPolicy",
    "iam:GetPolicyVersion",
    "iam:ListRoles",
    "iam:PutRolePermissionsBoundary",
    "iam:SimulateCustomPolicy",
    "iam:UpdateAssumeRolePolicy",
    "kms:DescribeKey",
    "s3:GetBucketPolicy",
    "s3:ListAllMyBuckets",
    "s3:TagResource",
    "servicequotas:GetServiceQuota",
    "tag:GetResources",
}
_ENDPOINTS = ("iam", "s3")


# What is said of an object by the call that makes it: an account may demand it.
_MAKES_ROLE, _MAKES_PROVIDER = "iam:CreateRole", "iam:CreateOpenIDConnectProvider"
_MAKES_POD_IDENTITY = "eks:CreatePodIdentityAssociation"
_BOUNDARY = "iam:PermissionsBoundary"
_TAG, _TAG_KEYS = "aws:RequestTag/", "aws:TagKeys"


@dataclass(frozen=True)
class Names:
    """What setup will make: `role` with its path, empty for what the user has already.

    Of the role `role_tags` and `boundary` are said as it is made, of a provider its tags.
    `given_role` is the one that the operator's pods get, whoever made it; `workload_role` is of
    Ray's, where they have their own.
    """

    bucket: str
    role: str
    given_role: str
    workload_role: str = ""
    role_tags: Mapping[str, str] = field(default_factory=dict)
    provider_tags: Mapping[str, str] = field(default_factory=dict)
    boundary: str | None = None


def to_set_up(aws: Aws, cluster: Cluster, names: Names) -> Finding:
    """Only a clear no is a failure.

    A no about what is there already, or about what setup can do without, is a warning.
    """

    def blocking(denied: Sequence[_Said]) -> bool:
        needed = [item for item in denied if item.verdict.action not in _OPTIONAL]
        there = _existing(aws, cluster.facts, names, {item.sid for item in needed})
        return any(item.sid not in there for item in needed)

    return _finding(aws, cluster.facts.principal, _questions(cluster, names, Verb.SETUP), blocking)


def to_look(aws: Aws, cluster: Cluster, names: Names) -> Finding:
    """A no is a warning: whoever may not look at something is told so where it matters."""
    questions = _questions(cluster, names, Verb.VERIFY)
    return _finding(aws, cluster.facts.principal, questions, lambda _denied: False, Verb.VERIFY)


def to_remove(
    aws: Aws,
    install: Install,
    going: Sequence[Resource[Any]],
    staying: Sequence[Resource[Any]],
) -> Finding:
    """Asked of the very objects that were found, before any of them is touched.

    And of a bucket of the usual name: one whose tags may not be seen looks like nobody's.
    """
    questions = [
        *_removals(aws, going, lambda action: action not in _MARKS_OFF),
        *_removals(aws, staying, _MARKS_OFF.__contains__),
    ]
    if not questions:
        return passed()
    known = {
        **permissions.ANY,
        "partition": aws.caller.partition,
        "bucket": bucket.default_name(install),
    }
    questions += [
        _Question(statement["Sid"], tuple(statement["Action"]), statement["Resource"])
        for part in Verb.DELETE.parts
        for statement in permissions.statements(part, known)
        if statement["Sid"] in _SEEN_BY_DELETION
    ]

    def blocking(denied: Sequence[_Said]) -> bool:
        actions = {item.verdict.action for item in denied}
        return bool(actions - (_OPTIONAL - {_PROVES_DELETION}))

    return _finding(aws, principal_of(aws), questions, blocking, Verb.DELETE)


@dataclass(frozen=True)
class _Question:
    """A statement about one object; `context` are condition keys whose values are known.

    Of a call that is `making` something, every tag and the boundary are.
    """

    sid: str
    actions: tuple[str, ...]
    resource: str
    context: Mapping[str, str | Sequence[str]] = field(default_factory=dict)
    making: bool = False

    def absent(self, key: str) -> bool:
        said = key.startswith(_TAG.lower()) or key in (_BOUNDARY.lower(), _TAG_KEYS.lower())
        return self.making and said


@dataclass(frozen=True)
class _Said:
    """What the simulator says of an action, with the statement that it is from."""

    sid: str
    resource: str
    verdict: Verdict

    def __str__(self) -> str:
        without = f", without {', '.join(self.verdict.lacks)}" if self.verdict.lacks else ""
        return f"{self.verdict.action} on {self.resource}{without}"


def _finding(
    aws: Aws,
    principal: str,
    questions: Sequence[_Question],
    blocking: Callable[[Sequence[_Said]], bool],
    verb: Verb = Verb.SETUP,
) -> Finding:
    if aws.caller.is_root:
        return Finding(Status.UNKNOWN, "you are the account's root user, which may do everything")
    try:
        said = _ask(aws, principal, questions)
    except CloudFailure as failure:
        return Finding(
            Status.UNKNOWN, f"they cannot be simulated: {failure.cause}", failure.evidence
        )
    denied = [item for item in said if item.verdict.answer is Answer.DENIED]
    unsure = [item for item in said if item.verdict.answer is Answer.UNKNOWN]
    unknown = tuple(f"unknown: {item}: {', '.join(item.verdict.missing)}" for item in unsure)
    if denied:
        stops = blocking(denied)
        return Finding(
            Status.FAIL if stops else Status.WARN,
            f"{principal} lacks {len(denied)} of {len(said)} permissions"
            + ("" if stops else ", and may go on without"),
            (*(str(item) for item in denied), *unknown),
            _to_say(denied)
            or mended(
                f"a policy for {principal}: {_statement(denied)}",
                f"anyscale cloud permissions --provider eks --verb {verb.value}",
            ),
        )
    if unsure:
        return Finding(
            Status.UNKNOWN, f"{len(unsure)} actions depend on what is known only then", unknown
        )
    unseen = tuple(_unseen(aws, said))
    if unseen:
        detail = f"allowed as far as IAM's simulator sees: {len(said)} permissions"
        return Finding(Status.UNKNOWN, detail, tuple(f"not seen: {item}" for item in unseen))
    return passed(f"{principal}, {len(said)} permissions")


def _statement(denied: Sequence[_Said]) -> str:
    """What gives just what is denied, on just what it is denied on."""
    actions: dict[str, list[str]] = {}
    for item in denied:
        actions.setdefault(item.resource, []).append(item.verdict.action)
    found = [
        {"Effect": "Allow", "Action": names, "Resource": thing} for thing, names in actions.items()
    ]
    return json.dumps({"Version": "2012-10-17", "Statement": found})


def _to_say(denied: Sequence[_Said]) -> str:
    """The options that say what is demanded of new objects; empty if it is not that alone."""
    if not all(item.verdict.lacks for item in denied):
        return ""
    lacking = sorted({key for item in denied for key in item.verdict.lacks})
    tags_of_ours = [key.partition("/")[2] for key in lacking if "/" in key]
    options = [f"--tag {key}=<value>" for key in tags_of_ours]
    options += ["--permissions-boundary <ARN>"] * any("/" not in key for key in lacking)
    return f"your account demands it of what is made: run setup again with {' '.join(options)}"


def _ask(aws: Aws, principal: str, questions: Sequence[_Question]) -> list[_Said]:
    def one(asked: _Question) -> list[_Said]:
        verdicts = aws.iam.simulate(
            principal, asked.actions, asked.resource, asked.context, asked.absent
        )
        return [_Said(asked.sid, asked.resource, verdict) for verdict in verdicts]

    answers = side_by_side(*(partial(one, asked) for asked in questions))
    return [item for found in answers for item in found]


def _unseen(aws: Aws, said: Sequence[_Said]) -> list[str]:
    """What may still deny, and is not simulated."""
    found = []
    if aws.session.temporary:
        found.append("a policy of the session: your credentials are temporary")
    if any(item.verdict.bounded for item in said):
        found.append("rules of your organisation that have conditions")
    hosts = {service: private_host(aws.session.endpoint(service)) for service in _ENDPOINTS}
    found += [
        f"the policy of the endpoint {host}, by which AWS ({service}) is reached"
        for service, host in hosts.items()
        if host
    ]
    return found


def _existing(aws: Aws, facts: EksFacts, names: Names, sids: set[str]) -> set[str]:
    """Those of the statements whose object needs no making any more."""
    roles = [role.rpartition("/")[2] for role in (names.role, names.workload_role) if role]
    provider = facts.caller.oidc_provider(facts.issuer)
    present: dict[str, Callable[[], object | None]] = {
        "MakeBucket": lambda: aws.s3.region_of(names.bucket),
        "MakeRole": lambda: all(map(aws.iam.role, roles)) or None,
        "MakeOidcProvider": lambda: aws.iam.oidc_provider(provider),
        "MakePodIdentity": lambda: facts.association,
        "GiveRole": lambda: facts.association,
    }

    def there(sid: str) -> bool:
        try:
            return present[sid]() is not None
        except CloudFailure as failure:
            if failure.denied:
                return False
            raise

    return {sid for sid in sids & present.keys() if there(sid)}


def _questions(cluster: Cluster, names: Names, verb: Verb) -> list[_Question]:
    """The statements of the verb's policy about the very objects."""
    facts: EksFacts = cluster.facts
    known = {
        **permissions.ANY,
        "partition": facts.caller.partition,
        "account": facts.caller.account,
        "bucket": names.bucket,
        "region": cluster.region,
        "cluster": cluster.name,
        "role": names.role,
        "given_role": names.given_role,
        "oidc_provider": facts.issuer.removeprefix("https://"),
    }
    passed_over = set(_SHOWN_BY_USE)
    passed_over |= set() if names.bucket else _OF_BUCKET
    passed_over |= set() if names.role else _OF_ROLE
    passed_over |= _OF_TOKENS if facts.pod_identity else _OF_PODS
    passed_to = {"iam:PassedToService": labels.POD_IDENTITY_SERVICE}
    asked = [item for item in _about(verb, known, passed_to) if item.sid not in passed_over]
    if names.workload_role:
        # The same of the second role, which is made whoever has the first.
        theirs = {**known, "role": names.workload_role, "given_role": names.workload_role}
        of_role = _OF_ROLE | ({"GiveRole"} if facts.pod_identity else set())
        asked += [item for item in _about(verb, theirs, passed_to) if item.sid in of_role]
    bounded = {_BOUNDARY: names.boundary} if names.boundary else {}
    tagged = _tagged(names.role_tags)
    said = {
        _MAKES_ROLE: {**tagged, **bounded},
        _MAKES_PROVIDER: _tagged(names.provider_tags),
        _MAKES_POD_IDENTITY: tagged,
    }
    for action, context in said.items():
        asked = list(_apart(asked, action, context))
    return asked


def _about(
    verb: Verb, known: Mapping[str, str], passed_to: Mapping[str, str]
) -> Iterator[_Question]:
    """The verb's statements, of objects that are known."""
    for part in verb.parts:
        for statement in permissions.statements(part, known):
            context = passed_to if "Condition" in statement else {}
            yield _Question(
                statement["Sid"], tuple(statement["Action"]), statement["Resource"], context
            )


def _tagged(wanted: Mapping[str, str]) -> dict[str, str | Sequence[str]]:
    """What policies see of the tags that come with a request."""
    seen: dict[str, str | Sequence[str]] = {f"{_TAG}{key}": wanted[key] for key in wanted}
    return {**seen, _TAG_KEYS: tuple(wanted)} if wanted else seen


def _apart(
    asked: Iterable[_Question], action: str, context: Mapping[str, str | Sequence[str]]
) -> Iterator[_Question]:
    """The same, with the action that makes something by itself, since it alone says all that."""
    for question in asked:
        others = tuple(item for item in question.actions if item != action)
        if others:
            yield replace(question, actions=others)
        if action in question.actions:
            yield replace(question, actions=(action,), context=context, making=True)


def _removals(
    aws: Aws, resources: Sequence[Resource[Any]], wanted: Callable[[str], bool]
) -> list[_Question]:
    """What is done to these objects, as far as the actions are `wanted`."""
    found: list[_Question] = []
    for resource in resources:
        about = _REMOVALS.get(resource.kind, ())
        for statement in permissions.statements("delete", _names_of(aws, resource)):
            actions = tuple(item for item in statement["Action"] if wanted(item))
            if statement["Sid"] in about and actions:
                question = _Question(statement["Sid"], actions, statement["Resource"])
                if "Condition" in statement:
                    tag = f"aws:ResourceTag/{tags.INSTALL_TAG}"
                    question = replace(question, context={tag: resource.install.id})
                found.append(question)
    return found


def _names_of(aws: Aws, resource: Resource[Any]) -> dict[str, str]:
    """What stands in a policy for an object that was found, by its ARN."""
    known = {
        **permissions.ANY,
        "partition": aws.caller.partition,
        "account": aws.caller.account,
    }
    observed = resource.observed
    if observed is None:
        return known
    name = Arn.parse(observed.id).resource
    return {
        **known,
        "bucket": name,
        "role": name.removeprefix("role"),
        "oidc_provider": name.removeprefix("oidc-provider/"),
    }
