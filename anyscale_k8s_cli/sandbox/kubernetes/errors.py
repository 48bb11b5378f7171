"""The API server's errors, with the reasons and texts that clients key on."""

from __future__ import annotations

from typing import Any

from anyscale_k8s_cli.sandbox.kubernetes.resources import Object, Resource


class ApiError(Exception):
    """An error answer: HTTP status, machine-readable reason, message for people."""

    def __init__(
        self, status: int, reason: str, message: str, details: Object | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message
        self.details = details or {}

    def body(self) -> Object:
        """The Status object that carries the error."""
        return {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "details": self.details,
            "code": self.status,
        }


def _details(resource: Resource, name: str, **more: Any) -> Object:
    return {"name": name, "group": resource.group, "kind": resource.plural, **more}


def bad_request(message: str) -> ApiError:
    return ApiError(400, "BadRequest", message)


def unauthorized() -> ApiError:
    return ApiError(401, "Unauthorized", "Unauthorized")


def no_such_endpoint() -> ApiError:
    return ApiError(404, "NotFound", "the server could not find the requested resource")


def method_not_allowed() -> ApiError:
    return ApiError(
        405,
        "MethodNotAllowed",
        "the server does not allow this method on the requested resource",
    )


def not_found(resource: Resource, name: str) -> ApiError:
    message = f'{resource.key} "{name}" not found'
    return ApiError(404, "NotFound", message, _details(resource, name))


def already_exists(resource: Resource, name: str) -> ApiError:
    message = f'{resource.key} "{name}" already exists'
    return ApiError(409, "AlreadyExists", message, _details(resource, name))


def modified(resource: Resource, name: str) -> ApiError:
    """The optimistic lock did not hold: somebody else wrote in between."""
    message = (
        f'Operation cannot be fulfilled on {resource.key} "{name}": the object has been '
        "modified; please apply your changes to the latest version and try again"
    )
    return ApiError(409, "Conflict", message, _details(resource, name))


def precondition_failed(
    resource: Resource, name: str, field: str, wanted: str, found: str
) -> ApiError:
    message = (
        f'Operation cannot be fulfilled on {resource.key} "{name}": Precondition failed: '
        f"{field} in precondition: {wanted}, {field} in object meta: {found}"
    )
    return ApiError(409, "Conflict", message, _details(resource, name))


def forbidden(resource: Resource, name: str, why: str, **details: Any) -> ApiError:
    message = f'{resource.key} "{name}" is forbidden: {why}'
    return ApiError(403, "Forbidden", message, _details(resource, name, **details))


def namespace_terminating(resource: Resource, name: str, namespace: str) -> ApiError:
    why = f"unable to create new content in namespace {namespace} because it is being terminated"
    cause = {
        "reason": "NamespaceTerminating",
        "message": f"namespace {namespace} is being terminated",
        "field": "metadata.namespace",
    }
    return forbidden(resource, name, why, causes=[cause])


def invalid(resource: Resource, name: str, causes: list[tuple[str, str, str]]) -> ApiError:
    """A 422 from causes: field, machine-readable reason, text."""
    texts = [f"{field}: {text}" for field, _, text in causes]
    joined = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    message = f'{resource.qualified_kind} "{name}" is invalid: {joined}'
    details = {
        "name": name,
        "group": resource.group,
        "kind": resource.kind,
        "causes": [{"reason": r, "message": text, "field": field} for field, r, text in causes],
    }
    return ApiError(422, "Invalid", message, details)


def required(field: str, hint: str = "") -> tuple[str, str, str]:
    return (field, "FieldValueRequired", "Required value" + (f": {hint}" if hint else ""))


def invalid_value(field: str, shown: str, why: str) -> tuple[str, str, str]:
    return (field, "FieldValueInvalid", f"Invalid value: {shown}: {why}")


def immutable(field: str, shown: str = "") -> tuple[str, str, str]:
    shown = f"{shown}: " if shown else ""
    return (field, "FieldValueInvalid", f"Invalid value: {shown}field is immutable")


def expired(message: str) -> ApiError:
    return ApiError(410, "Expired", message)


def unsupported_media_type(accepted: str) -> ApiError:
    message = (
        "the body of the request was in an unknown format - accepted media types include: "
        f"{accepted}"
    )
    return ApiError(415, "UnsupportedMediaType", message)
