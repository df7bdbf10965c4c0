# SPDX-License-Identifier: BSD-3-Clause
"""turnpike-ctl against somebody who answers as DPDK's telemetry does, well or badly, and against a running relay."""

import contextlib
import functools
import os
import pathlib
import re
import signal
import subprocess
import threading
import time

import pytest

import ctl
from client import Refused
from fake_relay import GREETING, Counting, FakeRelay
from lab import CLIENT4, PEER4, RELAY4
from media import Media
from picture import picture
from relay import PORT
from terminal import Terminal

COMPLETION = pathlib.Path(__file__).parents[2] / "config" / "completion" / "turnpike-ctl"


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


def test_lists_finds_shows_and_ends_allocations(path, client_of):
    alice, bob = client_of(), client_of(username="bob", password="builder")
    for client in (alice, bob):
        client.allocate()
    alice.permit(PEER4)
    assert {row["user"] for row in ctl.ask(path, "allocations")} == {"alice", "bob"}
    for filters in (["--user", "alice"], ["--client", "%s:%d" % alice.address], ["--peer", PEER4],
                    ["--relay", "%s:%d" % alice.relayed]):
        (row,) = ctl.ask(path, "allocations", *filters)
        assert row["user"] == "alice" and row["relayed"] == "%s:%d" % alice.relayed
    titles, row = ctl.say(path, "allocations", "--user", "alice").splitlines()
    assert titles.split()[:3] == ["SESSION", "USER", "CLIENT"] and row.split()[1] == "alice"
    assert ctl.say(path, "allocations", "--user", "carol") == "no allocations\n"
    session = row.split()[0]
    assert re.search(r"^realm +turnpike.test$", ctl.say(path, "show", session), re.MULTILINE)
    assert re.search(r"^alice +1$", ctl.say(path, "users"), re.MULTILINE)
    assert ctl.say(path, "kill", session) == "1 ended\n"
    gone = ctl.run(path, "show", session)
    assert gone.returncode == ctl.REFUSED and session in gone.stderr
    assert alice.refresh(600).error == 437
    assert ctl.say(path, "kill", "--user", "bob") == "1 ended\n"
    assert bob.refresh(600).error == 437
    alice.relayed = bob.relayed = None
    wrong = ctl.run(path, "show", "nonsense")
    assert wrong.returncode == ctl.REFUSED and wrong.stderr.startswith("turnpike-ctl: ")


def test_ends_all_of_a_user_when_it_is_told_yes(path, client_of):
    clients = [client_of() for _ in range(3)]
    for client in clients:
        client.allocate()
    asked = ctl.run(path, "kill", "--user", "alice")
    assert asked.returncode == ctl.USAGE and "alice has 3 allocations: say --yes" in asked.stderr
    assert len(ctl.ask(path, "allocations", "--user", "alice")) == 3
    assert ctl.say(path, "kill", "--user", "alice", "--yes") == "3 ended\n"
    for client in clients:
        assert client.refresh(600).error == 437
        client.relayed = None


def knock(lab, ending):
    """Somebody who sends what the relay drops."""
    with lab.udp("client", CLIENT4) as sock:
        while not ending.wait(0.1):
            sock.sendto(b"\xff" * 20, (RELAY4, PORT))


@contextlib.contextmanager
def two_calls(lab, client_of):
    """Of alice and of bob, with a stranger knocking all the time."""
    ending = threading.Event()
    stranger = threading.Thread(target=knock, args=(lab, ending))
    bobs = functools.partial(client_of, username="bob", password="builder")
    with Media(lab, client_of) as alice, Media(lab, bobs) as bob:
        stranger.start()
        try:
            yield alice, bob
        finally:
            ending.set()
            stranger.join()
    assert (alice.lost, bob.lost) == (0, 0)


def look_for(terminal, flows, seconds):
    """What top shows meanwhile, a screen each half second, and packets that these flows send each second."""
    sent, began = sum(flow.sent for flow in flows), time.monotonic()
    screens = []
    while time.monotonic() < began + seconds:
        time.sleep(0.5)
        screens.append(terminal.screen())
    return screens, (sum(flow.sent for flow in flows) - sent) / (time.monotonic() - began)


def middle(numbers):
    return sorted(numbers)[len(numbers) // 2]


def is_about(number, expected):
    return 0.8 * expected < number < 1.2 * expected


def test_top_shows_what_clients_send(lab, path, client_of, directory):
    with Terminal(directory, [ctl.CTL, "-s", path, "top"]) as terminal, two_calls(lab, client_of) as flows:
        terminal.wait_for(lambda screen: re.search(r"\balice\b.* \d+ kbit/s", screen))
        time.sleep(2.5)  # until there was traffic all the time between two looks
        screens, sent_s = look_for(terminal, flows, 4)
        # Clients' packets and their peers' come in, and all of them go out again; strangers' do not.
        received, _, transmitted, _, dropped = map(middle, zip(*(figures(screen, "^ in ") for screen in screens)))
        assert is_about(received, 2 * sent_s + dropped) and is_about(transmitted, 2 * sent_s) and 6 < dropped < 12
        for user in ("alice", "bob"):
            rows = [re.search(rf" {user} .* (\d+) kbit/s +(\d+) kbit/s", screen) for screen in screens]
            for way in (1, 2):
                shown_kbit_s = middle([int(row.group(way)) for row in rows if row])
                assert is_about(shown_kbit_s, sent_s / 2 * 160 * 8 / 1000), (shown_kbit_s, sent_s)
        assert all("%s:%d" % flow.client.address in screens[-1] for flow in flows)
        assert re.search(r"^ +0 +\d.* \d+ % [|.]+$", screens[-1], re.MULTILINE)  # worker 0, how busy
        assert re.search(r"^unknown_protocol +\d", screens[-1], re.MULTILINE)
        if "TURNPIKE_PICTURES" in os.environ:
            target = pathlib.Path(os.environ["TURNPIKE_PICTURES"]) / "top.svg"
            target.write_text(picture(terminal.screen("-e", "-N")))


def test_shows_who_talks_most(lab, path, client_of):
    with two_calls(lab, client_of):
        ctl.say(path, "talkers")  # from here on it counts
        time.sleep(1)
        rows = ctl.ask(path, "talkers")["allocations"]
        assert {row["user"] for row in rows.values()} == {"alice", "bob"}
        assert all(row["packets_per_second"] > 50 and row["bits_per_second"] > 50_000 for row in rows.values())
        time.sleep(0.5)  # nobody talks between two questions that follow at once
        assert len(ctl.say(path, "talkers", "--limit", 1).splitlines()) == 2


def test_drains_and_takes_it_back(path, client_of):
    assert ctl.ask(path, "drain", "--deadline", "10m")["state"] == "draining"
    assert ctl.ask(path, "status")["state"] == "draining"
    with pytest.raises(Refused):
        client_of().allocate()
    assert ctl.ask(path, "undrain")["state"] == "running"
    client_of().allocate()
    again = ctl.run(path, "undrain")
    assert (again.returncode, again.stderr) == (ctl.REFUSED, "turnpike-ctl: the relay does not drain\n")
    wrong = ctl.run(path, "drain", "--to", "nowhere")
    assert wrong.returncode == ctl.REFUSED and "nowhere; allowed: ADDRESS" in wrong.stderr


def test_reloads_and_says_what_came_of_it(relay, path):
    assert re.search(r"^reload +done$", ctl.say(path, "reload"), re.MULTILINE)
    good = relay.config.read_text()
    relay.config.write_text(good + "nonsense = 1;\n")
    refused = ctl.run(path, "reload")
    relay.config.write_text(good)
    assert refused.returncode == ctl.REFUSED and "nothing has changed" in refused.stderr
    assert ctl.say(path, "reload")


def test_shows_quotas_and_levels_and_changes_these(path):
    assert ctl.ask(path, "quotas")
    before = ctl.ask(path, "log")["levels"]
    assert ctl.ask(path, "log", "logins", "debug")["levels"] == {**before, "logins": "debug"}
    assert re.search(r"^ *logins +debug$", ctl.say(path, "log"), re.MULTILINE)
    wrong = ctl.run(path, "log", "logins", "loud")
    assert wrong.returncode == ctl.REFUSED and "allowed: error, warning, info, debug" in wrong.stderr
    ctl.say(path, "log", "logins", before["logins"])


def test_top_comes_back_when_the_relay_was_started_anew(relay, path, directory):
    with Terminal(directory, [ctl.CTL, "-s", path, "top"]) as terminal:
        terminal.wait_for(shows_rates)
        relay.stop()
        terminal.wait_for(lambda screen: "no such socket" in screen)
        relay.start()
        terminal.wait_for(lambda screen: shows_rates(screen) and "no such socket" not in screen)
        terminal.press("q")
        terminal.wait_for(lambda _: terminal.exit_code() == ctl.DONE)
