"""The name under which we were called, and what the words typed say.

We have two names. The vendor's client has a script `anyscale` too, so the
commands that we print use the name that was typed, with its path where the shell
would not find it without: they are there to be pasted.
"""

from __future__ import annotations

import functools
import os
import re
import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import PurePath

NAMES = ("anyscale", "anyscale-k8s")
_GROUPS = ("auth", "cloud", "mirror", "sandbox")
_COMMANDS = (*_GROUPS, "doctor", "login", "logout")
_OWN = re.compile(r"(?<![\w./\\-])anyscale(?= (?:auth|cloud|doctor|login|logout|mirror|sandbox)\b)")
# Commands that work on a sandbox when they are told so; the words after them are theirs.
_ON_A_CLOUD = re.compile(
    r"\banyscale (?:(?:auth|cloud|mirror) [a-z]+|doctor|login|logout)\b"
    r"(?! --(?:sandbox|help))(?=\s|$)"
)

# Where a spec is refused, whichever command read it.
_ITS_HELP = re.compile(r"(?<=\banyscale )cloud setup(?= --help\b)")

# What a sandbox's clusters and charts answer to in a shell that was pointed at it, and in no other.
_IN_SHELL = 'eval "$(anyscale sandbox env)" && '
_WORD = r"""(?:'[^']*'|"(?:\\.|[^"\\])*"|\\.|[^\s'"\\|&;`])"""
# A colon ends what is said of a command.
_PIPED = rf"(?:(?:{_WORD}++(?<!:)(?: |\\\n)++)++\|\s+)"
# All of a pipeline is for that shell: what it begins with, and the variables of a command.
_ON_A_CLUSTER = re.compile(
    r"""(?<![^\s`(])(?:eval "\$\([^)]* sandbox env\)" && )?"""
    rf"(?P<begun>{_PIPED}*(?:[A-Z_]+={_WORD}* )*"
    r"(?:(?:kubectl --(?:server|context)|helm --kube-[a-z]+) "
    r"|helm pull \S+ --repo https://127\.0\.0\.1:))"
)
# With `--sandbox` each command has the sandbox's token, whatever a login has stored.
_NEW_TOKEN = "unset ANYSCALE_CLI_TOKEN && anyscale login"  # noqa: S105


def name() -> str:
    """`anyscale` or `anyscale-k8s`; the second, which is ours alone, when called otherwise."""
    typed = PurePath(sys.argv[0]).name.removesuffix(".exe")
    return typed if typed in NAMES else NAMES[1]


def program() -> str:
    """What to type in this shell to call us.

    Found once, by the search path at the time: in a sandbox that becomes another.
    """
    return _to_type(sys.argv[0], name())


@functools.cache
def _to_type(typed: str, name: str) -> str:
    if PurePath(typed).stem != name or not os.path.dirname(typed):
        return name
    # A script that the shell found by its name is started with the whole path, too.
    found = shutil.which(name)
    if found and _same(found, typed):
        return name
    return typed if sys.platform == "win32" else shlex.quote(typed)


def _same(found: str, typed: str) -> bool:
    bare = (os.path.abspath(path).removesuffix(".exe") for path in (found, typed))
    return len({os.path.normcase(path) for path in bare}) == 1


def as_typed(text: str) -> str:
    """The text with our commands under the name that was typed, and as much in the sandbox.

    Help that is told of is that of the command that was run.
    """
    text = _ITS_HELP.sub(lambda found: " ".join(_typed(sys.argv[1:])) or found[0], text)
    if "--sandbox" in sys.argv:
        text = text.replace(_NEW_TOKEN, "anyscale sandbox mend token")
        text = _ON_A_CLOUD.sub(lambda found: f"{found[0]} --sandbox", text)
        text = _ON_A_CLUSTER.sub(lambda found: f"{_IN_SHELL}{found['begun']}", text)
    return _OWN.sub(lambda _: program(), text)


def instead(command: str, arguments: Sequence[str], *, without: Sequence[str] = ()) -> str:
    """What was typed of a group's command, as another command of that group, to paste."""
    group, _, *more = words(arguments)[1:]
    kept = [word for word in more if word not in without]
    return shlex.join([NAMES[0], group, command, *kept])


def words(arguments: Sequence[str]) -> tuple[str, ...]:
    """What was typed of a group's command, by our first name; empty where it is of none.

    `--sandbox` is left out: it is added to all that is printed.
    """
    group = next((place for place, word in enumerate(arguments) if word in _GROUPS), None)
    if group is None:
        return ()
    before, command, after = arguments[:group], arguments[group : group + 2], arguments[group + 2 :]
    kept = (word for word in (*before, *after) if word != "--sandbox")
    return (NAMES[0], *command, *kept)


def schema(arguments: Sequence[str]) -> str:
    """The `schema` of the JSON that these arguments lead to, also when they are wrong."""
    words = _typed(arguments)
    if words[:1] == ["mirror"]:
        # It has one command, which is what it is called by.
        words = words[:1]
    command = "-".join(words[1:] if len(words) > 1 and words[0] == "cloud" else words)
    return f"anyscale-k8s/{re.sub(r'[^a-z-]', '', command.lower()) or 'usage'}/v1"


def _typed(arguments: Sequence[str]) -> list[str]:
    """The command that was typed, with its group; nothing where none was."""
    words = [word for word in arguments if not word.startswith("-")]
    start = next((place for place, word in enumerate(words) if word in _COMMANDS), len(words))
    return words[start : start + (2 if words[start:] and words[start] in _GROUPS else 1)]


def output_format(arguments: Sequence[str]) -> str:
    """text, json, yaml, junit or markdown, as far as can be told without parsing the arguments."""
    chosen = "text"
    for position, word in enumerate(arguments):
        if word == "--":
            break
        name, equals, value = word.partition("=")
        if name in ("-o", "--output"):
            chosen = value if equals else next(iter(arguments[position + 1 : position + 2]), "")
        elif word.startswith("-o") and not word.startswith("--"):
            chosen = word[2:]
    return chosen if chosen in ("json", "yaml", "junit", "markdown") else "text"
