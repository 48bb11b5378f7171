"""What register is told: the vendor's names, and those that mean nothing here."""

from __future__ import annotations

import pytest

from .conftest import Invoke


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--private-network",), "--expose internal"),
        (("--skip-verifications",), "--waive CHECK"),
        (("--functional-verify", "workspace"), "anyscale cloud verify"),
        (("--efs-id", "fs-1"), "--persistent-volume-claim"),
        (("--memorydb-cluster-id", "m"), "--kubernetes-redis-endpoint"),
        (("--security-group-ids", "sg-1"), "virtual machines"),
        (("--kms-key", "k"), "anyscale cloud setup"),
        (("--compute-stack", "vm"), "k8s"),
    ],
)
def test_what_means_nothing_here_is_refused_with_what_to_use(
    words: tuple[str, ...], told: str, invoke: Invoke
) -> None:
    shown = invoke("cloud", "register", *words, "--yes")

    assert shown.code == 1
    assert told in shown.err.replace("\n", " ")


@pytest.mark.parametrize("option", ["--upgrade", "--probe", "--drop-options", "--only-create"])
def test_what_changes_a_cluster_goes_with_the_operator(option: str, invoke: Invoke) -> None:
    shown = invoke("cloud", "register", option, "--yes")

    assert shown.code == 1
    assert f"{option} goes with --install-operator" in shown.err
