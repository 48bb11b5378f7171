"""What a container is given: variables and mounts that refer to other objects."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping

from anyscale_k8s_cli.sandbox.kubernetes.objects import dig, namespace_of
from anyscale_k8s_cli.sandbox.kubernetes.resources import Object
from anyscale_k8s_cli.sandbox.kubernetes.store import Store

_REFERENCE = re.compile(r"\$\(([A-Za-z_][-A-Za-z0-9_.]*)\)")


class MissingReference(Exception):
    """A container refers to an object or a key that is not there (yet)."""


def container_named(pod: Object, name: str) -> Object:
    """Raises KeyError if the pod has no such container."""
    spec = pod["spec"]
    for container in (*(spec.get("initContainers") or ()), *spec["containers"]):
        if container["name"] == name:
            found: Object = container
            return found
    raise KeyError(name)


def environment(store: Store, pod: Object, container: str) -> dict[str, str]:
    """The container's variables with every reference resolved. Raises MissingReference."""
    spec = container_named(pod, container)
    variables: dict[str, str] = {}
    for source in spec.get("envFrom") or ():
        for kind, resource in (("configMapRef", "configmaps"), ("secretRef", "secrets")):
            if kind in source:
                data = _data(store, pod, resource, source[kind])
                prefix = source.get("prefix", "")
                variables.update({prefix + key: value for key, value in data.items()})
    for variable in spec.get("env") or ():
        value = _value(store, pod, spec, variable)
        if value is not None:
            variables[variable["name"]] = _expand(value, variables)
    return variables


def _expand(text: str, variables: dict[str, str]) -> str:
    return _REFERENCE.sub(lambda match: variables.get(match[1], match[0]), text)


def _value(store: Store, pod: Object, container: Object, variable: Object) -> str | None:
    source = variable.get("valueFrom")
    if not source:
        return str(variable.get("value", ""))
    if "fieldRef" in source:
        return _field(pod, source["fieldRef"]["fieldPath"])
    if "resourceFieldRef" in source:
        kind, name = source["resourceFieldRef"]["resource"].split(".", 1)
        return str(dig(container, "resources", kind, name) or "0")
    for kind, resource in (("configMapKeyRef", "configmaps"), ("secretKeyRef", "secrets")):
        if kind in source:
            reference = source[kind]
            data = _data(store, pod, resource, reference)
            if reference["key"] in data:
                return data[reference["key"]]
            if reference.get("optional"):
                return None
            where = f"{namespace_of(pod)}/{reference['name']}"
            what = "Secret" if resource == "secrets" else "ConfigMap"
            raise MissingReference(f"couldn't find key {reference['key']} in {what} {where}")
    return None


def _data(store: Store, pod: Object, resource: str, reference: Object) -> dict[str, str]:
    found = store.find(resource, namespace_of(pod), reference.get("name", ""))
    if found is None:
        if reference.get("optional"):
            return {}
        raise MissingReference(f'{resource.removesuffix("s")} "{reference.get("name")}" not found')
    data: dict[str, str] = found.get("data") or {}
    if resource == "configmaps":
        return data
    return {key: base64.b64decode(value).decode("utf-8", "replace") for key, value in data.items()}


def _field(pod: Object, path: str) -> str:
    """A downward-API field, `metadata.labels['x']` included."""
    if match := re.fullmatch(r"metadata\.(labels|annotations)\['(.+)'\]", path):
        return str(dig(pod, "metadata", match[1], match[2]) or "")
    return str(dig(pod, *path.split(".")) or "")


def mounted_file(store: Store, pod: Object, container: str, path: str) -> str:
    """What the container sees at a path below one of its mounts. Raises LookupError."""
    return _at(path, mounted_files(store, pod, container))


def mounted_files(store: Store, pod: Object, container: str) -> dict[str, str]:
    """What the container sees of Secrets and ConfigMaps, by path."""
    return {
        f"{folder}/{name}": text
        for folder, volume in _mounts(pod, container)
        for resource, source in _volume_sources(volume)
        for name, text in _data(store, pod, resource, {"name": source, "optional": True}).items()
    }


def token_at(pod: Object, container: str, path: str) -> str:
    """The audience of the token that the container sees at a path. Raises LookupError."""
    return _at(path, mounted_tokens(pod, container))


def mounted_tokens(pod: Object, container: str) -> dict[str, str]:
    """The audiences of the tokens that the container sees, by path."""
    return {
        f"{folder}/{token['path']}": str(token.get("audience", ""))
        for folder, volume in _mounts(pod, container)
        for source in dig(volume, "projected", "sources") or ()
        if (token := source.get("serviceAccountToken"))
    }


def _mounts(pod: Object, container: str) -> Iterator[tuple[str, Object]]:
    """Each path of the container with the volume that it shows."""
    volumes = {volume["name"]: volume for volume in pod["spec"].get("volumes") or ()}
    for mount in container_named(pod, container).get("volumeMounts") or ():
        yield str(mount["mountPath"]).rstrip("/"), volumes[mount["name"]]


def _at(path: str, found: Mapping[str, str]) -> str:
    if path not in found:
        raise LookupError(f"{path}: no such file or directory")
    return found[path]


def missing_volumes(store: Store, pod: Object) -> Iterator[str]:
    """Messages for volumes that cannot be mounted because what they show is not there."""
    for volume in pod["spec"].get("volumes") or ():
        for resource, name in _volume_sources(volume):
            if store.find(resource, namespace_of(pod), name) is None:
                what = f'{resource.removesuffix("s")} "{name}" not found'
                yield f'MountVolume.SetUp failed for volume "{volume["name"]}" : {what}'


def _volume_sources(volume: Object) -> Iterator[tuple[str, str]]:
    sources = [volume, *(dig(volume, "projected", "sources") or ())]
    for source in sources:
        secret, config = source.get("secret"), source.get("configMap")
        if secret and not secret.get("optional"):
            yield "secrets", str(secret.get("secretName") or secret.get("name"))
        if config and not config.get("optional"):
            yield "configmaps", str(config.get("name"))
    claim = dig(volume, "persistentVolumeClaim", "claimName")
    if claim:
        yield "persistentvolumeclaims", str(claim)


def token_audiences(pod: Object) -> Iterator[str]:
    """The audiences of the service-account tokens that are projected into the pod."""
    for volume in pod["spec"].get("volumes") or ():
        for source in dig(volume, "projected", "sources") or ():
            if "serviceAccountToken" in source:
                yield str(source["serviceAccountToken"].get("audience", ""))
