"""Documents from YAML, as helm writes them."""

from __future__ import annotations

import pytest
import yaml

from anyscale_k8s_cli.cluster.documents import parse_all


def test_all_documents_of_a_stream() -> None:
    assert list(parse_all("---\na: 1\n---\n# nothing\n---\nb: [x, 2]\n")) == [
        {"a": 1},
        None,
        {"b": ["x", 2]},
    ]


def test_a_bare_equals_sign_is_text() -> None:
    """Definitions of custom resources have it among the operators that a field allows."""
    assert list(parse_all("enum:\n- '!='\n- =\n- =~\n")) == [{"enum": ["!=", "=", "=~"]}]


@pytest.mark.parametrize("tag", ["!!python/object/apply:os.getcwd []", "!anything {}"])
def test_tags_make_no_objects(tag: str) -> None:
    with pytest.raises(yaml.YAMLError):
        list(parse_all(f"a: {tag}"))
