# SPDX-License-Identifier: BSD-3-Clause
"""The relay as a program: started, told wrong things, stopped, killed, started again."""

import datetime
import json
import pathlib
import re
import signal
import subprocess
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

import stun
from lab import CLIENT4, GATEWAY, PEER4, RELAY4, RELAY_SIDE_GATEWAY, WORKERS
from logs import wait_for
from pings import answers
from relay import BINARY, DEFAULTS, PORT, Relay, render_config, usual

RESERVED = "net.ipv4.ip_local_reserved_ports"


def link_of(lab):
    return json.loads(lab.run("relay", "ip", "-j", "link", "show", "dev", lab.interface).stdout)[0]


def xdp_of(lab):
    return link_of(lab).get("xdp")


def is_taken(lab):
    """By a relay: with its XDP program, or as the TAP that somebody holds open."""
    if lab.mode == "shared":
        return xdp_of(lab) is not None
    return "LOWER_UP" in link_of(lab)["flags"]


def assert_the_host_has_it_back(lab):
    """Who owned a device leaves nobody to carry the host's frames; what the kernel kept is the host's at once."""
    assert not is_taken(lab)
    if lab.mode == "shared":
        assert_it_answers(lab)


def assert_it_answers(lab):
    assert answers(lab, RELAY4)


def managed_neighbours(lab):
    output = lab.run("relay", "ip", "neigh", "show", "dev", lab.interface).stdout
    return [line for line in output.splitlines() if "managed" in line or "extern_learn" in line]


@pytest.fixture
def fresh(lab, tmp_path):
    """A relay of this test's own."""
    with Relay(lab, tmp_path) as the_relay:
        yield the_relay


def use(client_of, lab):
    client = client_of()
    client.allocate()
    client.permit(PEER4)
    with lab.udp("peer", PEER4) as peer:
        client.send_indication(peer.getsockname(), b"there")
        assert peer.recv(2048) == b"there"
    return client


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_stops_cleanly_and_leaves_nothing(lab, tmp_path, client_of, number):
    before = lab.sysctl("relay", RESERVED)
    relay = Relay(lab, tmp_path)
    relay.start()
    assert is_taken(lab)
    assert "49152-65535" in lab.sysctl("relay", RESERVED)
    assert_it_answers(lab)
    client = use(client_of, lab)
    client.relayed = None
    relay.process.send_signal(number)
    assert relay.process.wait(10) == 0, relay.log_tail()
    assert lab.sysctl("relay", RESERVED) == before
    assert managed_neighbours(lab) == []
    assert_the_host_has_it_back(lab)


def test_has_found_its_gateways_before_a_client_comes(lab, fresh):
    gateways = [*GATEWAY.values(), *(RELAY_SIDE_GATEWAY.values() if lab.mode == "two-ports" else [])]

    def found():
        lines = lab.run("relay", "ip", "neigh").stdout.splitlines()
        return {line.split()[0] for line in lines if "managed" in line and "lladdr" in line}

    wait_for(lambda: found() == set(gateways))


def test_keeps_ports_that_others_reserved(lab, tmp_path):
    lab.run("relay", "sysctl", "-w", f"{RESERVED}=5000,6000-6010")
    try:
        with Relay(lab, tmp_path):
            assert lab.sysctl("relay", RESERVED) == "5000,6000-6010,49152-65535"
        assert lab.sysctl("relay", RESERVED) == "5000,6000-6010"
    finally:
        lab.run("relay", "sysctl", "-w", f"{RESERVED}=")


def test_stops_while_media_flows(lab, tmp_path, client_of):
    from media import Media

    relay = Relay(lab, tmp_path)
    relay.start()
    with Media(lab, client_of) as media:
        time.sleep(0.5)
        assert relay.stop() == 0
        assert media.received
    media.client.relayed = None


def test_starts_again_after_it_was_killed(lab, tmp_path, client_of):
    relay = Relay(lab, tmp_path)
    relay.start()
    use(client_of, lab).relayed = None
    relay.kill()
    if lab.mode == "shared":
        # The XDP program may live on, but what it has no socket for is the kernel's.
        assert_it_answers(lab)
        with lab.udp("client", CLIENT4) as client:
            client.connect((RELAY4, PORT))
            client.send(stun.Message(stun.BINDING).encode())
            with pytest.raises(ConnectionRefusedError):
                client.recv(2048)
    with Relay(lab, tmp_path):
        use(client_of, lab).relayed = None
        assert_it_answers(lab)
    assert not is_taken(lab)
    assert lab.sysctl("relay", RESERVED) == ""


def test_starts_twenty_times_in_a_row(lab, tmp_path):
    for _ in range(20):
        with Relay(lab, tmp_path):
            pass


def test_a_second_one_on_the_same_interface_says_so_and_harms_nothing(lab, fresh, tmp_path, client_of):
    second = tmp_path / "second.conf"
    second.write_text(render_config(usual(lab)))
    result = lab.run("relay", BINARY, "-c", second, check=False, timeout=15)
    assert result.returncode not in (0, -signal.SIGSEGV, -signal.SIGABRT)
    assert lab.interface in result.stderr
    assert fresh.is_running
    use(client_of, lab)


def idle_load(relay):
    """Of one core, while nothing happens."""
    time.sleep(1)
    before, started = relay.cpu_seconds(), time.monotonic()
    time.sleep(3)
    return (relay.cpu_seconds() - before) / (time.monotonic() - started)


def test_rests_while_nothing_happens(lab, tmp_path):
    # Held against a relay that spins here and now: whatever else the machine does slows both. Of one worker each, as
    # two that spin do not get two CPUs of a small machine.
    with Relay(lab, tmp_path, idle="spin", workers=1) as relay:
        spinning = idle_load(relay)
    with Relay(lab, tmp_path, workers=1) as relay:
        resting = idle_load(relay)
    assert resting < spinning / 4, f"{resting:.0%} of a core while idle, {spinning:.0%} when it spins"


def test_says_what_it_is():
    for option in ("--version", "--help"):
        result = subprocess.run([BINARY, option], capture_output=True, text=True, timeout=10)
        assert result.returncode == 0
        assert "turnpike" in result.stdout + result.stderr


# Configuration


def check_config(tmp_path, text):
    path = tmp_path / "turnpike.conf"
    path.write_text(text)
    return subprocess.run([BINARY, "--check-config", "-c", path], capture_output=True, text=True, timeout=10)


def test_accepts_a_good_configuration(tmp_path):
    result = check_config(tmp_path, render_config(DEFAULTS))
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(
    "line",
    [
        'workers = "many";',
        "workers = 0;",
        "workers = 100000;",
        "wrokers = 2;",
        "realm = ;",
        'allow_peer = [ "203.0.113.0/33" ];',
        'allow_peer = [ "nowhere" ];',
        'users = ( { name = "alice"; } );',
        'users = ( { name = ""; password = "x"; } );',
        "static_auth_secrets = [ 1 ];",
        'relay = ( { address = "192.0.2.1"; min_port = 60000; max_port = 50000; } );',
        'relay = ( { address = "192.0.2.1"; max_port = 65536; } );',
        'listen = ( { address = "192.0.2.1"; port = 70000; } );',
        'listen = ( { adress = "192.0.2.1"; } );',
        'idle = "sometimes";',
        "default_lifetime = -1;",
        'log = { level = "loud"; };',
        "total_quota = 1.5;",
    ],
)
def test_names_file_and_line_of_a_mistake(tmp_path, line):
    settings = {name: value for name, value in DEFAULTS.items() if not line.startswith(name)}
    good = render_config(settings)
    result = check_config(tmp_path, good + "\n" + line + "\n")
    assert result.returncode not in (0, -signal.SIGSEGV, -signal.SIGABRT), "accepted"
    number = len(good.splitlines()) + 2
    assert f"{tmp_path}/turnpike.conf:{number}" in result.stderr, result.stderr


def write_certificate(path, days):
    """A certificate and its key in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "turn.example.org")])
    now = datetime.datetime.utcnow()
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days))
    path.write_bytes(
        builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )


def test_checks_certificates_too(tmp_path):
    good = render_config(DEFAULTS) + '\ncertificates = ( { certificate = "turn.pem"; } );\n'
    result = check_config(tmp_path, good)
    assert result.returncode == 1
    assert f"{tmp_path}/turn.pem cannot be read" in result.stderr
    write_certificate(tmp_path / "turn.pem", 90)
    result = check_config(tmp_path, good)
    assert result.returncode == 0 and not result.stderr, result.stderr
    write_certificate(tmp_path / "turn.pem", 3.5)
    result = check_config(tmp_path, good)
    assert result.returncode == 0
    assert "expires in 3 days" in result.stderr


def test_names_a_file_that_is_not_there(tmp_path):
    path = tmp_path / "nothing.conf"
    result = subprocess.run([BINARY, "-c", path], capture_output=True, text=True, timeout=10)
    assert result.returncode not in (0, -signal.SIGSEGV)
    assert str(path) in result.stderr


@pytest.mark.shared
def test_names_an_interface_that_is_not_there(lab, tmp_path):
    relay = Relay(lab, tmp_path, interface="relay9")
    relay.launch()
    assert relay.process.wait(15) != 0
    assert "relay9" in relay.log()


@pytest.mark.shared
def test_names_an_address_that_is_not_the_hosts(lab, tmp_path):
    relay = Relay(lab, tmp_path, listen=[{"address": "192.0.2.200", "port": PORT}])
    relay.launch()
    assert relay.process.wait(15) != 0
    assert "192.0.2.200" in relay.log()


def test_listens_where_it_is_told(lab, tmp_path, client_of):
    with Relay(lab, tmp_path, listen=[{"address": RELAY4, "port": 3478}, {"address": RELAY4, "port": 80}]):
        for port in (3478, 80):
            client = client_of(port=port)
            client.allocate()
            client.refresh(0)
            client.relayed = None


@pytest.mark.parametrize("hugepages", ["off", "auto"])
def test_runs_with_or_without_hugepages(lab, tmp_path, client_of, hugepages):
    with Relay(lab, tmp_path, hugepages=hugepages):
        use(client_of, lab).relayed = None


def test_runs_on_hugepages_alone(lab, tmp_path, client_of, huge_memory):
    with Relay(lab, tmp_path, hugepages="on", total_quota=1000):
        free = re.search(r"HugePages_Free: +(\d+)", pathlib.Path("/proc/meminfo").read_text())
        assert int(free[1]) < huge_memory
        use(client_of, lab).relayed = None


# 1 and 2 are what `ip` calls the native and the generic mode.
@pytest.mark.shared
@pytest.mark.parametrize("xdp_mode, attached", [("auto", 1), ("native", 1), ("generic", 2)])
def test_relays_in_every_mode_of_xdp(lab, tmp_path, client_of, xdp_mode, attached):
    with Relay(lab, tmp_path, xdp_mode=xdp_mode):
        assert xdp_of(lab)["mode"] == attached
        use(client_of, lab).relayed = None


def test_logs_json_when_it_is_told(lab, tmp_path):
    with Relay(lab, tmp_path, log={"format": "json", "level": "info"}) as relay:
        pass
    lines = [line for line in relay.log().splitlines() if line.startswith("{")]
    assert lines
    for line in lines:
        json.loads(line)


# What stops a start


def assert_untouched(lab, result, said):
    assert result.returncode == 1, result.stderr
    assert said in result.stderr, result.stderr
    assert not is_taken(lab)
    assert lab.sysctl("relay", RESERVED) == ""


@pytest.mark.parametrize(
    "settings, said",
    [
        pytest.param({"workers": 9}, "workers is 9", marks=pytest.mark.shared),
        ({"cpus": ",".join(map(str, range(1023, 1023 - WORKERS, -1)))}, "cpus: this process may not run on CPU 1023"),
        ({"memory_mb": 1}, "memory_mb"),
        ({"hugepages": "on", "memory_mb": 1048576}, "1048576 MB of hugepages are needed"),
        pytest.param(
            {"relay": [{"address": "192.0.2.200"}]},
            "192.0.2.200 is no address of this host",
            marks=pytest.mark.shared,
        ),
        pytest.param({"interface": "lo"}, "lo is no Ethernet interface", marks=pytest.mark.shared),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_says_why_it_cannot_start_and_touches_nothing(lab, tmp_path, settings, said):
    config = tmp_path / "turnpike.conf"
    config.write_text(render_config(usual(lab, **settings)))
    result = lab.run("relay", BINARY, "-c", config, check=False, timeout=15)
    assert_untouched(lab, result, said)


@pytest.mark.shared
@pytest.mark.parametrize("capability", ["net_raw", "net_admin", "bpf", "perfmon"])
def test_names_a_capability_that_is_missing(lab, tmp_path, capability):
    config = tmp_path / "turnpike.conf"
    config.write_text(render_config(DEFAULTS))
    without = f"--bounding-set=-{capability},-sys_admin"
    result = lab.run("relay", "setpriv", without, BINARY, "-c", config, check=False, timeout=15)
    assert_untouched(lab, result, f"AmbientCapabilities=CAP_{capability.upper()} (plus")


@pytest.mark.shared
def test_leaves_an_interface_that_is_down_alone(lab, tmp_path):
    config = tmp_path / "turnpike.conf"
    config.write_text(render_config({**DEFAULTS, "interface": "idle0"}))
    lab.run("relay", "ip", "link", "add", "idle0", "type", "veth")
    try:
        result = lab.run("relay", BINARY, "-c", config, check=False, timeout=15)
    finally:
        lab.run("relay", "ip", "link", "delete", "idle0")
    assert_untouched(lab, result, "ip link set dev idle0 up")


@pytest.mark.shared
def test_ends_when_its_interface_goes(lab, tmp_path):
    queues = ["numrxqueues", WORKERS, "numtxqueues", WORKERS]
    lab.run("relay", "ip", "link", "add", "spare0", *queues, "type", "veth", "peer", "name", "spare1", *queues)
    for command in ("address add 192.0.2.65/28 dev spare0", "link set spare1 up", "link set spare0 up"):
        lab.run("relay", "ip", *command.split())
    relay = Relay(lab, tmp_path, interface="spare0")
    relay.launch()
    relay.wait_for_event("started")
    lab.run("relay", "ip", "link", "delete", "spare0")
    assert relay.process.wait(10) == 1
    assert "interface_gone" in relay.log()
    assert lab.sysctl("relay", RESERVED) == ""
