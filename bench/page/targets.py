# SPDX-License-Identifier: BSD-3-Clause
"""What turnpike is to reach, and whether it did: computed from the figures of one run."""

import dataclasses
import typing

from page.results import lookup, median

BOTH = ("both", "media", "received_per_second")
TO_PEER = ("to_peer", "media", "to_peer", "received_per_second")
TO_CLIENT = ("to_client", "media", "to_client", "received_per_second")


@dataclasses.dataclass
class Target:
    what: str
    bound: float
    unit: str  # "x", or what follows the number
    is_least: bool  # else the most
    value: typing.Callable  # of results

    def bound_text(self):
        return f"{'≥' if self.is_least else '≤'} {self.text(self.bound)}"

    def text(self, value):
        if self.unit == "x":
            return f"{value:,.2f}".rstrip("0").rstrip(".") + "x"
        return f"{value:,.0f} {self.unit}"

    def verdict(self, results):
        """(reached text, "yes" or "no" or "not measured")."""
        value = self.value(results)
        if value is None:
            return "", "not measured"
        is_reached = value >= self.bound if self.is_least else value <= self.bound
        return self.text(value), "yes" if is_reached else "no"


def ratio(case, allocations, figure="ratio"):
    return lambda results: results.forward_figure(figure, case, allocations)


def cycles(case):
    return lambda results: results.forward_figure("cycles", case, 10_000)


def memif_ratio(payload, allocations):
    return lambda results: results.memif_ratio(payload, allocations)


def most_allocations_in_tables(results):
    return max((result["allocations"] for result in results.forwards()), default=None)


def most_allocations_by_packets(results):
    return max((case["allocations"] for case in results.memif_cases() if was_set_up(case)), default=None)


def was_set_up(case):
    return all(run.get("allocated") == case["allocations"] for run in case["turnpike"])


def handoff_ratio(case, allocations):
    def ratio_of(results):
        result = results.handoff(case, allocations)
        return result["ratio"]["median"] if result else None

    return ratio_of


def memif_against_coturn(results):
    """The same packets for both: 160 bytes of payload, both ways mixed, as many as each delivers, in turn."""
    in_turn = results.coturn_ratio(BOTH, relay="memif")
    if in_turn:
        return in_turn
    ours = results.memif_median("turnpike", "received_per_second", 160, 10_000)
    theirs = median([lookup(run, BOTH) for run in results.coturn_runs("coturn")])
    return ours / theirs if ours and theirs else None


def veth_against_coturn(results):
    """Both ways together, or else the worse of them."""
    both = results.coturn_ratio(BOTH)
    return both or min((way for way in map(results.coturn_ratio, (TO_PEER, TO_CLIENT)) if way), default=None)


def latency_against_coturn(results):
    ways = [results.coturn_ratio(("paced", "media", way, "latency_us", "p99"), True) for way in ("to_peer", "to_client")]
    return min((way for way in ways if way), default=None)


def streams_against_coturn(transport, is_media):
    """The worst of its cases."""
    return lambda results: min(results.stream_ratios(transport, is_media), default=None)


def allocates_by_packets(results):
    return results.memif_median("turnpike", "allocated_per_second", 160, 10_000)


TARGETS = [
    *(
        Target(f"both ways mixed, in process, against macswap: {name} allocations", bound, "x", False, ratio("mixed", count))
        for name, count, bound in (("10k", 10_000, 2.8), ("1M", 1_000_000, 4.4), ("4M", 4_000_000, 5.0))
    ),
    Target("ChannelData to peer, 10k, against l3fwd by exact match", 1.2, "x", False,
           ratio("channel-to-peer", 10_000, "l3fwd_ratio")),
    Target("peer to ChannelData, the same", 1.0, "x", False, ratio("peer-to-channel", 10_000, "l3fwd_ratio")),
    *(
        Target(f"{what} against macswap: {name}", bound, "x", False, ratio(case, count))
        for what, case in (("Send to peer", "send-to-peer"), ("peer to Data", "peer-to-data"))
        for name, count, bound in (("10k", 10_000, 4.0), ("1M", 1_000_000, 6.0))
    ),
    Target("IPv6 both ways against macswap: 1M", 5.2, "x", False, ratio("mixed-v6", 1_000_000)),
    *(
        Target(f"over memif, packets/s, against testpmd's macswap: {payload + 46} bytes, {name}", bound, "x", True,
               memif_ratio(payload, count))
        for payload, name, count, bound in (
            (14, "10k", 10_000, 0.65), (160, "10k", 10_000, 0.72), (1200, "10k", 10_000, 0.82), (160, "1M", 1_000_000, 0.55))
    ),
    Target("over memif against coturn on veth, both ways mixed, one core each, packets/s delivered", 80, "x", True,
           memif_against_coturn),
    Target("AF_XDP on veth against coturn on the same, packets/s delivered", 4, "x", True, veth_against_coturn),
    Target("p99 latency there at half of coturn's peak: coturn's against ours", 4, "x", True, latency_against_coturn),
    *(
        Target(f"{name} against coturn, one core each, {what}", 1, "x", True, streams_against_coturn(transport, is_media))
        for transport, name, handshakes in (
            ("tcp", "TCP", "connections/s"), ("tls", "TLS", "handshakes/s"), ("dtls", "DTLS", "handshakes/s"))
        for is_media, what in ((True, "packets/s delivered, the worst of its cases"), (False, handshakes))
    ),
    Target("a Binding answer, with FINGERPRINT and software checksums", 160, "cycles", False, cycles("binding")),
    Target("a 401 answer, the same", 200, "cycles", False, cycles("unauthenticated")),
    *(
        Target(f"two workers, half of {what} on the wrong one, against none: {name}", 1.25, "x", False, handoff_ratio(case, count))
        for what, case in (("all packets", "mixed-all"), ("peers' packets, clients' on the right one,", "mixed"))
        for name, count in (("10k", 10_000), ("1M", 1_000_000))
    ),
    Target("lost at half of the peak rate while clients refresh and strangers ask", 0, "packets", False,
           lambda results: results.upkeep()["lost"] if results.upkeep() else None),
    Target("Allocate, through the control plane, in process", 250_000, "/s", True,
           lambda results: results.request("setup", "Allocate", "control_per_second")),
    Target("allocations with a channel, over memif", 60_000, "/s", True, allocates_by_packets),
    Target("memory of an IPv4 allocation with a permission and a channel, both planes", 512, "bytes", False,
           lambda results: results.bytes_an_allocation()),
    Target("allocations in one process's tables", 4_000_000, "", True, most_allocations_in_tables),
    Target("allocations set up by packets", 1_000_000, "", True, most_allocations_by_packets),
]
