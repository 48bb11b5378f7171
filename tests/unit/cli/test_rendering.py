"""What is shown, word for word: one file for each screen, at 80 and at 160 columns."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from rich.text import Text

from anyscale_k8s_cli.addons.pod_settings import PodSettings
from anyscale_k8s_cli.cli.render import (
    clouds,
    delete,
    errors,
    plan,
    rotation,
    setup,
    status,
    style,
    table,
)
from anyscale_k8s_cli.cli.render.sandbox import environment_lines, show_worlds
from anyscale_k8s_cli.cli.render.verify import show_checks
from anyscale_k8s_cli.spec import PodsSpec

from . import samples

SCREENS = Path(__file__).parent / "screens"
WIDTHS = (80, 160)

NOW = datetime(2026, 1, 2, 3, 5, 17, tzinfo=UTC)
HEADER = {**samples.HEADER, **samples.WHEREABOUTS}


def under(
    show: Callable[..., None], document: dict[str, Any], *, verbose: bool = False
) -> Callable[[Console], None]:
    """The screen of a document that stands under a head."""
    return lambda to: show(document, HEADER, to, verbose=verbose)


SHOWN: dict[str, Callable[[Console], None]] = {
    "plan": under(plan.show_plan, samples.plan()),
    "plan-verbose": under(plan.show_plan, samples.plan(), verbose=True),
    "plan-upgrade": under(plan.show_plan, samples.upgrade()),
    "plan-upgrade-verbose": under(plan.show_plan, samples.upgrade(), verbose=True),
    "setup": under(setup.show_setup, samples.setup()),
    "setup-verbose": under(setup.show_setup, samples.setup(), verbose=True),
    "setup-failed": under(setup.show_setup, samples.failed_setup()),
    "delete-before": under(delete.show_teardown, samples.teardown()),
    "delete-before-verbose": under(delete.show_teardown, samples.teardown(), verbose=True),
    "delete": under(delete.show_deleted, samples.deleted()),
    "delete-nothing": under(delete.show_deleted, samples.nothing_found()),
    "status": lambda to: status.show_status(samples.healthy(), to, now=NOW),
    "status-verbose": lambda to: status.show_status(samples.healthy(), to, verbose=True, now=NOW),
    "status-mending": lambda to: status.show_status(samples.mending(), to, now=NOW),
    "status-unhealthy": lambda to: status.show_status(samples.unhealthy(), to, now=NOW),
    "status-features": lambda to: status.show_status(samples.featured(), to, now=NOW),
    "worlds": lambda to: show_worlds(samples.worlds(), to),
    "list": lambda to: clouds.show_list(samples.clouds(), to),
    "list-empty": lambda to: clouds.show_list({"clouds": []}, to),
    "rotate": under(rotation.show_rotation, samples.rotated()),
    "rotate-verbose": under(rotation.show_rotation, samples.rotated(), verbose=True),
    "rotate-failed": under(rotation.show_rotation, samples.rotation_failed()),
    "get": lambda to: clouds.show_cloud(samples.cloud(), to, now=NOW),
}


def drawn(show: Callable[[Console], None], width: int) -> str:
    target = io.StringIO()
    show(Console(file=target, width=width, highlight=False, markup=False, emoji=False))
    return "".join(f"{line.rstrip()}\n" for line in target.getvalue().splitlines())


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", SHOWN)
def test_screens_are_word_for_word(name: str, width: int) -> None:
    screen = (SCREENS / f"{name}-{width}.txt").read_text(encoding="utf-8")

    assert drawn(SHOWN[name], width) == screen


def test_no_screen_is_left_over() -> None:
    wanted = {f"{name}-{width}.txt" for name in SHOWN for width in WIDTHS}

    assert {path.name for path in SCREENS.iterdir()} == wanted


@pytest.mark.parametrize("name", sorted(set(SHOWN) - {"list", "plan-upgrade-verbose"}))
def test_screens_fit_but_for_commands_and_ids(name: str) -> None:
    wide = [line for line in drawn(SHOWN[name], 80).splitlines() if len(line) > 80]

    assert [line for line in wide if "anyscale cloud" not in line and " " in line.strip()] == []


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ({"exposure": "PUBLIC"}, "PUBLIC: the load balancer is open to the internet."),
        (
            {"exposure": "PUBLIC", "allow_cidrs": ["203.0.113.0/24"]},
            "PUBLIC: the load balancer has a public address and lets in only 203.0.113.0/24.",
        ),
        ({"exposure": "internal"}, "exposure  internal"),
    ],
    ids=["open", "narrowed", "internal"],
)
def test_exposure_is_said_in_so_many_words(header: dict[str, object], said: str) -> None:
    shown = drawn(lambda to: plan.show_header({**header, "cloud": "prod"}, to), 120)

    assert said in shown


def test_what_was_said_of_pods_is_told_with_all_hosts_that_need_no_proxy() -> None:
    settings = PodSettings(
        PodsSpec(
            node_selector={"pool": "ml"},
            tolerations=("gpu:NoSchedule",),
            labels={"team": "ml"},
            image_registry="registry.example/mirror",
            image_pull_secrets=("mirror",),
            https_proxy="http://proxy.example:3128",
            no_proxy=("10.0.0.0/8",),
        ),
        ("https://api.example:6443", "172.20.0.1"),
    )
    header = {"cloud": "prod", "pods": settings.as_json()}

    shown = drawn(lambda to: plan.show_header(header, to), 300)

    assert "nodes     pool=ml; tolerating gpu:NoSchedule\n" in shown
    assert "pods      marked team=ml\n" in shown
    assert "images    from registry.example/mirror with mirror\n" in shown
    assert "proxy     http://proxy.example:3128\n" in shown
    assert "no proxy  10.0.0.0/8, localhost, 127.0.0.1, .svc, .cluster.local, " in shown
    assert ", api.example, 172.20.0.1\n" in shown
    assert "trusted" not in shown
    assert PodSettings(PodsSpec()).as_json() is None


def test_the_result_tells_whom_the_load_balancer_lets_in() -> None:
    header = {"exposure": "PUBLIC", "allow_cidrs": ["203.0.113.0/24"], "address": "a.example"}

    shown = drawn(lambda to: setup.show_setup(samples.setup(), header, to, verbose=False), 80)

    assert "exposure  PUBLIC, for 203.0.113.0/24 only\n" in shown


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        (
            samples.summary(create=3, update=1, none=5),
            "3 to create, 1 to update; 5 stay as they are.",
        ),
        (samples.summary(none=1), "Nothing to change; 1 stays as it is."),
        (samples.summary(refuse=1, create=2), "2 to create; 1 object cannot be used."),
        (samples.summary(), "Nothing to change."),
    ],
    ids=["changes", "none", "refused", "empty"],
)
def test_the_sum_of_a_plan(counts: dict[str, int], said: str) -> None:
    assert plan.summary(counts) == said


def test_where_a_sandbox_has_its_charts_is_no_setting() -> None:
    variables = {"--chart-mirror": "ANYSCALE_K8S_CHART_MIRROR", "--region": "AWS_REGION"}
    for sandbox in (True, False):
        header = {"cloud": "prod", "environment": variables, "sandbox": sandbox}
        shown = drawn(lambda to, header=header: plan.show_header(header, to), 120)
        assert "--region from AWS_REGION" in shown
        assert ("--chart-mirror" in shown) is not sandbox


def test_an_error_word_for_word() -> None:
    target = io.StringIO()
    errors.write_error(samples.ERROR, target)

    assert target.getvalue() == (
        "✗ The load balancer got no address\n"
        "  cause: no subnet carries the tag kubernetes.io/role/elb\n"
        "  seen:  Service envoy: EnsuringLoadBalancer\n"
        "         Service envoy: SyncLoadBalancerFailed\n"
        "  fix:   anyscale cloud setup --lb-subnet subnet-1 --name prod\n"
        "  code:  no-address (exit code 3)\n"
    )


def test_an_error_says_nothing_it_does_not_know() -> None:
    error = {**samples.ERROR, "cause": "", "evidence": [], "fix": "", "exit_code": 130}
    target = io.StringIO()
    errors.write_error(error, target)

    assert target.getvalue() == (
        "✗ The load balancer got no address\n  code:  no-address (exit code 130)\n"
    )


def test_a_fix_of_several_lines_stays_aligned() -> None:
    target = io.StringIO()
    errors.write_error({**samples.ERROR, "cause": "", "evidence": [], "fix": "a\nb"}, target)

    assert "  fix:   a\n         b\n" in target.getvalue()


def test_a_command_stands_on_a_line_of_its_own() -> None:
    target = io.StringIO()
    table.command(Console(file=target, width=80), "kubectl get pods\nmend what it shows", indent=4)

    assert target.getvalue() == "    kubectl get pods\n    mend what it shows\n"


def test_what_may_still_run_in_a_skipped_cluster_comes_before_the_data() -> None:
    document = samples.skipped()
    header = {**HEADER, "skip_cluster": True}
    text = drawn(lambda to: delete.show_deleted(document, header, to, verbose=False), 200)

    places = [
        "! Cloud prod is gone outside its cluster; what is in the cluster may still run",
        "May still run in the cluster",
        "Gateway with its load balancer",
        "To remove it, once the cluster can be reached:\n    anyscale cloud delete prod --region r",
        "Kept",
        "S3 bucket",
        "To delete your data too, for good:\n    anyscale cloud delete prod --delete-bucket ",
    ]
    assert [place for place in places if place not in text] == [], text
    assert sorted(places, key=text.index) == places


def test_what_has_no_command_stands_under_no_heading_for_commands() -> None:
    """Google's own GPU plugin is not removed by what removes the bucket."""
    plugin = {**samples.item("GPU device plugin", "gpu:plugin", "Google's own"), "command": None}
    document = samples.deleted()
    document["kept"] += [plugin, {**plugin, "ownership": "shared", "reason": "used by cloud two"}]
    text = drawn(lambda to: delete.show_deleted(document, HEADER, to, verbose=False), 200)

    assert "To delete your data too" in text
    assert "To remove" not in text


def test_health_that_was_not_looked_at_does_not_look_complete() -> None:
    document = samples.healthy()
    unmade = {"code": "own-checks", "title": "own", "status": "unknown", "detail": "no credentials"}
    document["checks"] = [unmade, *document["checks"]]
    text = drawn(lambda to: status.show_status(document, to, now=NOW), 120)

    assert "Cloud prod is HEALTHY by its operator's word alone" in text
    assert "no credentials" in text


def test_long_lines_are_not_cut() -> None:
    command = "anyscale cloud delete prod " + "--delete-bucket b" * 20
    target = io.StringIO()
    errors.write_error({**samples.ERROR, "fix": command}, target)

    assert command in target.getvalue()


def test_what_a_person_has_to_name_in_a_command_is_told_once_below_it() -> None:
    again = "anyscale cloud setup --name prod --values FILE --gpu off"
    stands = "--values FILE stands for your file of Helm values, which are not kept"
    target = io.StringIO()
    errors.write_error({**samples.ERROR, "fix": f"do so:\n{again}"}, target)
    assert f"         {again}\n         {stands}\n" in target.getvalue()

    check = {"title": "A thing is so", "status": "warn", "detail": "no", "fix": again, "code": "c"}
    for text in (
        drawn(lambda to: table.findings(to, [check, check]), 120),
        drawn(lambda to: show_checks([check, check], to), 120),
    ):
        assert (text.count(again), text.count(stands)) == (2, 1)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_on_a_terminal_words_are_wrapped_and_commands_are_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("NO_COLOR", "1")
    arn = "arn:aws:iam::123456789012:role/anyscale-prod-1f3a9c2e-operator"
    command = "anyscale cloud setup --lb-subnet subnet-1 --name prod"
    target = Terminal()
    errors.write_error(
        {**samples.ERROR, "cause": f"the trust of {arn} does not admit the operator"}, target
    )

    assert target.getvalue() == (
        "✗ The load balancer got no address\n"
        "  cause: the trust of\n"
        f"         {arn}\n"
        "         does not admit the operator\n"
        "  seen:  Service envoy:\n"
        "         EnsuringLoadBalancer\n"
        "         Service envoy:\n"
        "         SyncLoadBalancerFailed\n"
        f"  fix:   {command}\n"
        "  code:  no-address (exit code 3)\n"
    )


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.04, "0.0s"),
        (9.94, "9.9s"),
        (9.96, "10s"),
        (59.4, "59s"),
        (59.6, "1m 00s"),
        (3725, "1h 02m"),
    ],
)
def test_durations(seconds: float, said: str) -> None:
    assert style.duration(seconds) == said


@pytest.mark.parametrize(
    ("stamp", "said"),
    [
        ("2026-01-02T03:05:05.9+00:00", "11s ago (2026-01-02 03:05:05 UTC)"),
        ("2026-01-02T04:05:05+01:00", "12s ago (2026-01-02 03:05:05 UTC)"),
        ("2026-01-02T03:06:05+00:00", "2026-01-02 03:06:05 UTC"),
        ("2025-12-02T03:05:05+00:00", "2025-12-02 03:05:05 UTC"),
        (None, ""),
    ],
    ids=["just now", "another zone", "the other clock is ahead", "long ago", "never"],
)
def test_moments(stamp: str | None, said: str) -> None:
    assert style.moment(stamp, NOW) == said


def test_the_environment_for_shells() -> None:
    variables = {"A": "it's", "B": "b"}

    assert environment_lines("sh", variables, ["AWS_PROFILE", "HTTP_PROXY"]) == [
        "unset AWS_PROFILE HTTP_PROXY",
        "export A='it'\"'\"'s'",
        "export B=b",
    ]
    assert environment_lines("powershell", variables, ["AWS_PROFILE"]) == [
        "Remove-Item Env:AWS_PROFILE -ErrorAction SilentlyContinue",
        "$env:A = 'it''s'",
        "$env:B = 'b'",
    ]


def test_a_cloud_of_which_a_pod_tells_bad_things_is_set_up() -> None:
    document = {**samples.failed_setup(), "health": "HEALTHY"}
    document["probe"] = [
        {
            "code": "pod-storage",
            "title": "A pod can use the bucket",
            "severity": "fatal",
            "status": "fail",
            "detail": "pods may not put",
            "evidence": [],
            "fix": "",
        }
    ]
    registered = samples.resource("create", "registration", "anyscale:cloud-resource/eks-1", "none")

    for resources in ([registered], document["resources"]):
        shown = drawn(under(setup.show_setup, {**document, "resources": resources}), 160)
        assert "Cloud prod is set up, and what was asked from a pod failed\n" in shown


def test_a_cloud_that_was_there_before_is_told_with_what_is_wrong() -> None:
    document = samples.failed_setup()
    again = samples.resource("none", "registration", "anyscale:cloud-resource/eks-1", "equal")
    document["resources"].append(again)

    shown = drawn(under(setup.show_setup, document), 160)

    assert f"Cloud prod was not updated: {document['error']['message']}" in shown
    for item in document["resources"]:
        item["result"] = "done"
    shown = drawn(under(setup.show_setup, document), 160)
    assert "Cloud prod is not well: no subnet carries the tag kubernetes.io/role/elb" in shown


def test_warnings_of_a_plan_are_seen() -> None:
    document = {**samples.plan(), "warnings": ["the bucket is gone"]}

    assert "! the bucket is gone\n" in drawn(under(plan.show_plan, document), 80)


def test_a_path_that_fits_on_no_line_goes_on_before_its_last_key() -> None:
    key = "service.beta.kubernetes.io/aws-load-balancer-scheme"
    path = f'spec.provider.kubernetes.envoyService.annotations["{key}"]:'
    shown = [str(line) for line in table.lines(Text(f"{path} 'internal' → 'internet-facing'"), 74)]
    assert shown == [
        "spec.provider.kubernetes.envoyService.annotations",
        f"[\"{key}\"]: 'internal' →",
        "'internet-facing'",
    ]
    # Where it fits it stays whole, and so does what is to be copied.
    assert len(table.lines(Text(path), 120)) == 1
    assert len(table.lines(Text("x" * 200), 74)) == 1


def test_what_the_plan_has_warned_of_is_not_said_again_when_it_is_done() -> None:
    told, new = "another load balancer would be made", "the console cannot show logs"
    document, header = {**samples.setup(), "warnings": [told, new]}, {**HEADER, "told": [told]}
    text = drawn(lambda to: setup.show_setup(document, header, to, verbose=False), 160)
    assert f"! {new}" in text
    assert told not in text


def test_what_ends_the_command_is_told_by_its_error_alone() -> None:
    check = {"title": "Pods have an identity", "status": "fail", "detail": "it is off", "fix": "on"}
    other = {"title": "GPUs", "status": "warn", "detail": "no driver", "fix": "install one"}
    error = {**samples.ERROR, "cause": check["detail"], "fix": check["fix"]}
    document = {**samples.plan(), "checks": [check, other], "error": error}
    text = drawn(under(plan.show_plan, document), 80)
    assert "  ✗ Pods have an identity\n  ! GPUs: no driver\n    install one\n" in text


def test_what_status_says_of_a_cause_stands_there_once() -> None:
    check = {
        "title": "The bucket is there",
        "status": "fail",
        "detail": "it is gone",
        "fix": "mend",
    }
    document = {"cloud": "prod", "checks": [check], "cause": check["detail"], "command": "mend"}
    text = drawn(lambda to: status.show_status(document, to, now=NOW), 80)
    assert (text.count("it is gone"), text.count("mend")) == (1, 1)


def test_what_the_same_clouds_still_use_is_told_in_one_paragraph() -> None:
    titles = ["Namespace envoy-gateway-system", "Gateway API definitions", "Gateway controller"]
    reason = "still used by cloud dev (install 1); it goes with the last that uses it"
    kept = [
        {"key": f"k8s:{n}", "title": title, "ownership": "shared", "reason": reason}
        for n, title in enumerate(titles)
    ]
    document = {"removed": [], "left": [], "kept": kept, "error": samples.ERROR}
    text = drawn(under(delete.show_deleted, document), 80)
    assert text.count("still used by cloud dev") == 1
    row = "= Namespace envoy-gateway-system, Gateway API definitions, Gateway\n      controller\n"
    assert row in text
    apart = drawn(under(delete.show_deleted, document, verbose=True), 80)
    assert apart.count("still used by cloud dev") == 3
