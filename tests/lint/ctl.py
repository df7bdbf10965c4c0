#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""turnpike-ctl's manual and completion name every command and option that its help does, and no others.
usage: ctl.py ROOT TURNPIKE-CTL"""

import re
import subprocess
import sys
from pathlib import Path

COMPLETE = """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
_turnpike_ctl
printf '%s\\n' "${COMPREPLY[@]}"
"""


def help_words(program):
    """Commands, and options with their short forms: {"--user": "-u"}."""
    text = subprocess.run([program, "--help"], check=True, capture_output=True, text=True).stdout
    commands = set(re.findall(r"^  ([a-z]+) ", text, re.MULTILINE))
    options = {long: short for short, long in re.findall(r"^  (-\w)?,? +(--[a-z]+)", text, re.MULTILINE)}
    return commands, options


def manual_words(text):
    commands = set(re.findall(r"^(?:\.It|\.Ic) (?:Ic )?([a-z]+)", text.partition("The options")[0], re.MULTILINE))
    options = {}
    for line in re.findall(r"^\.It Fl (.*)$", text.partition("The options")[2], re.MULTILINE):
        letter = re.match(r"([A-Za-z])\b", line)
        options["-" + re.search(r"(?:^|Fl )(-[a-z]+)", line).group(1)] = "-" + letter.group(1) if letter else ""
    return commands, options


def complete(root, *words):
    script = root / "config" / "completion" / "turnpike-ctl"
    done = subprocess.run(["bash", "-c", COMPLETE, "bash", script, *words], capture_output=True, text=True, check=True)
    assert not done.stderr, done.stderr
    return set(done.stdout.split())


def completed_words(root, commands):
    """Without a relay to ask: the program is one that says nothing."""
    offered = complete(root, "true", "")
    options = {word for word in offered if word.startswith("-")}
    for command in sorted(commands):
        options |= {word for word in complete(root, "true", command, "-") if word.startswith("-")}
    return {word for word in offered if not word.startswith("-")}, options


def pairs(options):
    return {f"{short} {long}".strip() for long, short in options.items()}


def differences(where, has, should):
    for word in sorted(should - has):
        yield f"{where}: no {word}"
    for word in sorted(has - should):
        yield f"{where}: {word}, which --help does not know"


def problems(root, program):
    commands, options = help_words(program)
    if len(commands) < 10 or len(options) < 10:
        yield f"--help was not understood: {commands} {options}"
    manual_commands, manual_options = manual_words((root / "docs" / "turnpike-ctl.8").read_text())
    yield from differences("docs/turnpike-ctl.8", manual_commands, commands)
    yield from differences("docs/turnpike-ctl.8", pairs(manual_options), pairs(options))
    offered_commands, offered_options = completed_words(root, commands)
    yield from differences("config/completion/turnpike-ctl", offered_commands, commands)
    yield from differences("config/completion/turnpike-ctl", offered_options, set(options))


if __name__ == "__main__":
    found = list(problems(Path(sys.argv[1]), sys.argv[2]))
    print("\n".join(found))
    sys.exit(bool(found))
