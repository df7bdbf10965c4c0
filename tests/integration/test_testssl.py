# SPDX-License-Identifier: BSD-3-Clause
"""testssl.sh finds nothing to say against the relay's TLS."""

import json

import pytest

from lab import RELAY4
from relay import TLS_PORT, Relay

# testssl.sh asks for names that nobody has, to see what the openssl command can do, and would wait for each.
NO_NAMES = "mount --bind resolv.conf /etc/resolv.conf && exec testssl \"$@\""
WAITS = ["MAX_WAITSOCK=2", "CCS_MAX_WAITSOCK=1", "HEARTBLEED_MAX_WAITSOCK=2"]
GOOD = {"OK", "INFO", "DEBUG"}
# What it has to have tried, and to have found good: versions, forward secrecy, each attack with a name of its own.
TRIED = {
    *("SSLv2", "SSLv3", "TLS1_2", "TLS1_3", "PFS", "heartbleed", "CCS", "ROBOT", "secure_renego", "secure_client_renego"),
    *("CRIME_TLS", "POODLE_SSL", "fallback_SCSV", "SWEET32", "FREAK", "DROWN", "LOGJAM", "BEAST", "LUCKY13", "RC4"),
}


@pytest.fixture
def relay(lab, tmp_path, authority):
    certificates = [authority.issue("ecdsa"), authority.issue("rsa", kind="rsa")]
    with Relay(lab, tmp_path, certificates=certificates) as the_relay:
        yield the_relay


def test_testssl_finds_nothing(lab, relay, tmp_path):
    (tmp_path / "resolv.conf").write_text("nameserver 127.0.0.1\n")
    report = tmp_path / "report.json"
    options = ["--quiet", "--color", 0, "--warnings", "batch", "--nodns", "none", "--jsonfile", report]
    command = ["env", *WAITS, "sh", "-c", NO_NAMES, "sh", *options, "-p", "-f", "-U", f"{RELAY4}:{TLS_PORT}"]
    output = lab.run("client", *command, check=False, timeout=180, cwd=tmp_path).stdout
    assert report.exists(), output
    # Debian's openssl has no GOST.
    findings = [one for one in json.loads(report.read_text()) if one["id"] != "engine_problem"]
    assert [one for one in findings if one["severity"] not in GOOD] == []
    assert {one["id"] for one in findings if one["severity"] == "OK"} >= TRIED, output
    assert relay.is_running
