# SPDX-License-Identifier: BSD-3-Clause
"""turnpike and coturn under the same clients over TCP, TLS and DTLS: one CPU for the relay with all its threads, another for
the load generator, a veth pair between. What is on it is as on a wire: checksums are whole, and segments of TCP no longer
than the link takes; either end's kernel puts them together again.

Both are measured in turn, several times, and what is compared is each time with the one beside it: media each time from a fresh
start; connections, whose rate a slow spell of the machine halves, in many short pairs, while the relay whose turn it is not is
stopped. Needs root (it makes network namespaces) and coturn's turnserver.
"""

import argparse
import contextlib
import json
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

from rivals.niceness import niceness

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
RELAY, CLIENT, PEER = "192.0.2.1", "192.0.2.2", "198.51.100.1"
USER, PASSWORD, REALM = "alice", "wonderland", "example.org"
TRANSPORTS = {"tcp": 3478, "tls": 5349, "dtls": 3478}
COTURN_PORTS = {"tcp": 3478, "tls": 5349, "dtls": 5349}
DIRECTIONS = ["to-peer", "to-client", "both"]
START_S = 20
RUN_S = 60
REALTIME = 10  # of 1..99: before everything that has none
# Bytes on their way, of each client: more than the relay's socket or the veth pair's ring of 256 packets holds is lost, and what
# is lost of a stream comes again only 200 ms later.
WINDOW = 16384
SETTLE_S = 0.05  # until what was closed at the end of a measurement is closed in the relay, too
GENERATOR_BOUND = 0.9  # a relay that was busy for less of the time could have done more


def parse_arguments(words):
    parser = argparse.ArgumentParser(prog="compare streams", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=5, help="times that each relay is measured with media (%(default)s)")
    parser.add_argument("--pairs", type=int, default=11, help="times that the two are measured side by side with connections "
                        "(%(default)s)")
    parser.add_argument("--transport", action="append", choices=TRANSPORTS, help="several (all)")
    parser.add_argument("--payload", type=int, action="append", metavar="BYTES", help="several (160 and 1200)")
    parser.add_argument("--direction", action="append", choices=DIRECTIONS, help="several (all)")
    parser.add_argument("--clients", type=int, default=64, help="connections (%(default)s)")
    parser.add_argument("--duration", type=float, default=1, help="seconds of each measurement (%(default)s)")
    parser.add_argument("--warm-up", type=float, default=0.2, help="seconds before each (%(default)s)")
    parser.add_argument("--relay-cpu", type=int, default=0, help="(%(default)s)")
    parser.add_argument("--load-cpu", type=int, default=1, help="(%(default)s)")
    parser.add_argument("--nice", type=int, default=0, help="of relay and generator, where others run too (%(default)s)")
    parser.add_argument("--realtime", action="store_true", help="nobody else's programs run while they are busy")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build", help="build directory (%(default)s)")
    parser.add_argument("--json", type=pathlib.Path, help="write every run's figures there")
    arguments = parser.parse_args(words)
    arguments.transport = arguments.transport or list(TRANSPORTS)
    arguments.payload = arguments.payload or [160, 1200]
    arguments.direction = arguments.direction or DIRECTIONS
    return arguments


def ip(*words):
    subprocess.run(["ip", *words], check=True)


def inside(namespace, *words):
    return ["ip", "netns", "exec", namespace, *map(str, words)]


@contextlib.contextmanager
def namespaces(of=""):
    """NAME-relay and NAME-load with a veth pair between; clients and their peer are both at its other end."""
    name = f"streams{os.getpid()}{of}"
    relay, load = f"{name}-relay", f"{name}-load"
    quiet = {"check": True, "stdout": subprocess.DEVNULL}
    try:
        for namespace in relay, load:
            ip("netns", "add", namespace)
            ip("-n", namespace, "link", "set", "lo", "up")
        ip("-n", relay, "link", "add", "relay0", "type", "veth", "peer", "name", "load0", "netns", load)
        for namespace, interface in (relay, "relay0"), (load, "load0"):
            subprocess.run(inside(namespace, "sysctl", "-qw", f"net.ipv6.conf.{interface}.disable_ipv6=1"), check=True)
            subprocess.run(inside(namespace, "ethtool", "-K", interface, "gro", "on"), **quiet)
        # A checksum that is left to the device would stay unfinished for who takes packets by AF_XDP.
        subprocess.run(inside(load, "ethtool", "-K", "load0", "tx", "off"), **quiet)
        for namespace, interface in (relay, "relay0"), (load, "load0"):
            ip("-n", namespace, "link", "set", interface, "up")
        ip("-n", relay, "address", "add", f"{RELAY}/24", "dev", "relay0")
        ip("-n", load, "address", "add", f"{CLIENT}/24", "dev", "load0")
        ip("-n", load, "address", "add", f"{PEER}/32", "dev", "load0")
        ip("-n", relay, "route", "add", f"{PEER}/32", "via", CLIENT)
        yield relay, load
    finally:
        for namespace in relay, load:
            subprocess.run(["ip", "netns", "delete", namespace], check=False)


def make_certificate(directory):
    subprocess.run(
        [*("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"),
         *("-subj", "/CN=relay.example", "-keyout", directory / "key.pem", "-out", directory / "certificate.pem")],
        check=True, stderr=subprocess.DEVNULL)


def turnpike_command(arguments, directory):
    config = directory / "turnpike.conf"
    config.write_text(f"""interface = "relay0"; cpus = "{arguments.relay_cpu}";
realm = "{REALM}"; users = ( {{ name = "{USER}"; password = "{PASSWORD}"; }} );
allow_peer = [ "{PEER}/32" ]; unauthenticated_rate = 0; listen = ( {{ address = "{RELAY}"; }} );
tcp = true; tls_port = {TRANSPORTS["tls"]}; dtls = true; tls_threads = 0;
certificates = ( {{ certificate = "{directory}/certificate.pem"; private_key = "{directory}/key.pem"; }} );
""")
    return [arguments.build / "turnpike", "-c", config]


def coturn_command(_arguments, directory):
    """Nothing but what is measured: no log, no attributes that are not needed, one relay thread."""
    return [
        *("turnserver", "-n", "--relay-threads=1", "--no-tcp-relay", "--no-cli", "--no-rfc5780"),
        *("--no-stun-backward-compatibility", "--response-origin-only-with-rfc5780", "--no-software-attribute"),
        *("--log-file=/dev/null", "--simple-log", "--no-stdout-log", f"--pidfile={directory}/pid"),
        *(f"--cert={directory}/certificate.pem", f"--pkey={directory}/key.pem"),
        *(f"--listening-ip={RELAY}", f"--relay-ip={RELAY}", "--min-port=49152", "--max-port=65535"),
        *("--lt-cred-mech", f"--realm={REALM}", f"--user={USER}:{PASSWORD}", f"--userdb={directory}/turndb"),
    ]


RELAYS = {"turnpike": (turnpike_command, TRANSPORTS), "coturn": (coturn_command, COTURN_PORTS)}


def first_word(command):
    """A relay's threads are all on its CPU; the generator's one on its own."""
    return ["taskset", "-c", str(command)]


def run_streams(arguments, namespace, directory, *options, cpu=None):
    """One report of the load generator."""
    report = directory / "streams.json"
    report.unlink(missing_ok=True)
    prefix = ["chrt", "--rr", str(REALTIME)] if arguments.realtime and cpu is None else []
    command = inside(namespace, *prefix, *first_word(arguments.load_cpu if cpu is None else cpu),
                     arguments.build / "bench" / "streams" / "streams", "--quiet", "--json", report, *options)
    process = subprocess.run(command, capture_output=True, text=True, check=False, timeout=RUN_S)
    if process.returncode != 0:
        raise SystemExit(f"compare: the load generator ended with {process.returncode}: {' '.join(command)}\n"
                         f"{process.stderr}{report.read_text() if report.exists() else ''}")
    return json.loads(report.read_text())


def listens(namespace):
    """On every port, over TCP: where the others are, too."""
    listening = subprocess.run(inside(namespace, "ss", "-Hltn"), capture_output=True, text=True, check=True).stdout
    return all(f":{port} " in listening for port in (TRANSPORTS["tcp"], TRANSPORTS["tls"]))


def set_policy(pid, policy, priority):
    for thread in pathlib.Path(f"/proc/{pid}/task").iterdir():
        os.sched_setscheduler(int(thread.name), policy, os.sched_param(priority))


@contextlib.contextmanager
def running(arguments, name, namespace, directory):
    """A relay that serves: its process."""
    command = inside(namespace, *first_word(arguments.relay_cpu), *RELAYS[name][0](arguments, directory))
    log_path = directory / f"{name}.log"
    with log_path.open("w") as log:
        relay = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + START_S
        while not listens(namespace):
            if relay.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"compare: {command} does not serve:\n{log_path.read_text()}")
            time.sleep(0.05)
        time.sleep(0.3)
        if arguments.realtime:
            set_policy(relay.pid, os.SCHED_RR, REALTIME)
        yield relay
    finally:
        if arguments.realtime and relay.poll() is None:
            set_policy(relay.pid, os.SCHED_OTHER, 0)
        relay.terminate()
        try:
            relay.wait(20)
        except subprocess.TimeoutExpired:
            relay.kill()
            relay.wait()


def case_name(case):
    return " ".join(str(part) for part in case.values())


def media_cases(arguments):
    for transport in arguments.transport:
        for payload in arguments.payload:
            for direction in arguments.direction:
                yield {"transport": transport, "payload_bytes": payload, "direction": direction}


def connection_cases(arguments):
    for transport in arguments.transport:
        yield {"transport": transport, "direction": "connections"}
        if transport == "tls":  # and with what both relays have
            yield {"transport": transport, "version": "1.2", "direction": "connections"}


def measure(arguments, name, spaces, directory, case):
    options = ["--transport", case["transport"], "--relay", f"{RELAY}:{RELAYS[name][1][case['transport']]}",
               "--clients", arguments.clients, "--duration", arguments.duration, "--warm-up", arguments.warm_up,
               "--relay-cpu", arguments.relay_cpu, "--window", WINDOW]
    if case["direction"] == "connections":
        version = ["--only-tls-1.2"] if "version" in case else []
        report = run_streams(arguments, spaces[1], directory, *options, *version, "--connections")
    else:
        report = run_streams(arguments, spaces[1], directory, *options, "--peer", PEER, "--user", f"{USER}:{PASSWORD}",
                             "--payload", case["payload_bytes"], "--direction", case["direction"])
        ways = [report[way] for way in ("to_peer", "to_client") if way in report]
        report["per_second"] = sum(way["received_per_second"] for way in ways)
        report["gbit_per_second"] = sum(way["gbit_per_second"] for way in ways)
        report["lost"] = sum(way["lost"] for way in ways)
        report["sent"] = sum(way["sent"] for way in ways)
    report["is_generator_bound"] = report.get("relay_busy", 1) < GENERATOR_BOUND
    return report


def without_figures(cases):
    return [case | {name: [] for name in RELAYS} for case in cases]


def in_turn(repetition):
    """The relays' names: neither is always the first."""
    return sorted(RELAYS, reverse=repetition % 2 == 0)


def say(number, count, what):
    print(f"{number + 1} of {count}: {what}", file=sys.stderr, flush=True)


def measure_media(arguments, spaces, directory):
    """Results, and what OpenSSL does alone in each repetition."""
    results, openssl = without_figures(media_cases(arguments)), []
    for repetition in range(arguments.repeat):
        openssl.append(run_streams(arguments, spaces[1], directory, "--openssl", "--duration", min(arguments.duration, 1),
                                   cpu=arguments.relay_cpu))
        for name in in_turn(repetition):
            say(repetition, arguments.repeat, name)
            with running(arguments, name, spaces[0], directory):
                for case, result in zip(media_cases(arguments), results):
                    result[name].append(measure(arguments, name, spaces, directory, case))
    return results, openssl


@contextlib.contextmanager
def its_turn(relay):
    """Of relays that are stopped otherwise."""
    relay.send_signal(signal.SIGCONT)
    try:
        yield
        time.sleep(SETTLE_S)
    finally:
        relay.send_signal(signal.SIGSTOP)


@contextlib.contextmanager
def both_running(arguments, directory):
    """{name: (namespaces, process)} of relays that are both stopped, each on a link of its own."""
    with contextlib.ExitStack() as stack:
        relays = {}
        for name in RELAYS:
            spaces = stack.enter_context(namespaces(name[0]))
            relays[name] = spaces, stack.enter_context(running(arguments, name, spaces[0], directory))
            # One that is stopped does not end.
            stack.callback(relays[name][1].send_signal, signal.SIGCONT)
            relays[name][1].send_signal(signal.SIGSTOP)
        yield relays


def measure_connections(arguments, directory):
    results = without_figures(connection_cases(arguments))
    with both_running(arguments, directory) as relays:
        for pair in range(arguments.pairs):
            say(pair, arguments.pairs, "connections to both")
            for case, result in zip(connection_cases(arguments), results):
                for name in in_turn(pair):
                    spaces, relay = relays[name]
                    with its_turn(relay):
                        result[name].append(measure(arguments, name, spaces, directory, case))
    return results


def measure_all(arguments, directory):
    with namespaces() as spaces:
        media, openssl = measure_media(arguments, spaces, directory)
    cases = media + measure_connections(arguments, directory)
    cases.sort(key=lambda case: list(TRANSPORTS).index(case["transport"]))  # a transport's connections behind its media
    return {"repeat": arguments.repeat, "pairs": arguments.pairs, "clients": arguments.clients, "openssl": openssl,
            "cases": cases}


def spread(values, form):
    return f"{statistics.median(values):{form}} ({min(values):{form}}..{max(values):{form}})"


def lost_share(runs):
    sent = sum(run.get("sent", 0) for run in runs)
    return 100 * sum(run.get("lost", 0) for run in runs) / sent if sent else 0


def print_table(figures):
    print(f"{'median (least..most), /s':<28}  {'turnpike':>30}  {'coturn':>30}  {'turnpike / coturn':>20}  lost %, both  busy, both")
    for case in figures["cases"]:
        runs = [case[name] for name in RELAYS]
        ours, theirs = ([run["per_second"] for run in one] for one in runs)
        ratios = [one / other if other else float("inf") for one, other in zip(ours, theirs)]
        bound = [name for name in RELAYS if any(run["is_generator_bound"] for run in case[name])]
        name = case_name({key: case[key] for key in ("transport", "version", "payload_bytes", "direction") if key in case})
        busy = " ".join(f"{statistics.median(run.get('relay_busy', 0) for run in one):.2f}" for one in runs)
        print(f"{name:<28}  {spread(ours, '.0f'):>30}  {spread(theirs, '.0f'):>30}  {spread(ratios, '.2f'):>20}  "
              f"{lost_share(runs[0]):5.2f} {lost_share(runs[1]):5.2f}  {busy}"
              f"{'  generator-bound: ' + ', '.join(bound) if bound else ''}")
    for what in "handshakes_per_second", "written_per_second", "read_per_second":
        print(f"OpenSSL alone, {what}: {spread([run[what] for run in figures['openssl']], '.0f')}")


def main(words):
    arguments = parse_arguments(words)
    if os.geteuid() != 0 or not shutil.which("turnserver"):
        raise SystemExit("compare streams: needs root and turnserver (Debian's package coturn)")
    # What starts on the CPU of a relay that has a real-time priority and never sleeps waits there.
    os.sched_setaffinity(0, {arguments.load_cpu})
    with niceness(arguments.nice), tempfile.TemporaryDirectory(prefix="streams") as folder:
        directory = pathlib.Path(folder)
        make_certificate(directory)
        # coturn gives up being root.
        for path in directory, directory / "key.pem", directory / "certificate.pem":
            path.chmod(0o755)
        figures = measure_all(arguments, directory)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n")
    print_table(figures)
