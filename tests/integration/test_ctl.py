# SPDX-License-Identifier: BSD-3-Clause
"""turnpike-ctl against somebody who answers as DPDK's telemetry does, well or badly, and against a running relay."""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time

import pytest

import ctl
from fake_relay import GREETING, Counting, FakeRelay
from terminal import Terminal

COMPLETION = pathlib.Path(__file__).parents[2] / "config" / "completion" / "turnpike-ctl"


@pytest.fixture
def directory():
    """Where others may look, too; a Unix socket's path is short."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="turnpike-ctl-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def fake(directory):
    with FakeRelay(directory / "socket", Counting().answers()) as relay:
        yield relay


# Whoever answers badly

BIG = b"[" + b"0," * 8180 + b"0]"
HOSTILE = [
    b"\x00",
    b"garbage",
    b'{"/turnpike/status": {"pid": 7',
    b'{"/turnpike/status": ' + b"[" * 16000,
    b'{"/turnpike/status": [1, 2]}',
    b'{"/turnpike/status": 7}',
    b'{"/turnpike/workers": {}}',
    b'{"/turnpike/status": {"pid": 123456789012345678901234567890}}',
    b'{"/turnpike/status": {"a": "\xff\xfe"}}',
    b'{"/turnpike/status": {}}' + b" " * 16384,
    BIG,
]


@pytest.mark.parametrize("packet", HOSTILE, ids=lambda packet: repr(packet[:30]))
def test_says_that_an_answer_makes_no_sense(fake, packet):
    fake.answers["/turnpike/status"] = packet
    done = ctl.run(fake.path, "status")
    assert done.returncode == ctl.GARBLED and done.stdout == ""
    assert re.fullmatch(r"turnpike-ctl: [^\n]{10,}\n", done.stderr)


@pytest.mark.parametrize("body", [{}, {"workers": 7}, {"workers": [1]}, {"workers": {"0": 1}}, {"workers": "x"}])
def test_says_that_what_it_needs_is_not_in_an_answer(fake, body):
    fake.answers["/turnpike/workers"] = body
    done = ctl.run(fake.path, "workers")
    assert (done.returncode, done.stdout) == (ctl.GARBLED, "")
    assert "there are no workers in the relay's answer" in done.stderr


def test_prints_no_escape_sequence_of_a_client(directory):
    with FakeRelay(directory / "socket", Counting(users=["\x1b]0;mine\x07\x1b[2J"]).answers()) as fake:
        for arguments in (["allocations"], ["allocations", "--json"]):
            text = ctl.say(fake.path, *arguments)
            assert "mine" in text and not set(text) & set(map(chr, [*range(10), *range(11, 32), 127]))


def test_says_what_to_do_when_nobody_answers(directory, fake):
    missing = ctl.run(directory / "none", "status")
    assert missing.returncode == ctl.UNREACHABLE and "is the relay running?" in missing.stderr
    fake.greeting = b"HTTP/1.1 200 OK"
    assert ctl.run(fake.path, "status").returncode == ctl.GARBLED
    fake.greeting = GREETING
    fake.connections_max = 0
    full = ctl.run(fake.path, "status")
    assert full.returncode == ctl.UNREACHABLE and "ten connections" in full.stderr
    fake.connections_max = 10
    fake.answers["/turnpike/status"] = None
    silent = ctl.run(fake.path, "status")
    assert silent.returncode == ctl.UNREACHABLE and "does not answer" in silent.stderr


def test_says_which_group_may_connect(fake):
    os.chmod(fake.path, 0o660)
    done = ctl.run(fake.path, "status", user=65534, group=65534, extra_groups=[])
    assert done.returncode == ctl.UNREACHABLE
    assert "permission denied; only root and the group 'root' may connect" in done.stderr


def test_reads_ten_thousand_rows_page_by_page(fake):
    def page(parameters):
        given = dict(pair.split("=") for pair in parameters.split(","))
        first = int(given.get("after", "0"))
        rows = range(first + 1, min(first + int(given["limit"]), 10_000) + 1)
        more = {"next": f"{rows[-1]:016d}"} if rows[-1] < 10_000 else {}
        return {"allocations": {f"{row:016d}": {"user": f"user{row}"} for row in rows}, **more}

    fake.answers["/turnpike/allocations"] = page
    rows = ctl.ask(fake.path, "allocations", "--all")
    assert [row["user"] for row in rows] == [f"user{number}" for number in range(1, 10_001)]
    assert len(ctl.ask(fake.path, "allocations", "--limit", 150)) == 150
    text = ctl.say(fake.path, "allocations")
    assert len(text.splitlines()) == 22 and text.endswith("there are more: --all shows them, --limit some\n")
    assert len(ctl.say(fake.path, "allocations", "--all").splitlines()) == 10_000 + 10  # titles over each thousand


# Asked in a terminal

@pytest.mark.parametrize("key, killed", [("n", False), ("y", True)])
def test_asks_before_it_ends_several(directory, fake, key, killed):
    fake.answers["/turnpike/kill"] = {"killed": 2}
    with Terminal(directory, [ctl.CTL, "-s", fake.path, "kill", "--user", "alice"]) as terminal:
        terminal.wait_for(lambda screen: "End 2 allocations of alice? [y/N]" in screen)
        assert not any(question.startswith("/turnpike/kill") for question in fake.asked)
        terminal.press(key, "Enter")
        terminal.wait_for(lambda screen: ("2 ended" if killed else "nothing was ended") in screen)
        terminal.wait_for(lambda _: terminal.exit_code() == (ctl.DONE if killed else ctl.REFUSED))
    assert ("/turnpike/kill,user=alice" in fake.asked) == killed


# The live view

def figures(screen, line):
    """Numbers of a line, their prefixes multiplied out."""
    found = next((text for text in screen.split("\n") if re.search(line, text)), "")
    factors = {"": 1, "k": 1e3, "M": 1e6}
    return [float(number) * factors[prefix] for number, prefix in re.findall(r"\b(\d+(?:\.\d+)?) ?([kM]?)", found)]


def shows_rates(screen):
    return " in " in screen and "pps" in screen


def test_top_shows_rates_at_any_size(directory, fake):
    with Terminal(directory, [ctl.CTL, "-s", fake.path, "top"]) as terminal:
        screen = terminal.wait_for(shows_rates)
        received, received_bits, sent, _, dropped = figures(screen, "^ in ")
        assert 900 < received < 1100 and 900 < sent < 1100 and 1.1e6 < received_bits < 1.4e6 and 3 <= dropped <= 7
        assert terminal.lines()[0].startswith(" turnpike 0.1.0  relay0  running  up 1 h 02 m")
        assert screen.index("alice") < screen.index("bob")
        terminal.resize(132, 43)
        terminal.wait_for(lambda screen: "RELAYED" in screen)
        terminal.resize(60, 12)
        screen = terminal.wait_for(lambda screen: "RELAYED" not in screen and "q quit" in screen)
        assert all(len(line) <= 60 for line in screen.split("\n"))
        terminal.press("q")
        terminal.wait_for(lambda _: terminal.exit_code() == ctl.DONE)


def test_top_takes_keys(directory, fake):
    with Terminal(directory, [ctl.CTL, "-s", fake.path, "top", "--interval", 1]) as terminal:
        terminal.wait_for(shows_rates)
        terminal.press("s", "s", "s", "s")
        terminal.wait_for(lambda screen: "sort: user" in screen)
        terminal.press("r")
        screen = terminal.wait_for(lambda screen: "reversed" in screen)
        assert screen.index("bob") < screen.index("alice")
        terminal.press("h")
        terminal.wait_for(lambda screen: "any key leads back" in screen)
        terminal.press("x", "p")
        paused = terminal.wait_for(lambda screen: "paused" in screen)
        time.sleep(1.5)
        assert figures(terminal.screen(), "^no_permission") == figures(paused, "^no_permission")
        terminal.press("p")
        terminal.wait_for(lambda screen: figures(screen, "^no_permission") != figures(paused, "^no_permission"))


def test_top_says_when_the_relay_goes_and_comes_back(directory):
    path = directory / "socket"
    with FakeRelay(path, Counting().answers()) as fake:
        terminal = Terminal(directory, [ctl.CTL, "-s", path, "top"])
        with terminal:
            terminal.wait_for(shows_rates)
            fake.__exit__()
            terminal.wait_for(lambda screen: "no such socket" in screen and "alice" in screen)
            fake.__enter__()
            screen = terminal.wait_for(lambda screen: "no such socket" not in screen)
            # Keys are taken while nobody answers, too.
            fake.answers["/turnpike/workers"] = None
            terminal.wait_for(lambda screen: "the relay does not answer" in screen)
            terminal.press("q")
            terminal.wait_for(lambda _: terminal.exit_code() == ctl.DONE, 2)
            assert "alice" in screen


def test_top_ends_in_order_when_it_is_told_to(directory, fake):
    with Terminal(directory, [ctl.CTL, "-s", fake.path, "top"]) as terminal:
        terminal.wait_for(shows_rates)
        os.kill(terminal.process(), signal.SIGTERM)
        screen = terminal.wait_for(lambda screen: "ended with 0" in screen and "speed" in screen)
        assert "-icanon" not in screen and "-echo" not in screen


@pytest.mark.parametrize("kind, coloured", [("screen-256color", True), ("vt100", False)])
def test_top_has_colours_where_the_terminal_has(directory, fake, kind, coloured):
    command = ["env", f"TERM={kind}", ctl.CTL, "-s", fake.path, "top"]
    with Terminal(directory, command) as terminal:
        terminal.wait_for(shows_rates)
        assert bool(re.search(r"\x1b\[(?:\d+;)*3[1-6]m", terminal.screen("-e"))) == coloured


def test_top_needs_a_terminal(fake):
    done = ctl.run(fake.path, "top")
    assert done.returncode == ctl.USAGE and "top needs a terminal" in done.stderr


# Completion

def complete(path, *words):
    script = """source "$1"; shift
        COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _turnpike_ctl; printf '%s\\n' "${COMPREPLY[@]}" """
    done = subprocess.run(["bash", "-c", script, "bash", COMPLETION, ctl.CTL, "--socket", path, *words],
                          capture_output=True, text=True, timeout=20, check=True)
    assert done.stderr == ""
    return done.stdout.split()


def test_completion_offers_commands_options_and_what_the_relay_has(fake):
    fake.answers["/turnpike/users"] = {"users": {"0": {"user": "alice"}, "1": {"user": "$(reboot)"}}}
    assert complete(fake.path, "al") == ["allocations"]
    assert complete(fake.path, "dr") == ["drops", "drain"]
    assert complete(fake.path, "drain", "--d") == ["--deadline"]
    assert complete(fake.path, "kill", "--user", "") == ["alice"]
    assert complete(fake.path, "show", "0000000") == ["0000000100000000", "0000000200000001"]
    assert complete(fake.path, "status", "--user") == []


# A running relay

@pytest.fixture
def path(relay):
    return relay.control_path


def test_shows_the_relay(relay, path, client):
    client.allocate()
    status = ctl.ask(path, "status")
    assert status["pid"] == relay.process.pid and status["state"] == "running" and status["allocations"] == 1
    assert re.search(r"^allocations +1$", ctl.say(path, "status"), re.MULTILINE)
    titles, first, *_ = ctl.say(path, "workers").splitlines()
    assert titles.split()[:3] == ["WORKER", "CPU", "ALLOCATIONS"] and first.split()[0] == "0"
    assert re.search(r" up +\d", ctl.say(path, "ports"))
    client.sock.sendto(b"\xff" * 20, client.server)
    client.refresh(600)  # behind it
    assert re.search(r"^unknown_protocol +\d+$", ctl.say(path, "drops"), re.MULTILINE)


def test_a_relay_that_stands_still_is_said_to(relay, path):
    os.kill(relay.process.pid, signal.SIGSTOP)
    try:
        done = ctl.run(path, "status")
    finally:
        os.kill(relay.process.pid, signal.SIGCONT)
    assert done.returncode == ctl.UNREACHABLE and "does not answer" in done.stderr
    assert ctl.say(path, "status")


def test_top_comes_back_when_the_relay_was_started_anew(relay, path, directory):
    with Terminal(directory, [ctl.CTL, "-s", path, "top"]) as terminal:
        terminal.wait_for(shows_rates)
        relay.stop()
        terminal.wait_for(lambda screen: "no such socket" in screen)
        relay.start()
        terminal.wait_for(lambda screen: shows_rates(screen) and "no such socket" not in screen)
        terminal.press("q")
        terminal.wait_for(lambda _: terminal.exit_code() == ctl.DONE)
