"""What an earlier setup was told and this one is not."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest

from anyscale_k8s_cli import errors, spec_loading
from anyscale_k8s_cli.ledger import Entry
from anyscale_k8s_cli.operations.left_out import (
    LeftOut,
    check_bucket,
    exposure_by_annotations,
    exposure_change,
    left_out,
    until_done,
    unused,
    way_in_change,
)
from anyscale_k8s_cli.operations.requests import SetupRequest
from anyscale_k8s_cli.operations.said import command_of, said_again, settings_of, setup_command
from anyscale_k8s_cli.plan import Plan
from anyscale_k8s_cli.provider import LoadBalancer
from anyscale_k8s_cli.spec import CloudSpec, flags_by_path

PLACE = {"provider": "eks", "name": "prod", "region": "us-west-2", "cluster.name": "demo"}
BUCKET = {"existing.bucket": "company-data"}
INSIDE = {"network.expose": "internal", "network.allow_cidrs": ("10.0.0.0/8", "192.168.0.0/16")}


def loaded(
    *said: dict[str, Any], file: Path | None = None, **variables: str
) -> spec_loading.LoadedSpec:
    flags = {path: value for part in said for path, value in part.items()}
    return spec_loading.load(flags=flags, file=file, environment=variables)


def after(earlier: dict[str, Any], *now: dict[str, Any], file: Path | None = None) -> LeftOut:
    """What a setup leaves out that comes after one that was told more."""
    told = settings_of(loaded(PLACE, earlier))
    return left_out(told, loaded(*now, file=file))


def typed(flags: dict[str, Any], file: Path | None = None) -> list[str]:
    return shlex.split(setup_command(flags, file))


def refusal(
    found: LeftOut, flags: dict[str, Any], file: Path | None = None, *more: str
) -> errors.CliError:
    with pytest.raises(errors.CliError) as raised:
        found.check([*typed(flags, file), *more], file, upgrade="--upgrade" in more)
    return raised.value


@pytest.mark.parametrize(
    ("earlier", "words"),
    [
        (BUCKET, "--bucket company-data"),
        ({"existing.identity": "arn:aws:iam::1:role/r"}, "--identity arn:aws:iam::1:role/r"),
        ({"rules.name_prefix": "acme"}, "--name-prefix acme"),
        ({"identity.workloads": "separate"}, "--workload-identity separate"),
        ({"rules.role_path": "/ml/"}, "--role-path /ml/"),
        ({"network.expose": "internal"}, "--expose internal"),
        ({"network.allow_cidrs": ("10.0.0.0/8",)}, "--allow-cidr 10.0.0.0/8"),
        ({"rules.tags": {"team": "ml"}}, "--tag team=ml"),
        ({"rules.permissions_boundary": "arn:aws:iam::1:policy/b"}, "--permissions-boundary arn"),
        ({"rules.storage_role": "Team's storage"}, "--storage-role"),
        ({"rules.kms_key": "alias/data"}, "--kms-key alias/data"),
        ({"rules.kms_identity": "/subscriptions/x"}, "--kms-identity /subscriptions/x"),
        ({"rules.azure_shared_key": "off"}, "--azure-shared-key off"),
        ({"rules.names": {"bucket": "mine"}}, "rules.names"),
        ({"network.annotations": {"a/b": "c"}}, "network.annotations"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_protects_may_not_be_forgotten(earlier: dict[str, Any], words: str) -> None:
    problem = refusal(after(earlier, PLACE), PLACE)

    assert problem.code is errors.OPTIONS_LEFT_OUT
    assert problem.exit_code == errors.ExitCode.REFUSED
    assert words in problem.message
    assert f"without {words}" in problem.cause


def test_the_fix_says_again_what_was_said_and_what_is_said_now() -> None:
    now = {**PLACE, "rules.tags": {"team": "ml"}}

    fix = refusal(after({**BUCKET, **INSIDE, "gpu": "off"}, now), now).fix

    assert fix == (
        "anyscale cloud setup --provider eks --region us-west-2 --cluster-name demo --name prod "
        "--tag team=ml --gpu off --bucket company-data --expose internal "
        "--allow-cidr 10.0.0.0/8 --allow-cidr 192.168.0.0/16"
    )


def test_the_fix_of_an_upgrade_is_an_upgrade_and_names_no_version_of_before() -> None:
    charts = {
        "operator.version": "1.7.0",
        "operator.chart": "./operator-1.7.0.tgz",
        "charts.mirror": "https://charts.example.com",
    }
    more = ("--upgrade", "--only-create", "--values-file", "v.yaml", "--waive", "x", "--yes")

    fix = refusal(after({**charts, "rules.storage_role": "Ours"}, PLACE), PLACE, None, *more).fix

    rest = ["--storage-role", "Ours", "--chart-mirror", "https://charts.example.com"]
    assert fix == shlex.join([*typed(PLACE), *more, *rest])
    assert "--operator-version 1.7.0" in refusal(after({**charts, **BUCKET}, PLACE), PLACE).fix


def test_what_a_saved_plan_leaves_out_is_mended_by_another_plan() -> None:
    words = ("anyscale", "cloud", "setup", "--plan", "p.json", "--yes", "--upgrade", "-o", "json")
    flags = {**PLACE, "waive": ("a", "b"), "operator.values": {"secret": "hidden"}}
    request = SetupRequest(typed=words, saved_plan=Path("p.json"), flags=flags)

    said = shlex.join(command_of(request))

    assert said == (
        "anyscale cloud plan --provider eks --region us-west-2 --cluster-name demo --name prod "
        "--values FILE --waive a --waive b --upgrade -o json --out p.json"
    )


def test_what_is_said_again_takes_the_place_of_what_was_typed() -> None:
    words = ("anyscale", "cloud", "plan", "--namespace", "b", "--tag=x=y", "--expose=public")

    said = said_again(words, {"namespace": "a", "network.expose": "internal"})

    assert said == "anyscale cloud plan --tag=x=y --namespace a --expose internal"


def test_what_is_said_outright_is_meant() -> None:
    told = {**BUCKET, **INSIDE, "rules.name_prefix": "acme"}
    now = {
        **PLACE,
        "network.expose": "public",
        "network.allow_cidrs": ("0.0.0.0/0",),
        "existing.bucket": "other-data",
        "rules.name_prefix": "anyscale",
    }

    found = after(told, now)

    assert found.told == {}
    found.check(typed(now), None)


def test_a_file_says_it_as_well(tmp_path: Path) -> None:
    file = tmp_path / "cloud.yaml"
    text = "name: prod\nprovider: eks\nnetwork: {expose: internal}\n"
    file.write_text(text, encoding="utf-8")

    assert after({"network.expose": "internal"}, {}, file=file).told == {}
    fix = refusal(after({**INSIDE, **BUCKET}, {}, file=file), {}, file).fix
    assert fix.startswith(f"anyscale cloud setup -f {file} --bucket company-data")


def test_what_has_no_flag_is_put_back_into_the_file(tmp_path: Path) -> None:
    file = tmp_path / "d.yaml"
    file.write_text("name: prod\nprovider: eks\n", encoding="utf-8")
    earlier = {"rules.names": {"role": "ml-role"}, **BUCKET}

    problem = refusal(after(earlier, {}, file=file), {}, file)

    assert problem.fix.splitlines()[:4] == [
        f"put these lines back into {file}:",
        "rules:",
        "  names:",
        "    role: ml-role",
    ]
    assert problem.fix.splitlines()[-1].startswith(
        f"anyscale cloud setup -f {file} --bucket company-data"
    )
    said = (problem.cause, *problem.evidence)
    assert "without rules.names: another role would be made and used" in said


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ({"bucket": "mine"}, "a new, empty bucket would be made and used"),
        ({"storage-account": "m", "identity": "i"}, "empty storage-account and another identity"),
    ],
)
def test_of_names_it_is_told_which_objects_would_be_others(
    names: dict[str, str], said: str
) -> None:
    [told] = after({"rules.names": names}, PLACE).consequences()

    assert said in told


@pytest.mark.parametrize(
    ("earlier", "now"), [("public", "internal"), ("internal", "public")], ids=["in", "out"]
)
def test_another_exposure_cuts_users_off(earlier: str, now: str) -> None:
    told = settings_of(loaded(PLACE, {"network.expose": earlier}))

    [line] = exposure_change(told, loaded(PLACE, {"network.expose": now}))

    assert line.startswith(f"--expose changes from {earlier} to {now}: another load balancer")


def test_a_first_setup_and_other_networks_cut_nobody_off() -> None:
    told = settings_of(loaded(PLACE, {"network.expose": "internal"}))

    assert list(exposure_change({}, loaded(PLACE, {"network.expose": "internal"}))) == []
    assert list(exposure_change(told, loaded(PLACE, INSIDE))) == []


@pytest.mark.parametrize("everybody", ["0.0.0.0/0", "::/0"])
def test_to_let_everybody_in_narrows_nothing(everybody: str) -> None:
    told = settings_of(loaded(PLACE, {"network.allow_cidrs": ("10.0.0.0/8", everybody)}))

    assert "network.allow_cidrs" not in told
    assert left_out(told, loaded(PLACE)).told == {}


def test_others_are_told_in_one_line() -> None:
    earlier = {
        "gpu": "off",
        "operator.values": {"secret": "hidden"},
        "credentials.aws_profile": "work",
        "timeouts.operator": 5,
    }

    found = after(earlier, PLACE)

    found.check(typed(PLACE), None)
    [note] = found.notes()
    assert "--gpu off" in note
    assert "--values FILE" in note
    assert "hidden" not in note
    assert "work" not in note


def test_a_chart_that_is_not_named_again_stays_until_an_upgrade() -> None:
    charts = {
        "operator.chart": "./operator-1.9.0.tgz",
        "operator.version": "1.8.0",
        "charts.mirror": "https://charts.example.com",
    }

    found = after(charts, PLACE)

    found.check(typed(PLACE), None)
    assert list(found.notes()) == []
    [note] = found.notes(upgrade=True)
    assert "--operator-chart ./operator-1.9.0.tgz" in note
    assert "--chart-mirror https://charts.example.com" in note
    assert "this upgrade is not" in note
    [note] = found.notes(rewritten=True)
    assert "--operator-chart ./operator-1.9.0.tgz" in note
    assert "--operator-version" not in note
    assert "its chart is looked for where new installs get theirs" in note


def test_a_first_setup_leaves_nothing_out() -> None:
    found = left_out({}, loaded(PLACE))

    found.check(typed(PLACE), None)
    assert list(found.notes()) == []


def test_without_a_ledger_the_registration_tells_of_the_bucket() -> None:
    with pytest.raises(errors.CliError) as raised:
        check_bucket(loaded(PLACE), "s3://company-data", "s3://anyscale-prod-1", typed(PLACE))

    assert raised.value.code is errors.OPTIONS_LEFT_OUT
    assert raised.value.fix.endswith("--name prod --bucket s3://company-data")


@pytest.mark.parametrize(
    ("registered", "said"),
    [
        ("", {}),
        ("s3://wanted", {}),
        ("s3://other", {"existing.bucket": "wanted"}),
        ("s3://other", {"rules.name_prefix": "acme"}),
    ],
)
def test_a_bucket_that_is_named_or_the_same_is_no_move(
    registered: str, said: dict[str, Any]
) -> None:
    check_bucket(loaded(PLACE, said), registered, "s3://wanted", typed(PLACE))


def test_a_printed_setup_repeats_every_option() -> None:
    of_the_run = ("waive", "probe.")
    flags = {
        path: flag
        for path, flag in flags_by_path().items()
        if flag and not path.startswith(of_the_run)
    }
    lists = {f"network.{name}": ["a", "b"] for name in ("allow_cidrs", "load_balancer_subnets")}
    pairs = {"rules.tags": {"team": "machine learning", "cost": "42"}, "operator.values": None}
    settings = {**dict.fromkeys(flags, "x"), **lists, **pairs}

    words = shlex.split(setup_command(settings))

    assert {word for word in words if word.startswith("--")} == set(flags.values())
    for told in (["--tag", "team=machine learning", "--tag", "cost=42"], ["--allow-cidr", "a"]):
        place = words.index(told[1])
        assert words[place - 1 : place - 1 + len(told)] == told
    assert words.count("--allow-cidr") == words.count("--lb-subnet") == 2


def test_what_a_setup_is_told_counts_once_it_is_true() -> None:
    told = {"name": "w", "rules.tags": {"a": "1"}, "operator.version": "1.8.0"}
    said = {"name": "w", "network.expose": "internal", "rules.tags": {"b": "2"}, "gpu": "off"}
    assert until_done({}, said) == said
    assert until_done(told, said) == {
        "name": "w",
        "rules.tags": {"a": "1", "b": "2"},
        "operator.version": "1.8.0",
        "network.expose": "internal",
    }


def test_annotations_that_decide_who_reaches_the_load_balancer_are_told() -> None:
    network = {"expose": "internal", "annotations": {"example.com/scheme": "public", "a": "b"}}
    spec = CloudSpec(provider="eks", name="prod", network=network)
    balancer = LoadBalancer("it", decisive=("example.com/scheme",))
    [line] = exposure_by_annotations(spec, balancer)
    assert "example.com/scheme=public" in line
    assert "not --expose internal" in line
    assert not [*exposure_by_annotations(spec, LoadBalancer("it", decisive=("other",)))]
    assert not [*exposure_by_annotations(spec, None)]


@pytest.mark.parametrize(
    ("before", "now", "removal"),
    [
        ({"network.kind": "nginx"}, "gateway", "helm uninstall"),
        ({"provider": "eks"}, "nginx", "kubectl delete"),
        ({"network.kind": "none"}, "gateway", ""),
        ({"existing.gateway": "a/b"}, "none", ""),
    ],
)
def test_another_way_in_is_told_with_what_removes_the_old_one(
    before: dict[str, Any], now: str, removal: str
) -> None:
    removals = {"nginx": "helm uninstall", "gateway": "kubectl delete"}
    spec = loaded(PLACE, {"network.kind": now})
    [line] = way_in_change(before, spec, removals)
    assert "--network changes from" in line
    assert line.endswith(removal) if removal else "remove" not in line
    assert not [*way_in_change({"network.kind": now}, spec, removals)]
    assert not [*way_in_change({}, spec, removals)]


def test_what_was_made_in_the_account_and_is_not_asked_for_is_told() -> None:
    def entry(title: str, ownership: str) -> Entry:
        return Entry("kind", title, "done", ownership, "id")

    made = entry("role of Ray's pods", "ours")
    others = {
        "aws:iam-role/brought": entry("role that was brought", "adopted"),
        "aws:oidc-provider/shared": entry("provider for all", "shared"),
        "k8s:serviceaccount/a/b": entry("account", "ours"),
        "anyscale:api-key/a": entry("key", "ours"),
    }
    [line] = unused({"aws:iam-role/workloads": made, **others}, Plan(()))
    assert line.endswith("left until the cloud is deleted: role of Ray's pods")
    assert not [*unused(others, Plan(()))]


def test_what_is_about_no_load_balancer_any_more_is_not_missed() -> None:
    assert not after(INSIDE, PLACE, {"network.kind": "none"}).told
    own = {"network.kind": "none", "network.address": "in.example.com"}
    assert not after(own, PLACE, {"network.kind": "gateway"}).told
    assert after(own, PLACE).protecting == {"network.kind": "none"}


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"network.address": "in.example.com"}, "with --network none"),
        ({"network.kind": "none", "network.expose": "internal"}, "no load balancer"),
        ({"network.kind": "none", "network.load_balancer_subnets": ("a",)}, "no load balancer"),
        ({"network.kind": "nginx", "existing.gateway": "a/b"}, "two ways in"),
        ({"network.kind": "none", "network.address": "https://in"}, "--address"),
    ],
)
def test_ways_in_that_exclude_each_other_are_refused(said: dict[str, Any], why: str) -> None:
    with pytest.raises(errors.CliError) as raised:
        loaded(PLACE, said)
    assert raised.value.code is errors.INVALID_SPEC
    problem = raised.value
    assert why in " ".join((problem.message, problem.cause, *problem.evidence))
