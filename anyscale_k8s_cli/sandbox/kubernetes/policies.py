"""ValidatingAdmissionPolicies: what an administrator's own expressions say of a write.

https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/
Every write is judged, dry runs and those of controllers too. Deletions are not, and
parameters (`paramKind`) are none.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from anyscale_k8s_cli.sandbox.kubernetes.errors import ApiError, forbidden, invalid, invalid_value
from anyscale_k8s_cli.sandbox.kubernetes.objects import name_of, namespace_of
from anyscale_k8s_cli.sandbox.kubernetes.resources import Object, Resource
from anyscale_k8s_cli.sandbox.kubernetes.rules import applies, selects
from anyscale_k8s_cli.sandbox.kubernetes.store import Store
from anyscale_k8s_cli.sandbox.kubernetes.writes import Admission, Write

if TYPE_CHECKING:
    import cel

_GROUP = "admissionregistration.k8s.io"
_POLICIES = f"validatingadmissionpolicies.{_GROUP}"
_BINDINGS = f"validatingadmissionpolicybindings.{_GROUP}"
_CONTROLLERS = "system:kube-controller-manager"
_STATUS = {"Unauthorized": 401, "Forbidden": 403, "RequestEntityTooLarge": 413, "Invalid": 422}


@dataclass(frozen=True, slots=True)
class _Denial:
    message: str
    reason: str = "Invalid"


def admit_by_policies(store: Store) -> Admission:
    """What is registered in the store; an expression that makes no sense is refused itself."""

    def admit(resource: Resource, obj: Object, old: Object | None, write: Write) -> None:
        if resource.key == _POLICIES:
            _check_expressions(resource, obj)
        # What registers policies is judged by none, so that a bad one can be removed.
        if resource.group == _GROUP:
            return
        for binding in store.items(_BINDINGS):
            policy = store.find(_POLICIES, "", binding["spec"]["policyName"])
            if policy is None or not _concerns(store, policy, binding, resource, obj, old):
                continue
            denial = next(_denials(policy["spec"], _scope(store, resource, obj, old, write)), None)
            if denial is not None:
                _enforce(policy, binding, denial, resource, obj, write)

    return admit


def _enforce(
    policy: Object, binding: Object, denial: _Denial, resource: Resource, obj: Object, write: Write
) -> None:
    who = f"ValidatingAdmissionPolicy '{name_of(policy)}' with binding '{name_of(binding)}'"
    actions = binding["spec"].get("validationActions") or ()
    if "Warn" in actions:
        write.warnings.append(f"Validation failed for {who}: {denial.message}")
    if "Deny" in actions:
        message = f"{who} denied request: {denial.message}"
        error = forbidden(resource, name_of(obj), message, causes=[{"message": message}])
        status = _STATUS.get(denial.reason, 422)
        raise ApiError(status, denial.reason, error.message, error.details)


def _concerns(
    store: Store,
    policy: Object,
    binding: Object,
    resource: Resource,
    obj: Object,
    old: Object | None,
) -> bool:
    operation = "CREATE" if old is None else "UPDATE"
    constraints = policy["spec"].get("matchConstraints") or {}
    narrowed = binding["spec"].get("matchResources") or {}
    for where in (constraints, narrowed):
        rules = where.get("resourceRules")
        if rules is not None and not any(applies(rule, resource, operation) for rule in rules):
            return False
        left_out = where.get("excludeResourceRules") or ()
        if any(applies(rule, resource, operation) for rule in left_out):
            return False
        if not selects(store, where, resource, [obj, *([old] if old else [])]):
            return False
    return True


def _scope(
    store: Store, resource: Resource, obj: Object, old: Object | None, write: Write
) -> dict[str, Any]:
    """The variables that expressions see."""
    namespace = namespace_of(obj)
    kind = {"group": resource.group, "version": resource.version}
    return {
        "object": obj,
        "oldObject": old,
        "namespaceObject": store.find("namespaces", "", namespace) if namespace else None,
        "request": {
            "kind": {**kind, "kind": resource.kind},
            "resource": {**kind, "resource": resource.plural},
            "name": name_of(obj),
            "namespace": namespace,
            "operation": "CREATE" if old is None else "UPDATE",
            "userInfo": write.user.as_info() if write.user else {"username": _CONTROLLERS},
            "dryRun": write.dry_run,
        },
    }


def _denials(spec: Object, scope: dict[str, Any]) -> Iterator[_Denial]:
    strict = spec.get("failurePolicy", "Fail") == "Fail"
    try:
        conditions = spec.get("matchConditions") or ()
        if not all(_value(condition["expression"], scope) for condition in conditions):
            return
        named: dict[str, Any] = {}
        scope = {**scope, "variables": named}
        for variable in spec.get("variables") or ():
            named[variable["name"]] = _value(variable["expression"], scope)
    except _Failed as failure:
        if strict:
            yield _Denial(str(failure))
        return
    for validation in spec.get("validations") or ():
        try:
            if _value(validation["expression"], scope) is not True:
                yield _Denial(_message(validation, scope), validation.get("reason") or "Invalid")
        except _Failed as failure:
            if strict:
                yield _Denial(str(failure))


def _message(validation: Object, scope: dict[str, Any]) -> str:
    if made := validation.get("messageExpression"):
        try:
            return str(_value(made, scope))
        except _Failed:
            pass
    said = validation.get("message")
    return str(said) if said else f"failed expression: {validation['expression']}"


class _Failed(Exception):
    """An expression came to no value."""


def _value(expression: str, scope: dict[str, Any]) -> Any:
    try:
        return _program(expression).execute(scope)
    except KeyError as missing:
        why = f"no such key: {missing.args[0]}"
        raise _Failed(f"expression '{expression}' resulted in error: {why}") from missing
    except (RuntimeError, TypeError, ValueError) as problem:
        why = str(problem)
        raise _Failed(f"expression '{expression}' resulted in error: {why}") from problem


@functools.cache
def _program(expression: str) -> cel.Program:
    # Slow to import, and most clusters have no policy.
    import cel

    return cel.compile(expression)


def _check_expressions(resource: Resource, policy: Object) -> None:
    spec = policy["spec"]
    causes = []
    for part in ("matchConditions", "variables", "validations"):
        for index, item in enumerate(spec.get(part) or ()):
            try:
                _program(item["expression"])
            except ValueError as problem:
                field = f"spec.{part}[{index}].expression"
                shown = f'"{item["expression"]}"'
                causes.append(invalid_value(field, shown, f"compilation failed: {problem}"))
    if causes:
        raise invalid(resource, name_of(policy), causes)
