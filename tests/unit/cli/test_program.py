"""The commands that we print: under the name that was typed, and for the same sandbox."""

from __future__ import annotations

import pytest

from anyscale_k8s_cli.cli.program import as_typed


@pytest.mark.parametrize(
    ("typed", "printed"),
    [
        (["anyscale", "cloud"], "anyscale cloud status prod"),
        (["/usr/bin/anyscale-k8s", "cloud"], "anyscale-k8s cloud status prod"),
        (["python", "-m"], "anyscale-k8s cloud status prod"),
        (["anyscale", "cloud", "--sandbox"], "anyscale cloud status --sandbox prod"),
    ],
)
def test_a_command_is_printed_as_it_would_be_typed(
    typed: list[str], printed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", typed)

    assert as_typed("anyscale cloud status prod") == printed
    assert as_typed(as_typed("anyscale cloud status prod")) == printed


def test_what_has_nothing_to_do_with_a_cloud_is_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.argv", ["anyscale", "--sandbox"])

    assert as_typed("anyscale sandbox up; anyscale-operator") == (
        "anyscale sandbox up; anyscale-operator"
    )
