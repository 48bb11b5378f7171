"""Who may do what: RBAC, evaluated from the roles and bindings in the store."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from anyscale_k8s_cli.sandbox.kubernetes.errors import ApiError, forbidden
from anyscale_k8s_cli.sandbox.kubernetes.objects import name_of, namespace_of
from anyscale_k8s_cli.sandbox.kubernetes.resources import Object, Resource
from anyscale_k8s_cli.sandbox.kubernetes.store import Store
from anyscale_k8s_cli.sandbox.kubernetes.users import SUPERUSERS, User
from anyscale_k8s_cli.sandbox.kubernetes.writes import Admission, Write

RBAC = "rbac.authorization.k8s.io"


@dataclass(frozen=True, slots=True)
class Attributes:
    """What somebody wants to do: a verb on a resource, or on a `path` that is none."""

    verb: str
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""

    @property
    def full_resource(self) -> str:
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource


def rule_allows(rule: Object, wanted: Attributes) -> bool:
    """Whether one rule of a role allows the attempt."""
    if not {"*", wanted.verb} & set(rule.get("verbs") or ()):
        return False
    if wanted.path:
        return any(
            _path_fits(pattern, wanted.path) for pattern in rule.get("nonResourceURLs") or ()
        )
    if not {"*", wanted.group} & set(rule.get("apiGroups") or ()):
        return False
    names = rule.get("resourceNames")
    if names and wanted.name not in names:
        return False
    fitting = {"*", wanted.full_resource}
    if wanted.subresource:
        fitting.add(f"*/{wanted.subresource}")
    return bool(fitting & set(rule.get("resources") or ()))


def _path_fits(pattern: str, path: str) -> bool:
    return path.startswith(pattern[:-1]) if pattern.endswith("*") else path == pattern


class Authorizer:
    """Evaluates RBAC. Rules are found by subject; there is no way to deny."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def rules(self, user: User, namespace: str = "") -> Iterator[Object]:
        """The rules that hold for a user in a namespace, or cluster-wide without one."""
        for binding in self._store.items(f"clusterrolebindings.{RBAC}"):
            if _names(binding, user):
                yield from self.role_rules(binding, "")
        if namespace:
            for binding in self._store.items(f"rolebindings.{RBAC}", namespace):
                if _names(binding, user):
                    yield from self.role_rules(binding, namespace)

    def role_rules(self, binding: Object, namespace: str) -> list[Object]:
        """The rules of the role that a binding refers to; none if there is no such role."""
        reference = binding["roleRef"]
        cluster_wide = reference["kind"] == "ClusterRole"
        resource = f"clusterroles.{RBAC}" if cluster_wide else f"roles.{RBAC}"
        role = self._store.find(resource, "" if cluster_wide else namespace, reference["name"])
        return list((role or {}).get("rules") or ())

    def allows(self, user: User, wanted: Attributes) -> bool:
        if SUPERUSERS in user.groups:
            return True
        return any(rule_allows(rule, wanted) for rule in self.rules(user, wanted.namespace))

    def check(self, user: User, wanted: Attributes) -> None:
        """Raises a 403 ApiError in the real server's words."""
        if not self.allows(user, wanted):
            raise denial(user, wanted)

    def may_grant(self, user: User, rule: Object, namespace: str) -> bool:
        """Whether the user holds everything that a rule would grant."""
        return all(self.allows(user, wanted) for wanted in _expanded(rule, namespace))


def _expanded(rule: Object, namespace: str) -> Iterator[Attributes]:
    for verb in rule.get("verbs") or ():
        for path in rule.get("nonResourceURLs") or ():
            yield Attributes(verb, path=path)
        for group in rule.get("apiGroups") or ():
            for resource in rule.get("resources") or ():
                plural, _, sub = resource.partition("/")
                for name in rule.get("resourceNames") or [""]:
                    yield Attributes(verb, group, plural, sub, namespace, name)


def _names(binding: Object, user: User) -> bool:
    for subject in binding.get("subjects") or ():
        match subject["kind"]:
            case "User":
                found = subject["name"] == user.name
            case "Group":
                found = subject["name"] in user.groups
            case _:
                account = f"system:serviceaccount:{subject.get('namespace')}:{subject['name']}"
                found = account == user.name
        if found:
            return True
    return False


def denial(user: User, wanted: Attributes) -> ApiError:
    who = f'User "{user.name}" cannot {wanted.verb}'
    if wanted.path:
        message = f'forbidden: {who} path "{wanted.path}"'
        return ApiError(403, "Forbidden", message, {})
    qualified = f"{wanted.resource}.{wanted.group}" if wanted.group else wanted.resource
    subject = f'{qualified} "{wanted.name}"' if wanted.name else qualified
    scope = f'in the namespace "{wanted.namespace}"' if wanted.namespace else "at the cluster scope"
    message = (
        f'{subject} is forbidden: {who} resource "{wanted.full_resource}" '
        f'in API group "{wanted.group}" {scope}'
    )
    details = {"name": wanted.name, "group": wanted.group, "kind": wanted.resource}
    return ApiError(403, "Forbidden", message, details)


def escalation_guard(authorizer: Authorizer) -> Admission:
    """Keeps users from granting more than they hold, by a role or by a binding."""

    def admit(resource: Resource, obj: Object, old: Object | None, write: Write) -> None:
        user = write.user
        if user is None or resource.group != RBAC or SUPERUSERS in user.groups:
            return
        namespace = namespace_of(obj)
        if resource.plural in ("roles", "clusterroles"):
            rules, verb = obj.get("rules") or [], "escalate"
            if old is not None and old.get("rules") == obj.get("rules"):
                return
            target = Attributes(verb, RBAC, resource.plural, "", namespace, name_of(obj))
        else:
            reference = obj["roleRef"]
            rules, verb = authorizer.role_rules(obj, namespace), "bind"
            plural = "clusterroles" if reference["kind"] == "ClusterRole" else "roles"
            target = Attributes(verb, RBAC, plural, "", namespace, reference["name"])
        if authorizer.allows(user, target):
            return
        missing = [rule for rule in rules if not authorizer.may_grant(user, rule, namespace)]
        if missing:
            held = f'user "{user.name}" (groups={json.dumps(list(user.groups))})'
            why = f"{held} is attempting to grant RBAC permissions not currently held:\n"
            raise forbidden(resource, name_of(obj), why + "\n".join(map(json.dumps, missing)))

    return admit
