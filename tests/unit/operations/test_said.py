"""The command that says again what setup was told."""

from __future__ import annotations

from anyscale_k8s_cli.errors import stands_for
from anyscale_k8s_cli.operations.said import from_files, setup_command

NAMED = {"provider": "generic", "name": "prod"}


def test_a_flag_is_said_without_a_value_and_only_if_it_was_given() -> None:
    said = setup_command({**NAMED, "operator.use_my_token": True})
    assert said == "anyscale cloud setup --provider generic --name prod --use-my-token"

    silent = setup_command({**NAMED, "operator.use_my_token": False})
    assert silent == "anyscale cloud setup --provider generic --name prod"


def test_files_of_the_users_own_are_not_named() -> None:
    told = {**NAMED, "rules.names": {"bucket": "mine"}, "operator.values": None, "gpu": "off"}

    assert setup_command(told) == (
        "anyscale cloud setup -f FILE --provider generic --name prod --gpu off --values FILE"
    )
    assert list(from_files(told)) == [
        "-f FILE stands for a file of yours that says rules.names",
        "--values FILE stands for your file of Helm values, which are not kept",
    ]
    assert list(from_files(NAMED)) == []


def test_what_was_said_of_pods_is_said_again_key_by_key() -> None:
    told = {
        **NAMED,
        "pods.labels": {"team": "ml", "tier": "1"},
        "pods.tolerations": ["gpu:NoSchedule"],
        "pods.ca_bundle": None,
    }

    assert setup_command(told).endswith(
        "--toleration gpu:NoSchedule --pod-label team=ml --pod-label tier=1 --ca-bundle FILE"
    )
    bundle = (
        "--ca-bundle FILE stands for the file of authorities that setup was given, whose path is "
        "not kept"
    )
    assert list(from_files(told)) == [bundle]
    assert stands_for(setup_command(told)) == [bundle]
    assert stands_for(setup_command(told), [f"a: {bundle}"]) == []
    assert stands_for("kubectl create --from-file=FILE --values FILE") == []
    assert setup_command(NAMED, command="anyscale mirror list").startswith("anyscale mirror list ")
