"""Tags: the rules for their names and values, and how lists are filtered by them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from anyscale_k8s_cli.sandbox.azure.errors import ArmError, bad_request

_MOST = 50
_LONGEST_NAME = 512
_LONGEST_VALUE = 256
_RESERVED = re.compile(r"[<>%&\\?/]|[\x00-\x1f]")


def checked(raw: Any, *, longest_name: int = _LONGEST_NAME) -> dict[str, str]:
    """The tags of a request; raises 400 for those that Azure refuses."""
    if raw is None:
        return {}
    if not isinstance(raw, Mapping) or not all(isinstance(item, str) for item in raw.values()):
        raise bad_request("InvalidRequestContent", "The value of a tag must be a string.")
    if len(raw) > _MOST:
        raise bad_request(
            "TagCountExceeded",
            f"The number of tags ({len(raw)}) on the resource exceeds the limit of {_MOST}.",
        )
    reserved = [name for name in raw if _RESERVED.search(name)]
    if reserved:
        raise bad_request(
            "InvalidTagNameCharacters",
            f"The tag names '{','.join(reserved)}' have reserved characters '<,>,%,&,\\,?,/' or "
            "control characters.",
        )
    for name, value in raw.items():
        _check_length(name, value, longest_name)
    folded = [name.lower() for name in raw]
    if len(set(folded)) < len(folded):
        message = "The names of tags must differ by more than their case."
        raise bad_request("DuplicateTagNames", message)
    return dict(raw)


def _check_length(name: str, value: str, longest_name: int) -> None:
    if not name or len(name) > longest_name:
        raise bad_request(
            "InvalidTagName",
            f"The tag name '{name}' is empty or exceeds the maximum length of {longest_name}.",
        )
    if len(value) > _LONGEST_VALUE:
        raise bad_request(
            "TagValueTooLong",
            f"The value of the tag '{name}' exceeds the maximum length of {_LONGEST_VALUE}.",
        )


_TAG = re.compile(r"\s*tagName\s+eq\s+'([^']*)'(?:\s+and\s+tagValue\s+eq\s+'([^']*)')?\s*", re.I)
_TYPE = re.compile(r"\s*resourceType\s+eq\s+'([^']*)'\s*", re.I)


class ResourceFilter:
    """The `$filter` of a list of resources: by a tag, or by a type, never by both."""

    def __init__(self, text: str) -> None:
        tag, kind = _TAG.fullmatch(text), _TYPE.fullmatch(text)
        if text and tag is None and kind is None:
            raise ArmError(
                400,
                "InvalidFilterInQueryString",
                f"Invalid $filter '{text}' specified in the query string. A filter on tags cannot "
                "be combined with others.",
            )
        self._name = tag[1] if tag else ""
        self._value = tag[2] if tag else None
        self._kind = kind[1].lower() if kind else ""

    @property
    def by_tag(self) -> bool:
        return bool(self._name)

    def admits(self, kind: str, tags: Mapping[str, str]) -> bool:
        if self._kind:
            return kind.lower() == self._kind
        if not self._name:
            return True
        # Names of tags have no case, values have.
        found = {name.lower(): value for name, value in tags.items()}.get(self._name.lower())
        return found is not None and self._value in (None, found)
