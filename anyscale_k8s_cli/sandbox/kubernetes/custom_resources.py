"""From a CustomResourceDefinition to the resources that it makes the server serve."""

from __future__ import annotations

from collections.abc import Iterator

from anyscale_k8s_cli.sandbox.kubernetes.objects import dig, name_of
from anyscale_k8s_cli.sandbox.kubernetes.resources import Object, Resource
from anyscale_k8s_cli.sandbox.kubernetes.schema import Schema


def resources_of(crd: Object) -> Iterator[Resource]:
    """One resource for each served version, the storage version first."""
    spec, names = crd["spec"], crd["spec"]["names"]
    for version in sorted(spec["versions"], key=lambda version: not version.get("storage")):
        if version.get("served"):
            yield Resource(
                group=spec["group"],
                version=version["name"],
                plural=names["plural"],
                kind=names["kind"],
                namespaced=spec["scope"] == "Namespaced",
                short_names=tuple(names.get("shortNames") or ()),
                subresources=tuple(sorted(version.get("subresources") or {})),
                singular=names.get("singular") or names["kind"].lower(),
                categories=tuple(names.get("categories") or ()),
                list_kind=names.get("listKind") or f"{names['kind']}List",
                crd=name_of(crd),
                columns=tuple(version.get("additionalPrinterColumns") or ()),
                schema=_schema(dig(version, "schema", "openAPIV3Schema") or {}),
            )


def _schema(node: Object) -> Schema:
    """The version's schema with the metadata that every object has."""
    properties = {**(node.get("properties") or {})}
    properties["apiVersion"] = properties["kind"] = {"type": "string"}
    # Metadata is held against the common schema instead.
    properties["metadata"] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return Schema({**node, "properties": properties})
