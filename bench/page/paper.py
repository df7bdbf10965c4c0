# SPDX-License-Identifier: BSD-3-Clause
"""What the measured figures mean for machines that were not at hand: every formula and every assumption of that section."""

import math

# Assumed. Whatever else is below follows from these and from what was measured.
ASSUMED = {
    "calls": 1_000_000,  # at once, an allocation with a permission and a channel each
    "audio_pps": 50,  # each way
    "audio_payload": 160,  # bytes
    "video_mbps": 2.5,  # each way
    "video_payload": 1200,
    "call_s": 180,  # a call's length
    "refresh_s": 600,  # RFC 8656: lifetime of allocations (section 3.2), channels (12) and permissions (9)
    "channel_s": 600,
    "permission_s": 300,
    "port_gbps": 100,
    "headers": 44,  # Ethernet, IPv4, UDP, and ChannelData on one side: the mean of both ways
    "wire": 24,  # preamble, checksum and gap of Ethernet
    "driver_cycles": 40,  # a card's driver, both ways: not measured here
    "lines": 12,  # cache lines of 64 bytes that a packet moves from or to memory beside its bytes: entries, buffers
    "memory_gbps": {16: 200, 64: 400},  # bytes/s x 10^9 of a server of that many cores, half of it usable is taken
    "ports": {16: 1, 64: 4},  # of 100 Gbit/s, in that server
    "rss_entries": 512,  # of the table by which a card spreads what it does not steer over its queues: 128 to 512 are common
    "relay_ports": 64_512,  # of an address: 1024 to 65535
    "relay_addresses": 64,  # most that one process takes
}
MEDIA = ["audio", "video"]


def media_pps(kind):
    """Packets a second of a call, both ways."""
    if kind == "audio":
        return 2 * ASSUMED["audio_pps"]
    return 2 * ASSUMED["video_mbps"] * 1e6 / 8 / ASSUMED["video_payload"]


def frame_len(kind):
    return ASSUMED[f"{kind}_payload"] + ASSUMED["headers"]


def port_pps(kind):
    return ASSUMED["port_gbps"] * 1e9 / 8 / (frame_len(kind) + ASSUMED["wire"])


def core_pps(results):
    """Of a worker with a card: the cycles in process at a million allocations, and a driver's."""
    cycles = results.forward_figure("cycles", "mixed", 1_000_000)
    forward = results.get("forward")
    return forward["tsc_hz"] / (cycles + ASSUMED["driver_cycles"]) if cycles else None


def request_rates():
    """Requests a second for a million calls: {request: rate}. A call begins and ends once, and is kept up."""
    calls, begun = ASSUMED["calls"], ASSUMED["calls"] / ASSUMED["call_s"]
    kept = {"Refresh": "refresh_s", "CreatePermission": "permission_s", "ChannelBind": "channel_s"}
    rates = {"Allocate": begun, "Refresh to 0": begun} | {name: calls / ASSUMED[period] for name, period in kept.items()}
    rates["CreatePermission"] += begun
    rates["ChannelBind"] += begun
    return rates


def control_share(results):
    """How much of one control thread a million calls take, None when that was not measured."""
    costs = {name: results.request("setup", name, "control_per_second") for name in request_rates()}
    if None in costs.values():
        return None
    return sum(rate / costs[name] for name, rate in request_rates().items())


def busiest_queue(cores):
    """What the queue with the most entries of the card's table has, over its share."""
    workers = cores - 1
    return math.ceil(ASSUMED["rss_entries"] / workers) * workers / ASSUMED["rss_entries"]


def handing_over(results, cores):
    """What a packet costs with nothing steered, over one that is; None when hand-off was not measured. Measured is the cost of some
    percent of peers' packets on the wrong one of two workers; of n, all but one in n are."""
    found, workers = results.handoff("mixed", 1_000_000), cores - 1
    if not found:
        return None
    wrong = (workers - 1) / workers / (results.get("handoff")["wrong_percent"] / 100)
    return 1 + (found["ratio"]["median"] - 1) * wrong


def limits(results, cores, kind):
    """{what: calls at which it is used up}."""
    pps, frame = media_pps(kind), frame_len(kind)
    bits = pps / 2 * (frame + ASSUMED["wire"]) * 8 * 2  # in, and the same out
    moved = pps * (2 * frame + 64 * ASSUMED["lines"])
    share = control_share(results)
    workers, crossing = (cores - 1) * core_pps(results) / pps, handing_over(results, cores)
    return {
        "workers' cycles": workers,
        # Half of the packets are clients', which the card spreads; peers' are steered.
        "cycles of the worker with the busiest queue": workers / ((busiest_queue(cores) + 1) / 2),
        **({"workers' cycles, nothing steered": workers / crossing} if crossing else {}),
        "card": ASSUMED["ports"][cores] * ASSUMED["port_gbps"] * 1e9 / bits,
        "memory bandwidth": ASSUMED["memory_gbps"][cores] / 2 * 1e9 / moved,
        "control thread": ASSUMED["calls"] / share,
        "relay addresses": ASSUMED["relay_addresses"] * ASSUMED["relay_ports"],
    }


def limit_table(results):
    columns = [(cores, kind) for cores in ASSUMED["ports"] for kind in MEDIA]
    found = [limits(results, cores, kind) for cores, kind in columns]
    head = ["used up at so many calls", *(f"{cores} cores, {kind}" for cores, kind in columns)]
    lines = [head, ["---"] * len(head)]
    for what in found[0]:
        lines.append([what, *(calls(limit, what) for limit in found)])
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def calls(limit, what):
    text = f"{limit[what] / 1e6:.2f}M"
    return f"**{text}**" if limit[what] == min(limit.values()) else text


def over_memif(results):
    rate = results.memif_median("turnpike", "received_per_second", 160, 1_000_000)
    return f" Over memif, where the relay's core copies each frame twice, it was {rate / 1e6:.1f} million." if rate else ""


def figures(results):
    """What on-paper.md names."""
    audio, video = media_pps("audio"), media_pps("video")
    million, core = ASSUMED["calls"], core_pps(results)
    rates = request_rates()
    memory = results.bytes_an_allocation()
    return ASSUMED | {
        "cycles": results.forward_figure("cycles", "mixed", 1_000_000),
        "core_mpps": core / 1e6,
        "over_memif": over_memif(results),
        "audio_call_pps": audio,
        "video_call_pps": video,
        "audio_port_mpps": port_pps("audio") / 1e6,
        "video_port_mpps": port_pps("video") / 1e6,
        "audio_port_cores": math.ceil(port_pps("audio") / core),
        "video_port_cores": math.ceil(port_pps("video") / core),
        "audio_port_calls": port_pps("audio") / audio,
        "video_port_calls": port_pps("video") / video,
        "queues": {cores: cores - 1 for cores in ASSUMED["ports"]},
        "busiest": {cores: 100 * (busiest_queue(cores) - 1) for cores in ASSUMED["ports"]},
        "wrong": {cores: 100 * (cores - 2) / (cores - 1) for cores in ASSUMED["ports"]},
        "audio_mpps": million * audio / 1e6,
        "video_mpps": million * video / 1e6,
        "audio_cores": math.ceil(million * audio / core),
        "video_cores": math.ceil(million * video / core),
        "audio_ports": math.ceil(million * audio / port_pps("audio")),
        "video_ports": math.ceil(million * video / port_pps("video")),
        "pcie_gbps": port_pps("audio") * (frame_len("audio") + 16 + 26) / 1e9,
        "memory_a_packet": 2 * frame_len("audio") + 64 * ASSUMED["lines"],
        "addresses": math.ceil(million / ASSUMED["relay_ports"]),
        "most_by_addresses": ASSUMED["relay_addresses"] * ASSUMED["relay_ports"] / 1e6,
        "begun": million / ASSUMED["call_s"],
        "kept": sum(million / ASSUMED[period] for period in ("refresh_s", "permission_s", "channel_s")),
        "requests": sum(rates.values()),
        "control_percent": 100 * control_share(results),
        "again_s": sum(million / results.request("setup", name, "control_per_second")
                       for name in ("Allocate", "CreatePermission", "ChannelBind")),
        "memory_mb": million * memory / 1e6,
        "limits": limit_table(results),
    }


def text(results, path):
    if core_pps(results) is None or control_share(results) is None or results.bytes_an_allocation() is None:
        return "This run lacks what it is computed from: a million allocations in `forward`, and `setup`.\n"
    return path.read_text().format_map(figures(results))
