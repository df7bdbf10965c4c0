# SPDX-License-Identifier: BSD-3-Clause
"""Who watches the relay: Prometheus itself scrapes it, and nobody who asks for metrics, or only seems to, harms media."""

import contextlib
import http.client
import json
import os
import pathlib
import random
import re
import subprocess
import time

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from lab import PEER4
from media import Media
from monitor import METRICS_PORT, ask, samples
from prometheus import Prometheus
from relay import Relay

ROOT = pathlib.Path(__file__).resolve().parents[2]
RULES = ROOT / "config" / "prometheus" / "turnpike.rules.yml"
DASHBOARD = ROOT / "config" / "grafana" / "turnpike.json"
OPENMETRICS = "application/openmetrics-text;version=1.0.0"


def read(lab, name):
    status, page = ask(lab, "/metrics")
    assert status == 200
    return samples(page)[name]


@pytest.fixture(scope="module")
def relay(lab, authority, tmp_path_factory):
    """One that has something to say of everything."""
    settings = {"certificates": [authority.issue("metrics")], "tcp_relay": True}
    with Relay(lab, tmp_path_factory.mktemp("relay"), **settings) as the_relay:
        yield the_relay


@pytest.fixture(scope="module")
def prometheus(lab, relay, tmp_path_factory):
    with Prometheus(lab, tmp_path_factory.mktemp("prometheus")) as the_prometheus:
        yield the_prometheus


def test_prometheus_sees_what_clients_sent(lab, prometheus, client_of):
    before = {
        name: prometheus.count(name)
        for name in ("turnpike_allocations_total", "turnpike_request_errors_total{code='403'}")
    }
    directions = {}
    for direction in ("to_peer", "to_client"):
        for metric in ("packets", "bytes"):
            name = f"turnpike_relayed_{metric}_total{{direction='{direction}'}}"
            directions[direction, metric] = name, prometheus.value(f"sum({name})")
    client = client_of()
    client.allocate()
    with lab.udp("peer", PEER4) as peer:
        client.permit(PEER4)
        client.bind(0x4000, peer.getsockname())
        for _ in range(30):
            client.send_channel(0x4000, b"c" * 200)
            assert peer.recv(2048) == b"c" * 200
        for _ in range(12):
            client.send_indication(peer.getsockname(), b"s" * 100)
            assert peer.recv(2048) == b"s" * 100
        for _ in range(7):
            peer.sendto(b"p" * 300, client.relayed)
            assert client.receive()[2] == b"p" * 300
        client.send_channel(0x4001, b"to a channel that is not bound")
        assert client.create_permission("10.0.0.1").error == 403
    sent = {
        ("to_peer", "packets"): 42,
        ("to_peer", "bytes"): 30 * 200 + 12 * 100,
        ("to_client", "packets"): 7,
        ("to_client", "bytes"): 7 * 300,
    }
    for key, more in sent.items():
        name, at_first = directions[key]
        prometheus.wait_for(f"sum({name})", at_first + more)
    prometheus.wait_for("sum(turnpike_allocations_active)", 1)
    prometheus.wait_for("turnpike_allocations_active{family='ipv4',transport='udp'}", 1)
    prometheus.wait_for("turnpike_permissions_active", 1)
    prometheus.wait_for("turnpike_channels_active", 1)
    prometheus.wait_for("sum(turnpike_relay_ports_used)", 1)
    prometheus.wait_for("sum(turnpike_allocations_total)", before["turnpike_allocations_total"] + 1)
    name = "turnpike_request_errors_total{code='403'}"
    prometheus.wait_for(f"sum({name})", before[name] + 1)
    prometheus.wait_for("sum(turnpike_dropped_packets_total{reason='unbound_channel'})", 1)
    client.refresh(0)
    prometheus.wait_for("sum(turnpike_allocations_active)", 0)


def test_prometheus_keeps_every_sample(lab, prometheus):
    count = len(samples(ask(lab, "/metrics", Accept=OPENMETRICS)[1]))
    prometheus.wait_for("scrape_samples_scraped", count)
    prometheus.wait_for("scrape_samples_post_metric_relabeling", count)
    assert prometheus.value("scrape_duration_seconds") < 0.1


def test_both_forms_are_as_their_readers_want_them(lab, relay):
    status, text = ask(lab, "/metrics")
    assert status == 200
    checked = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")
    status, page = ask(lab, "/metrics", host="::1", Accept=OPENMETRICS)
    assert status == 200
    found = {sample.name for family in text_string_to_metric_families(page) for sample in family.samples}
    assert found == {name.partition("{")[0] for name in samples(text)}


def test_the_page_has_every_metric_that_is_documented(lab, relay):
    documented = set(re.findall(r"^\| `(\w+)` \|", (ROOT / "docs" / "metrics.md").read_text(), re.MULTILINE))
    found = {name.partition("{")[0] for name in samples(ask(lab, "/metrics")[1])}
    found = {re.sub(r"_(bucket|sum|count)$", "", name) for name in found}
    # What a kernel before Linux 6.2 does not count.
    assert documented - found <= {"process_open_fds"} and not found - documented


def test_the_certificate_expires_when_it_does(lab, relay):
    left_s = read(lab, "turnpike_certificate_expiry_timestamp_seconds") - time.time()
    assert 89 * 86400 < left_s <= 90 * 86400


def queries_of_the_dashboard():
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"]


def test_every_query_of_the_dashboard_has_an_answer(lab, prometheus):
    queries = list(queries_of_the_dashboard())
    assert len(queries) > 20
    for title, query in queries:
        query = query.replace("$__rate_interval", "10s").replace("$instance", ".*")
        assert prometheus.answers(query), title  # a rate's are of two scrapes


def test_every_alert_is_about_metrics_that_there_are(lab, prometheus):
    expressions = re.findall(r"^ *expr: (.*)$", RULES.read_text(), re.MULTILINE)
    assert expressions
    for expression in expressions:
        prometheus.results(expression)  # no error
        for name in re.findall(r"(?<!:)\bturnpike_\w+", expression):
            assert prometheus.answers(name)


def test_alerts_fire_when_they_should():
    test = RULES.with_name("turnpike.rules.test.yml")
    subprocess.run(["promtool", "test", "rules", test], check=True, capture_output=True)


def test_the_process_is_described_as_the_kernel_does(lab, relay):
    assert abs(read(lab, "process_resident_memory_bytes") / 1024 - relay.resident_kb()) < 20000
    assert abs(read(lab, "process_cpu_seconds_total") - relay.cpu_seconds()) < 1
    assert abs(read(lab, "process_start_time_seconds") - os.stat(f"/proc/{relay.process.pid}").st_ctime) < 30


def test_only_what_there_is_is_answered(lab, relay):
    assert ask(lab, "/metrics", method="HEAD") == (200, "")
    assert ask(lab, "/metrics", method="POST")[0] == 405
    assert ask(lab, "/")[0] == 404


def connect(lab):
    return lab.tcp("relay", ("127.0.0.1", METRICS_PORT), "127.0.0.1", receive_len=2048)


def not_reading(lab, sockets):
    for _ in range(10):
        sockets.append(connect(lab))
        sockets[-1].sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")


def only_connecting(lab, sockets):
    sockets.extend(connect(lab) for _ in range(20))


def talking_garbage(lab, sockets):
    for seed in range(10):
        sockets.append(connect(lab))
        sockets[-1].sendall(random.Random(seed).randbytes(2000))


def asking_for_ever(lab, sockets):
    for _ in range(10):
        sockets.append(connect(lab))
        sockets[-1].sendall(b"GET /metrics HTTP/1.1\r\nX-Header: " + b"x" * 1000)


def posting(lab, sockets):
    for _ in range(10):
        sockets.append(connect(lab))
        sockets[-1].sendall(b"POST /metrics HTTP/1.1\r\nContent-Length: 1000000000\r\n\r\n" + b"x" * 1000)


@pytest.mark.parametrize("trouble", [not_reading, only_connecting, talking_garbage, asking_for_ever, posting])
def test_media_goes_on_beside(lab, relay, client_of, trouble):
    sockets = []
    before_kb = relay.resident_kb()
    with Media(lab, client_of) as media:
        deadline = time.monotonic() + 3
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                trouble(lab, sockets)
            for sock in sockets[:-100]:
                sock.close()
            del sockets[:-100]
        assert media.lost_so_far() == 0
    assert relay.resident_kb() - before_kb < 20000
    # And who asks properly is still answered.
    deadline = time.monotonic() + 5
    status = None
    while status != 200 and time.monotonic() < deadline:
        with contextlib.suppress(OSError, http.client.HTTPException):
            status, _ = ask(lab, "/metrics")
    for sock in sockets:
        sock.close()
    assert status == 200
