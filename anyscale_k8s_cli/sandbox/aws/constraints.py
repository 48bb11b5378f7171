"""What a service's own model demands of parameters: presence, lengths, patterns, choices.

The SDKs check some of it before they send anything, the services all of it, and
moto next to nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from anyscale_k8s_cli.sandbox.aws.errors import AwsError

# What each service calls a parameter that breaks a rule; S3 sees XML that breaks its schema.
_CODES = {
    "eks": "InvalidParameterException",
    "kms": "ValidationException",
    "s3": "MalformedXML",
    "tagging": "InvalidParameterException",
}
_S3_MESSAGE = (
    "The XML you provided was not well-formed or did not validate against our published schema"
)
# Unicode's classes, which Python's patterns do not know: letters and numbers, and separators.
_CLASSES = (
    (r"\p{L}", r"\w"),
    (r"\p{N}", r"\w"),
    (r"\p{Z}", " \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"),
)


def check_parameters(service: str, shape: Any, parameters: Any) -> None:
    """Raises the service's own :class:`AwsError` for parameters that break their model's rules."""
    found = list(_violations(shape, parameters, "")) if shape is not None else []
    if not found:
        return
    message = f"{len(found)} validation error{'s' * (len(found) > 1)} detected: {'; '.join(found)}"
    if service == "s3":
        message = _S3_MESSAGE
    raise AwsError(400, _CODES.get(service, "ValidationError"), message)


def _violations(shape: Any, value: Any, path: str) -> Iterator[str]:
    if value is None:
        return
    match shape.type_name:
        case "structure":
            yield from _of_structure(shape, value, path)
        case "list":
            yield from _of_length(shape, value, path, len(value))
            for number, item in enumerate(value, start=1):
                yield from _violations(shape.member, item, f"{path}.{number}.member")
        case "map":
            yield from _of_length(shape, value, path, len(value))
            for key, item in value.items():
                yield from _violations(shape.key, key, path)
                yield from _violations(shape.value, item, f"{path}.{key}.member")
        case "string":
            yield from _of_string(shape, value, path)
        case "integer" | "long":
            yield from _of_number(shape, int(value), path)


def _of_structure(shape: Any, value: Any, path: str) -> Iterator[str]:
    for name, member in shape.members.items():
        given = value.get(name)
        where = f"{path}.{name[:1].lower()}{name[1:]}".removeprefix(".")
        if given is None and name in shape.required_members:
            yield f"Value null at '{where}' failed to satisfy constraint: Member must not be null"
        yield from _violations(member, given, where)


def _of_string(shape: Any, value: str, path: str) -> Iterator[str]:
    yield from _of_length(shape, value, path, len(value))
    pattern = shape.metadata.get("pattern")
    if pattern and not _compiled(pattern).fullmatch(value):
        rule = f"Member must satisfy regular expression pattern: {pattern}"
        yield _told(shape, value, path, rule)
    choices = shape.metadata.get("enum")
    if choices and value not in choices:
        rule = f"Member must satisfy enum value set: [{', '.join(choices)}]"
        yield _told(shape, value, path, rule)


def _of_length(shape: Any, value: Any, path: str, length: int) -> Iterator[str]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least is not None and length < least:
        rule = f"Member must have length greater than or equal to {least}"
        yield _told(shape, value, path, rule)
    if most is not None and length > most:
        rule = f"Member must have length less than or equal to {most}"
        yield _told(shape, value, path, rule)


def _of_number(shape: Any, value: int, path: str) -> Iterator[str]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least is not None and value < least:
        yield _told(shape, value, path, f"Member must have value greater than or equal to {least}")
    if most is not None and value > most:
        yield _told(shape, value, path, f"Member must have value less than or equal to {most}")


def _told(shape: Any, value: Any, path: str, rule: str) -> str:
    shown = "***" if shape.metadata.get("sensitive") else value
    return f"Value '{shown}' at '{path}' failed to satisfy constraint: {rule}"


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    for unicode_class, here in _CLASSES:
        pattern = pattern.replace(unicode_class, here)
    return re.compile(pattern)
