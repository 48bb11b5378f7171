"""How what pods get is written: labels, taints, registries, proxies, certificates.

Words of Kubernetes and of those who run it, as a spec takes them and as manifests have them.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, StringConstraints

# https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/
_PREFIX, _NAME = r"([a-z0-9]([a-z0-9.-]*[a-z0-9])?/)?", r"[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?"
LABEL_KEY, LABEL_VALUE = f"^{_PREFIX}{_NAME}$", f"^({_NAME})?$"
# A host, and a path where all is below one.
REGISTRY = r"^[a-z0-9.-]+(:[0-9]{1,5})?(/[a-z0-9._-]+)*$"
OBJECT_NAME = r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$"
_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_TOLERATION = re.compile(
    f"(?P<key>{_PREFIX}{_NAME})(?P<equal>=(?P<value>({_NAME})?))?(:(?P<effect>{'|'.join(_EFFECTS)}))?"
)
_CERTIFICATE = "-----BEGIN CERTIFICATE-----"


def _taint(value: Any) -> Any:
    """A taint as kubectl writes it, out of a toleration as manifests have it."""
    if isinstance(value, Mapping):
        strange = set(value) - {"key", "operator", "value", "effect"}
        if strange or not value.get("key"):
            raise ValueError("give a key, and besides operator, value and effect alone")
        named = "" if value.get("operator") == "Exists" else f"={value.get('value', '')}"
        value = f"{value['key']}{named}" + (f":{value['effect']}" if value.get("effect") else "")
    if isinstance(value, str) and not _TOLERATION.fullmatch(value):
        raise ValueError(
            f"{value!r} is not KEY[=VALUE][:EFFECT]; effects are {', '.join(_EFFECTS)}"
        )
    return value


def as_toleration(taint: str) -> dict[str, str]:
    """What a pod says that tolerates it: any value where none is named, any effect likewise."""
    found = _TOLERATION.fullmatch(taint)
    assert found is not None, "a spec takes no others"  # noqa: S101
    said = {"key": found["key"], "operator": "Exists"}
    if found["equal"]:
        said |= {"operator": "Equal", "value": found["value"]}
    return said | ({"effect": found["effect"]} if found["effect"] else {})


def as_taint(taint: Mapping[str, Any]) -> str:
    """A node's taint as kubectl writes it, which is also how a toleration of it is said."""
    value = f"={taint['value']}" if taint.get("value") else ""
    return f"{taint['key']}{value}:{taint.get('effect')}"


def mirrored(image: str, registry: str | None) -> str:
    """The image in a registry of one's own: below it, by the path that it has on its host."""
    return f"{registry}/{path_of(image)}" if registry else image


def path_of(image: str) -> str:
    """An image without its host: `envoyproxy/gateway:v1.7.0`."""
    first, slash, rest = image.partition("/")
    return rest if slash and (first == "localhost" or set(".:") & set(first)) else image


def _proxy(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("no address of a proxy; write http://HOST:PORT")
    if parts.username or parts.password:
        raise ValueError(
            "a proxy's name and password would stand in the pods and in helm's records; "
            "leave them out, or bring the variables from a Secret with --values"
        )
    return value


def _unproxied(value: str) -> str:
    """A host, the end of a name, an address or a network, as programs read NO_PROXY."""
    accepted = "give a host, .DOMAIN, an address or a network such as 10.0.0.0/8"
    if "://" in value or re.search(r"\s", value) or not value:
        raise ValueError(f"{value!r} is not accepted; {accepted}")
    if "/" in value:
        try:
            ip_network(value, strict=False)
        except ValueError:
            raise ValueError(f"{value!r} is no network; {accepted}") from None
    return value


def _certificates(value: Any) -> Any:
    """The certificates themselves, where a file with them is named."""
    if not isinstance(value, str | Path):
        return value
    text = str(value)
    if _CERTIFICATE not in text:
        try:
            text = Path(value).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as problem:
            told = getattr(problem, "strerror", None) or problem
            raise ValueError(f"cannot read {value}: {told}") from None
    try:
        ssl.create_default_context(cadata=text)
    except (ssl.SSLError, ValueError) as problem:
        raise ValueError(f"no certificates in PEM form: {problem}") from None
    return text


LabelKey = Annotated[str, StringConstraints(pattern=LABEL_KEY, max_length=317)]
LabelValue = Annotated[str, StringConstraints(pattern=LABEL_VALUE, max_length=63)]
Registry = Annotated[str, StringConstraints(pattern=REGISTRY, max_length=255)]
SecretName = Annotated[str, StringConstraints(pattern=OBJECT_NAME, max_length=253)]
Toleration = Annotated[str, BeforeValidator(_taint)]
UnproxiedHost = Annotated[str, AfterValidator(_unproxied)]
ProxyUrl = Annotated[str, AfterValidator(_proxy)]
Certificates = Annotated[str, BeforeValidator(_certificates)]
