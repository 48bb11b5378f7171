"""How explanations are shown."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from anyscale_k8s_cli.cli.render.explain import show_explanation

from . import samples


def shown(document: dict[str, Any]) -> str:
    console = Console(width=80, color_system=None)
    with console.capture() as captured:
        show_explanation(document, console)
    return captured.get()


def test_one_object_is_told_in_full() -> None:
    lines = [line.strip() for line in shown(samples.explained()).splitlines()]

    assert "IAM OIDC provider of cluster demo" in lines
    assert "without it  Nothing works." in lines
    assert "state       there; client ids: 'none' → 'with sts.amazonaws.com'" in lines
    assert "used by     cloud prod (install 1f3a9c2e)" in lines
    assert "install 00aa11bb" in lines
    assert "needed by   aws:iam-role/operator" in lines
    assert not [line for line in lines if line.startswith("needs ")]


def test_what_is_missing_is_told_without_a_drift() -> None:
    document = samples.explained()
    document["objects"][0].update(state="missing", drift=None)

    assert "state       missing\n" in shown(document)


def test_of_many_each_has_a_line() -> None:
    assert shown(samples.declared()).splitlines() == [
        "aws:s3-bucket/<name>",
        "  The cloud needs the S3 bucket.",
        "k8s:gateway/<name>",
        "  The cloud needs the Gateway.",
    ]
