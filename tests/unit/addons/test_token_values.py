"""Where the operator's token stands in the values of its chart."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from anyscale_k8s_cli.addons.token_values import (
    PLACEHOLDER,
    is_ours,
    token_in,
    token_values,
    told_token,
    without_token,
)
from anyscale_k8s_cli.addons.values import merged
from anyscale_k8s_cli.operator_token import OperatorToken

TOKEN = OperatorToken("key-1", datetime(2027, 11, 25, tzinfo=UTC), "aph0_MARKER")


def test_what_a_release_holds_is_told_again() -> None:
    assert told_token(token_values(TOKEN)) == TOKEN
    endless = OperatorToken("key-1", None, "aph0_MARKER")
    assert told_token(token_values(endless)) == endless


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"global": {"auth": {"anyscaleCliToken": "aph0_MARKER"}}},
        merged(token_values(TOKEN), {"global": {"auth": {"anyscaleCliToken": "aph0_other"}}}),
        merged(token_values(TOKEN), {"global": {"auth": None}}),
        merged(token_values(TOKEN), {"operator": {"annotations": "of a wrong kind"}}),
    ],
    ids=["nothing", "of the user", "put in its place", "taken away", "nonsense"],
)
def test_a_token_that_does_not_belong_to_the_key_beside_it_is_not_told(
    values: dict[str, Any],
) -> None:
    assert told_token(values) is None


def test_only_a_key_of_ours_can_be_rotated() -> None:
    own = OperatorToken("own", None, "aph0_MARKER")

    assert is_ours(token_values(TOKEN))
    assert own.own
    assert not is_ours(token_values(own))
    assert not is_ours({"global": {"auth": {"anyscaleCliToken": "aph0_MARKER"}}})


def test_values_for_a_file_keep_all_but_the_token() -> None:
    values = merged({"global": {"cloudProvider": "generic"}}, token_values(TOKEN))

    written = without_token(values)

    assert token_in(written) == PLACEHOLDER
    assert written["global"]["cloudProvider"] == "generic"
    assert without_token({"global": {}}) == {"global": {}}
