# SPDX-License-Identifier: BSD-3-Clause
"""turnpike and testpmd's macswap engine under the same load: one CPU for either, another for the load generator, and memif
between, which is shared memory and no wire. What macswap does is the floor: no program on the relay's place does less.

Both are measured in turn, several times, each time from a fresh start, and what is compared is each time with the one beside
it. Then turnpike alone at even rates, for its latency. Needs root (a network namespace with the relay's twin) and testpmd.
"""

import argparse
import contextlib
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

from rivals.niceness import niceness

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
RELAYS = [f"100.65.0.{number}" for number in range(1, 65)]
LOAD, LOAD_PREFIX = "100.65.255.1", 16
PORTS = range(4096, 65536)
MAC = "02:00:00:00:00:99"
START_S = 60
RUN_S = 120  # and the media
# The generator shares its CPU with the relay's control thread, which gets what the generator sleeps through.
NAP_US = 100
REALTIME = 10  # of 1..99: before everything that has none
SETTLE_S = 0.2
# Of each second, what all of them together may have of a CPU; 950,000 unless said.
REALTIME_RUNTIME_US = pathlib.Path("/proc/sys/kernel/sched_rt_runtime_us")
# Where nothing may be lost, whoever has to wait for its CPU for a millisecond.
UPKEEP_RING_LOG2 = 13
# How often a pair of runs is measured again in which the CPUs have moved; then it is taken as it is.
AGAIN = 2
# Less than that ring has by this is on its way at once: requests, and what the port has not yet given its places back for.
UPKEEP_MARGIN = 256
# Every client of a million within a minute, nearly; and strangers without credentials.
REFRESH_RATE, STRANGERS_RATE = 16_000, 1_000_000
HUGE_MB = 2
# What the generator's frames and the relay's tables take, roughly, at a million allocations.
MEMORY_MB = {False: 900, True: 3500}


def parse_count(text):
    units = {"k": 1000, "M": 1000000}
    return int(float(text[:-1]) * units[text[-1]]) if text[-1] in units else int(text)


def parse_case(text):
    payload, _, allocations = text.partition("x")
    return int(payload), parse_count(allocations or "10k")


def parse_arguments(words):
    parser = argparse.ArgumentParser(prog="compare memif", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", type=parse_case, action="append", metavar="BYTESxALLOCATIONS",
                        help="payload and allocations, such as 160x10k; several (14, 160 and 1200 x10k, and 160x1M)")
    parser.add_argument("--repeat", type=int, default=10, help="times that each is measured (%(default)s)")
    parser.add_argument("--repeat-large", type=int, default=3, help="the same above 100k allocations (%(default)s)")
    parser.add_argument("--duration", type=float, default=1, help="seconds of media (%(default)s)")
    parser.add_argument("--duration-large", type=float, default=3,
                        help="the same above 100k allocations: a flow's first packets cost more than those after (%(default)s)")
    parser.add_argument("--rate", type=parse_count, action="append", metavar="N",
                        help="packets/s for latency; several (100k, 500k, 1M, 2M, 3M, 4M)")
    parser.add_argument("--latency-duration", type=float, default=3, help="seconds at each rate (%(default)s)")
    parser.add_argument("--upkeep-duration", type=float, default=10, metavar="SECONDS",
                        help="of media at half of the rate of the last case while its clients refresh and bind anew and "
                             "strangers ask; 0: none (%(default)s)")
    parser.add_argument("--relay-cpu", type=int, default=0, help="(%(default)s)")
    parser.add_argument("--load-cpu", type=int, default=1, help="(%(default)s)")
    parser.add_argument("--nice", type=int, default=0, help="of all of them, where others run too (%(default)s)")
    parser.add_argument("--realtime", action="store_true",
                        help="nobody else's programs run while worker and generator are busy; "
                             "kernel.sched_rt_runtime_us is -1 meanwhile")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build", help="build directory (%(default)s)")
    parser.add_argument("--json", type=pathlib.Path, help="write every run's figures there")
    arguments = parser.parse_args(words)
    arguments.case = arguments.case or [(14, 10000), (160, 10000), (1200, 10000), (160, 1000000)]
    arguments.rate = arguments.rate or [100_000, 500_000, 1_000_000, 2_000_000, 3_000_000, 4_000_000]
    return arguments


def free_huge_mb():
    for line in pathlib.Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("HugePages_Free:"):
            return HUGE_MB * int(line.split()[1])
    return 0


class Lab:
    """A namespace for the relay, a folder, and how the programs are started."""

    def __init__(self, arguments, folder, cases):
        self.arguments = arguments
        self.folder = folder
        self.namespace = f"memif{os.getpid()}"
        self.socket = folder / "memif.sock"
        needed = MEMORY_MB[any(is_large(case) for case in cases)]
        self.has_huge_pages = free_huge_mb() >= needed

    def memory(self, program, megabytes):
        # Shared whole by memif, so that it need not copy.
        huge = ["--single-file-segments", "-m", megabytes] if self.has_huge_pages else ["--no-huge", "-m", megabytes]
        return ["--no-pci", "--in-memory", "--no-telemetry", "--file-prefix", f"{program}{os.getpid()}", *huge]

    def server(self):
        return f"net_memif0,role=server,socket={self.socket},socket-abstract=no"

    def client(self, ring_log2):
        """Whose rings both sides have."""
        zero_copy = ",zero-copy=yes" if self.has_huge_pages else ""
        return f"net_memif0,role=client,socket={self.socket},socket-abstract=no,rsize={ring_log2}{zero_copy}"


def is_large(case):
    return case[1] > 100_000


def relay_addresses(allocations):
    # A tenth more than needed: random ports are found faster.
    return RELAYS[: 1 + int(allocations * 1.1) // len(PORTS)]


@contextlib.contextmanager
def turnpike(lab, allocations):
    """Serves, at the first of its addresses."""
    addresses = relay_addresses(allocations)
    inside = ["ip", "-n", lab.namespace]
    subprocess.run(["ip", "netns", "add", lab.namespace], check=True)
    try:
        subprocess.run([*inside, "tuntap", "add", "dev", "twin0", "mode", "tap"], check=True)
        for address in addresses:
            subprocess.run([*inside, "address", "add", f"{address}/{LOAD_PREFIX}", "dev", "twin0"], check=True)
        subprocess.run([*inside, "link", "set", "twin0", "up"], check=True)
        subprocess.run([*inside, "route", "add", "198.18.0.0/15", "via", LOAD], check=True)
        config = lab.folder / "turnpike.conf"
        relays = ", ".join(f'{{ address = "{address}"; min_port = {PORTS[0]}; }}' for address in addresses)
        config.write_text(f"""interface = "twin0"; device = "{lab.server()}";
cpus = "{lab.arguments.relay_cpu}"; idle = "spin"; realm = "bench.example"; metrics_listen = [];
listen = ( {{ address = "{RELAYS[0]}"; }} ); relay = ( {relays} ); total_quota = {max(allocations, 16384)};
users = ( {{ name = "load"; password = "load"; }} ); allow_peer = [ "198.19.0.0/16" ]; unauthenticated_rate = 0;
""")
        log = lab.folder / "turnpike.log"
        command = ["ip", "netns", "exec", lab.namespace, lab.arguments.build / "turnpike", "-c", config]
        with started(lab, command, log, lambda: " started " in log.read_text()):
            yield ["--relay", f"{RELAYS[0]}:3478", "--local", LOAD]
    finally:
        subprocess.run(["ip", "netns", "delete", lab.namespace], check=False)


@contextlib.contextmanager
def testpmd(lab, _allocations):
    cpus = lab.arguments.relay_cpu, lab.arguments.load_cpu
    command = [
        *("dpdk-testpmd", "--lcores", f"0@{cpus[0]},1@{cpus[1]}", "--main-lcore", "1", *lab.memory("testpmd", 256)),
        *("--log-level=error", "--vdev", lab.server(), "--"),
        *("--forward-mode=macswap", "--auto-start", "--burst=64", "--total-num-mbufs=16384", "--no-lsc-interrupt",
          "--disable-link-check"),
    ]
    log = lab.folder / "testpmd.log"
    # It writes nothing before its buffer is full.
    with started(lab, command, log, lab.socket.exists):
        yield ["--relay", f"{RELAYS[0]}:3478", "--next-hop-mac", MAC, "--floor", "macswap"]


@contextlib.contextmanager
def started(lab, command, log, is_ready):
    # A program that was killed leaves it behind.
    lab.socket.unlink(missing_ok=True)
    cpus = f"{lab.arguments.relay_cpu},{lab.arguments.load_cpu}"
    with log.open("w") as output:
        process = subprocess.Popen(["taskset", "-c", cpus, *map(str, command)], stdin=subprocess.PIPE, stdout=output, stderr=output)
    try:
        deadline = time.monotonic() + START_S
        while not is_ready():
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"compare: {command[0]} does not start:\n{log.read_text()}")
            time.sleep(0.05)
        if lab.arguments.realtime:
            # DPDK does not start at such a priority: its threads wait for each other without sleeping.
            time.sleep(SETTLE_S)
            set_realtime(process.pid, lab.arguments.relay_cpu)
        yield
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextlib.contextmanager
def unthrottled():
    """Threads with a real-time priority are not stopped for 50 ms of each second, as they are even where nobody waits."""
    before = REALTIME_RUNTIME_US.read_text()
    REALTIME_RUNTIME_US.write_text("-1")
    try:
        yield
    finally:
        REALTIME_RUNTIME_US.write_text(before)


def set_realtime(pid, cpu):
    """The threads that have that CPU to themselves."""
    for thread in pathlib.Path(f"/proc/{pid}/task").iterdir():
        if os.sched_getaffinity(int(thread.name)) == {cpu}:
            os.sched_setscheduler(int(thread.name), os.SCHED_RR, os.sched_param(REALTIME))


def run_load(lab, link, *options, ring_log2=10):
    report = lab.folder / "load.json"
    command = [
        *(lab.arguments.build / "bench" / "load" / "load", "-l", lab.arguments.load_cpu, *lab.memory("load", 768)),
        *("--log-level=error", "--vdev", lab.client(ring_log2), "--", *link, "--json", report, "--quiet"),
        *("--ring-len", 1 << ring_log2, "--nap", NAP_US, "--realtime", REALTIME if lab.arguments.realtime else 0, *options),
    ]
    process = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False, timeout=RUN_S)
    if process.returncode != 0:
        raise SystemExit(f"compare: the load generator ended with {process.returncode}\n{process.stdout}{process.stderr}")
    return json.loads(report.read_text())


def both_ways(report, figure):
    return sum(report["media"][way][figure] for way in ("to_peer", "to_client"))


def distance_ns(lab):
    """How far the two CPUs are from each other just now: virtual ones move."""
    arguments = lab.arguments
    command = [*(("chrt", "--rr", REALTIME) if arguments.realtime else ()), arguments.build / "bench" / "distance",
               arguments.load_cpu, arguments.relay_cpu]
    return int(subprocess.run([*map(str, command)], stdout=subprocess.PIPE, text=True, check=True, timeout=RUN_S).stdout)


def flat_out(lab, program, payload, allocations):
    """One run's figures."""
    distances = [distance_ns(lab)]
    duration = lab.arguments.duration_large if is_large((payload, allocations)) else lab.arguments.duration
    options = ["--allocations", allocations, "--payload", payload, "--rate", "max", "--prepared", "--window", 128,
               "--duration", duration, "--drain", 100]
    with program(lab, allocations) as link:
        report = run_load(lab, link, *options, *(["--keep"] if program is turnpike else []))
    distances.append(distance_ns(lab))
    figures = {name: both_ways(report, name) for name in ("sent", "received_per_second", "lost", "checked")}
    figures["distance_ns"] = distances
    # The relay's ring was never full: whatever it did, it could have done more.
    figures["is_generator_bound"] = report["frames"]["port_refused"] < figures["sent"] / 64 / 10
    if "allocated" in report:
        figures |= {"allocated": report["allocated"]["done"], "allocated_per_second": report["allocated"]["per_second"]}
    return figures


def flat_out_beside(arguments, folder, payload, allocations):
    """turnpike's figures of one run, for who measures another relay in turn with it."""
    lab = Lab(arguments, folder, [(payload, allocations)])
    with unthrottled() if arguments.realtime else contextlib.nullcontext():
        return flat_out(lab, turnpike, payload, allocations) | {"has_huge_pages": lab.has_huge_pages}


PROGRAMS = {"turnpike": turnpike, "testpmd": testpmd}


def has_moved(pair):
    """Whether the CPUs did, in one of these runs or between them: then they are not runs on the same machine."""
    distances = [distance for run in pair.values() for distance in run["distance_ns"]]
    return max(distances) > 2 * min(distances)


def measure_pair(lab, payload, allocations, names):
    pair = {}
    for name in names:
        say(f"{payload} bytes, {allocations} allocations: {name}")
        pair[name] = flat_out(lab, PROGRAMS[name], payload, allocations)
    return pair


def measure_case(lab, payload, allocations):
    repeat = lab.arguments.repeat_large if is_large((payload, allocations)) else lab.arguments.repeat
    case = {"payload_bytes": payload, "allocations": allocations, "turnpike": [], "testpmd": [], "moved": 0}
    for repetition in range(repeat):
        # Neither is always the first.
        names = sorted(PROGRAMS, reverse=repetition % 2 == 0)
        say(f"{repetition + 1} of {repeat}")
        pair = measure_pair(lab, payload, allocations, names)
        for _ in range(AGAIN):
            if not has_moved(pair):
                break
            case["moved"] += 1
            pair = measure_pair(lab, payload, allocations, names)
        for name in names:
            case[name].append(pair[name])
    return case


def measure_latency(lab, rate):
    say(f"latency at {rate} packets/s")
    options = ["--allocations", 10000, "--rate", rate, "--duration", lab.arguments.latency_duration, "--payload", 160]
    with turnpike(lab, 10000) as link:
        report = run_load(lab, link, *options)
    ways = [report["media"][way]["latency_us"] for way in ("to_peer", "to_client")]
    # The worse way.
    quantiles = {name: max(way[name] for way in ways) for name in ("p50", "p99", "p99.9", "max")}
    return quantiles | {
        "rate": rate,
        "received_per_second": both_ways(report, "received_per_second"),
        "lost": both_ways(report, "lost"),
        "not_due_in_time": report["media"]["not_due_in_time"],
    }


def measure_upkeep(lab, case):
    """Media at half of what was carried flat out, by prepared frames, while clients and strangers keep both planes busy."""
    rate = int(statistics.median(run["received_per_second"] for run in case["turnpike"]) / 2)
    allocations, ring_len = case["allocations"], 1 << UPKEEP_RING_LOG2
    say(f"{allocations} allocations at {rate} packets/s while clients refresh and strangers ask")
    options = ["--allocations", allocations, "--payload", case["payload_bytes"], "--rate", rate, "--prepared", "--window", 128,
               "--duration", lab.arguments.upkeep_duration, "--refresh-rate", REFRESH_RATE, "--flood", "allocate",
               "--flood-rate", STRANGERS_RATE, "--on-the-way", ring_len - UPKEEP_MARGIN, "--keep"]
    with turnpike(lab, allocations) as link:
        report = run_load(lab, link, *options, ring_log2=UPKEEP_RING_LOG2)
    return {
        "allocations": allocations,
        "ring_len": ring_len,
        "payload_bytes": case["payload_bytes"],
        "rate": rate,
        "not_due_in_time": report["media"]["not_due_in_time"],
        "most_on_the_way": report["media"]["most_on_the_way"],
        "longest_away_us": report["media"]["longest_away_us"],
        "kept_up_per_second": report["kept_up"]["per_second"],
        "kept_up_failed": report["kept_up"]["failed"],
        "strangers_answered_per_second": report["flood"]["answered_per_second"],
    } | {name: both_ways(report, name) for name in ("sent", "received_per_second", "lost")}


def say(text):
    print(text, file=sys.stderr, flush=True)


def spread(values, form):
    return f"{statistics.median(values):{form}} ({min(values):{form}}..{max(values):{form}})"


def print_table(figures):
    print(f"{'median (least..most)':<24}  {'turnpike, Mpps':>22}  {'testpmd macswap, Mpps':>22}  {'ratio':>18}")
    for case in figures["cases"]:
        ours, floor = ([run["received_per_second"] / 1e6 for run in case[name]] for name in PROGRAMS)
        ratios = [one / other for one, other in zip(ours, floor)]
        name = f"{case['payload_bytes']} bytes, {case['allocations']}"
        is_bound = any(run["is_generator_bound"] for run in case["turnpike"] + case["testpmd"])
        print(f"{name:<24}  {spread(ours, '.1f'):>22}  {spread(floor, '.1f'):>22}  {spread(ratios, '.2f'):>18}"
              f"{'  generator-bound' if is_bound else ''}")
    for point in figures["latency"]:
        print(f"{point['rate'] / 1e6:g} Mpps: p50 {point['p50']:.1f} us, p99 {point['p99']:.1f}, p99.9 {point['p99.9']:.1f}, "
              f"{point['received_per_second'] / 1e6:.2f} Mpps relayed, {point['lost']} lost")
    if "upkeep" in figures:
        upkeep = figures["upkeep"]
        print(f"{upkeep['lost']} of {upkeep['sent']} lost at {upkeep['rate'] / 1e6:.1f} Mpps while {upkeep['kept_up_per_second']:.0f}/s "
              f"refreshed and {upkeep['strangers_answered_per_second']:.0f}/s were challenged; "
              f"at most {upkeep['most_on_the_way']} were on their way, {upkeep['ring_len']} have room")


def main(words):
    arguments = parse_arguments(words)
    if os.geteuid() != 0 or not shutil.which("dpdk-testpmd"):
        raise SystemExit("compare memif: needs root and dpdk-testpmd (Debian's package dpdk-dev)")
    # What starts on the CPU of a worker with such a priority stays there and waits.
    os.sched_setaffinity(0, {arguments.load_cpu})
    with (
        niceness(arguments.nice),
        unthrottled() if arguments.realtime else contextlib.nullcontext(),
        tempfile.TemporaryDirectory(prefix="compare") as folder,
    ):
        lab = Lab(arguments, pathlib.Path(folder), arguments.case)
        if not lab.has_huge_pages:
            say("too few free huge pages: the generator copies, and may be what is measured")
        figures = {
            "duration": arguments.duration,
            "has_huge_pages": lab.has_huge_pages,
            "cases": [measure_case(lab, *case) for case in arguments.case],
            "latency": [measure_latency(lab, rate) for rate in arguments.rate],
        }
        if arguments.upkeep_duration > 0:
            figures["upkeep"] = measure_upkeep(lab, figures["cases"][-1])
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n")
    print_table(figures)
