# SPDX-License-Identifier: BSD-3-Clause
"""What a run was made on and with: as a program it writes run.json from the steps that bench/run.sh took."""

import argparse
import datetime
import json
import os
import pathlib
import platform
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def output_of(*command):
    try:
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def field_of(path, name):
    for line in pathlib.Path(path).read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return ""


def caches():
    sizes = {}
    for cache in sorted(pathlib.Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        level, kind, size = ((cache / name).read_text().strip() for name in ("level", "type", "size"))
        if kind != "Instruction":
            sizes[f"L{level}"] = size
    return ", ".join(f"{level} {size}" for level, size in sizes.items())


def describe():
    is_virtual = " hypervisor" in field_of("/proc/cpuinfo", "flags")
    return {
        "CPU": f"{field_of('/proc/cpuinfo', 'model name')}, {os.cpu_count()} CPUs{', virtual' if is_virtual else ''}",
        "caches of a CPU": caches(),
        "memory": f"{int(field_of('/proc/meminfo', 'MemTotal').split()[0]) / 2**20:.0f} GB",
        "Linux": platform.release(),
        "DPDK": output_of("pkg-config", "--modversion", "libdpdk"),
        "compiler": output_of("cc", "--version").split("\n")[0],
        "coturn": output_of("dpkg-query", "-W", "-f", "${Version}", "coturn"),
    }


def read_steps(path, commit):
    names = ["name", "status", "seconds", "load", "command", "why"]
    steps = [dict(zip(names, line.split("\t"))) for line in path.read_text().splitlines()]
    return [step | {"seconds": int(step["seconds"]), "commit": commit} for step in steps]


def merged(run, path):
    """The run's steps among those of the run before it, on the same machine, whose figures are still there."""
    before = json.loads(path.read_text()) if path.exists() else {}
    if any(before.get(key) != run[key] for key in ("quick", "machine")):
        return run["steps"]
    taken = {step["name"]: step for step in run["steps"]}
    kept = [{"commit": before["commit"]} | step for step in before["steps"]]
    steps = [taken.pop(step["name"], step) for step in kept]
    return steps + list(taken.values())


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=pathlib.Path, required=True, help="name, status, seconds, load, command, why by tabs")
    parser.add_argument("--build", required=True, help="how it was built")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    commit = output_of("git", "describe", "--always", "--dirty")
    run = {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": commit,
        "quick": arguments.quick,
        "machine": describe() | {"build": arguments.build},
        "steps": read_steps(arguments.steps, commit),
    }
    run["steps"] = merged(run, arguments.json)
    arguments.json.write_text(json.dumps(run, indent=1) + "\n")


if __name__ == "__main__":
    main()
