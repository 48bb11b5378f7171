"""Streams: what they can show, and that no character stops us."""

from __future__ import annotations

import io
import os
import subprocess
import sys

import pytest

from anyscale_k8s_cli.cli import console


class Screen(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("environ", "colour", "live"),
    [
        ({"TERM": "xterm"}, True, True),
        ({"TERM": "dumb"}, False, False),
        ({"NO_COLOR": "1"}, False, False),
        ({"NO_COLOR": ""}, True, True),
        ({"CI": "true"}, True, False),
        ({"CI": "false"}, True, True),
    ],
    ids=str,
)
def test_a_terminal_shows_colour_and_life_unless_told(
    environ: dict[str, str], colour: bool, live: bool
) -> None:
    assert console.colour_wanted(Screen(), environ) is colour
    assert console.live_wanted(Screen(), environ) is live


def test_a_pipe_shows_neither() -> None:
    assert not console.colour_wanted(io.StringIO(), {"TERM": "xterm"})
    assert not console.live_wanted(io.StringIO(), {"TERM": "xterm"})


def test_a_closed_stream_is_no_terminal() -> None:
    stream = io.StringIO()
    stream.close()

    assert not console.is_terminal(stream)


def test_a_stream_that_was_closed_before_gets_what_goes_nowhere() -> None:
    code = (
        "from anyscale_k8s_cli.cli import console; import sys; console.prepare_streams();"
        "print('out'); assert not console.is_terminal(sys.stdout); sys.stderr.write('told')"
    )
    closed = subprocess.run(
        ["sh", "-c", 'exec "$0" -c "$1" >&-', sys.executable, code], capture_output=True, check=True
    )
    assert (closed.stdout, closed.stderr) == (b"", b"told")


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "utf-8"])
def test_symbols_have_plain_forms_for_old_consoles(encoding: str) -> None:
    code = (
        "from anyscale_k8s_cli.cli import console; import sys; console.prepare_streams();"
        "sys.stdout.write('✓ a → b … 日'); sys.stderr.write('✗')"
    )
    child = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        check=True,
        env={**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"},
    )
    wanted = {
        "cp1252": ("ok a -> b \N{HORIZONTAL ELLIPSIS} ?", "x"),
        "ascii": ("ok a -> b ... ?", "x"),
        "utf-8": ("✓ a → b \N{HORIZONTAL ELLIPSIS} 日", "✗"),
    }[encoding]
    assert (child.stdout.decode(encoding), child.stderr.decode(encoding)) == wanted


@pytest.mark.parametrize(
    "arguments", [["cloud", "setup", "--nope"], ["cloud", "list"]], ids=" ".join
)
def test_errors_can_be_read_on_a_cp1252_console(arguments: list[str]) -> None:
    code = "import sys; from anyscale_k8s_cli.cli.main import main; sys.exit(main())"
    child = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONIOENCODING": "cp1252", "PYTHONUTF8": "0"},
    )

    assert child.stderr.decode("cp1252").startswith("x ")
    assert b"Traceback" not in child.stderr


def test_what_a_stream_encodes() -> None:
    old = io.TextIOWrapper(io.BytesIO(), encoding="cp1252")

    assert console.encodes(old, "…")
    assert not console.encodes(old, "→")
    assert console.encodes(io.StringIO(), "→")
