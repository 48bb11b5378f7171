"""The parts of a review in their order, each in words: what text and Markdown have in common."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import yaml

from anyscale_k8s_cli.cli.render import table

Document = Mapping[str, Any]
OF_SETUP = "What whoever sets up must be granted"
_OWNED = {
    "ours": "made by this tool",
    "shared": "shared with other installs",
    "adopted": "yours",
    "foreign": "somebody else's",
}


class Verbatim(NamedTuple):
    """A document as it is written down."""

    title: str
    form: str
    text: str


class Part(NamedTuple):
    """A heading, lines of cells under `columns`, and documents word for word below them."""

    title: str
    columns: tuple[str, ...]
    rows: Sequence[Sequence[str]]
    documents: Sequence[Verbatim] = ()


def title(document: Document) -> str:
    what = "as it is" if document["live"] else "as a setup would make it"
    return f"Cloud {document['cloud']} on {str(document['provider']).upper()}, {what}"


def parts(document: Document) -> Iterator[Part]:
    """All that there is something to tell of."""
    for part in _parts(document):
        if part.rows or part.documents:
            yield part


def _parts(document: Document) -> Iterator[Part]:
    yield Part("Where", ("", ""), _where(document))
    yield _identities(document["identities"])
    yield _roles(document["kubernetes"])
    yield _cells(
        "Secrets, by name; what is in them is never read",
        document["secrets"],
        ("name", "namespace", "holds"),
    )
    yield from _network(document["network"])
    yield _cells("Ways out", document["egress"], ("host", "from", "why"))
    yield _cells("Images", document["images"], ("image", "namespace", "digest"))
    yield _cells("Who else may do what", document["outside"], ("who", "may"))
    yield Part("Where data is", ("bucket", "region", "whose", "kept from others"), _data(document))
    setup = document["setup"]
    yield Part(
        OF_SETUP,
        ("document", "form"),
        [(item["name"], item["format"]) for item in setup["documents"]],
        [Verbatim(item["name"], item["format"], item["text"]) for item in setup["documents"]],
    )
    yield Part("Not told here", ("what",), [(line,) for line in document["unknown"]])


def _where(document: Document) -> list[tuple[str, ...]]:
    names = ("account", "region", "cluster", "namespace")
    return [(name, document[name]) for name in names if document[name]]


def _identities(found: Sequence[Document]) -> Part:
    return Part(
        "Identities, whom they trust and what they may",
        ("what", "name", "whose", "rights"),
        [
            (
                item["title"],
                item["name"],
                _OWNED[item["ownership"]],
                "; ".join(item["rights"]),
            )
            for item in found
        ],
        [
            Verbatim(f"{item['title']}: {told['name']}", told["format"], told["text"])
            for item in found
            for told in item["documents"]
        ],
    )


def _roles(found: Sequence[Document]) -> Part:
    columns = ("name", "kind", "namespace", "release")
    return _cells("Rights in the cluster", found, columns)._replace(
        documents=[
            Verbatim(f"{item['kind']} {item['name']}", "rules", _yaml(item["rules"]))
            for item in found
            if item["rules"] is not None
        ]
    )


def _network(network: Document) -> Iterator[Part]:
    facts = [
        ("exposure", network["exposure"]),
        ("admitted", ", ".join(network["allow_cidrs"]) or "everybody who reaches it"),
        ("address", network["address"] or ""),
    ]
    yield Part("Ways in", ("", ""), [row for row in facts if row[1]])
    yield _cells("Listeners", network["listeners"], ("name", "port", "protocol", "hostname"))
    yield _cells(
        "Load balancers",
        network["load_balancers"],
        ("service", "ports", "source_ranges", "annotations"),
    )
    yield _cells(
        "Ports that containers listen on",
        network["ports"],
        ("container", "namespace", "port", "protocol"),
    )


def _data(document: Document) -> list[tuple[str, ...]]:
    return [
        (
            item["bucket"],
            item["region"] or "",
            _OWNED[item["ownership"]],
            table.text_of(item["protection"]),
        )
        for item in document["data"]
    ]


def _cells(heading: str, items: Sequence[Document], names: tuple[str, ...]) -> Part:
    rows = [tuple(table.text_of(item[name]) for name in names) for item in items]
    return Part(heading, tuple(name.replace("_", " ") for name in names), rows)


def _yaml(rules: Any) -> str:
    return str(yaml.safe_dump(rules, sort_keys=False, default_flow_style=None, width=100)).rstrip()
