#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# The lab: network namespaces with a router between a relay, a client and a peer, made for the tests and for quickstart.
#
#   lab.sh up NAME [--queues N] [--nat] [--load] [--twin | --twins]
#                                         make it; N queues on the relay's interface, --nat adds two hosts behind NATs,
#                                         --load the wire of a load generator; --twin leaves relay0 to the relay whole
#                                         and makes a TAP twin0 for the kernel; --twins leaves it relay1, too, the way
#                                         to NAME-peer and from there, and makes a TAP twin1 beside
#   lab.sh peers NAME                     another wire relay1 to NAME-peer and from there, in a lab that has none
#   lab.sh down NAME                      end every process in it and take it away
#   lab.sh sweep PREFIX                   take away the labs PREFIX<pid>... whose process <pid> is gone
#
#   NAME-client   198.51.100.2, .3  2001:db8:100::2 ──┐             ┌── NAME-relay  192.0.2.1  2001:db8:2::1
#                                                     ├── NAME-core ┤
#   NAME-a ── NAME-nata  198.51.100.130 ──────────────┤             └── NAME-peer  203.0.113.2, .3  2001:db8:203::2
#   NAME-b ── NAME-natb  198.51.100.194 ──────────────┤
#   NAME-load  100.64.0.1  2001:db8:64::1 ────────────┘
#
# Behind NAME-load's addresses, which its kernel knows nothing of, are 198.18.0.0/15 and 2001:2::/48.
#
# With --twins NAME-relay has 10.3.0.1 and 2001:db8:3::1 on twin1 besides, and what comes from NAME-peer for its other
# addresses goes there.
#
# The core routes: whatever crosses the lab goes through a gateway. Each NAT gives every flow a random port of its own: a
# symmetric NAT.
set -euo pipefail

die() {
    echo "lab.sh: $*" >&2
    exit 1
}

in_ns() {
    local ns=$1
    shift
    ip netns exec "$ns" "$@"
}

make_namespace() {
    ip netns add "$1"
    in_ns "$1" sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0 \
        net.ipv6.conf.default.accept_ra=0 net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0 \
        net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.default.arp_notify=1 net.ipv6.conf.default.ndisc_notify=1 \
        net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0
    ip -n "$1" link set lo up
}

# connect NS IFNAME ROUTER_NS ROUTER_IFNAME QUEUES: a link with as many queues, which computes its checksums: a packet
# that leaves a veth with offloads on carries a partial one, which only another kernel understands.
connect() {
    local ns=$1 ifname=$2 router=$3 router_ifname=$4 queues=$5
    ip -n "$ns" link add "$ifname" numrxqueues "$queues" numtxqueues "$queues" type veth \
        peer name "$router_ifname" numrxqueues "$queues" numtxqueues "$queues" netns "$router"
    in_ns "$ns" ethtool -K "$ifname" tx off gro off gso off >/dev/null
    in_ns "$router" ethtool -K "$router_ifname" tx off gro off gso off >/dev/null
    ip -n "$ns" link set "$ifname" up
    ip -n "$router" link set "$router_ifname" up
}

# make_twin NS NUMBER: relay<NUMBER> is a wire that the kernel sees and hears nothing of; a TAP stands in for it.
make_twin() {
    in_ns "$1" sysctl -qw "net.ipv6.conf.relay$2.disable_ipv6=1"
    in_ns "$1" nft -f - <<RULES
table netdev wire$2 {
    chain ingress {
        type filter hook ingress device "relay$2" priority 0; policy drop;
    }
}
RULES
    ip -n "$1" tuntap add dev "twin$2" mode tap
    ip -n "$1" link set "twin$2" up
}

# make_peer_wire NAME QUEUES: a second wire between relay and core, which whatever peers send to the relay takes.
make_peer_wire() {
    local name=$1
    connect "$name-relay" relay1 "$name-core" relay1 "$2"
    address "$name-core" relay1 10.3.0.254/24 2001:db8:3::fe/64
    ip -n "$name-core" route add 192.0.2.0/24 via 10.3.0.1 table 3
    ip -n "$name-core" route add 2001:db8:2::/64 via 2001:db8:3::1 table 3
    ip -n "$name-core" rule add iif peer lookup 3 priority 100
    ip -n "$name-core" -6 rule add iif peer lookup 3 priority 100
}

# make_peer_side NAME QUEUES: that wire and its twin, by which the relay's host sends to peers.
make_peer_side() {
    local name=$1
    make_peer_wire "$name" "$2"
    make_twin "$name-relay" 1
    address "$name-relay" twin1 10.3.0.1/24 2001:db8:3::1/64
    ip -n "$name-relay" route add 203.0.113.0/24 via 10.3.0.254
    ip -n "$name-relay" route add 2001:db8:203::/64 via 2001:db8:3::fe
}

# address NS IFNAME ADDRESS/LEN...
address() {
    local ns=$1 ifname=$2 cidr
    shift 2
    for cidr in "$@"; do
        ip -n "$ns" address add "$cidr" dev "$ifname"
    done
}

make_nat() {
    local name=$1 letter=$2 inner=$3 outer=$4 gateway=$5 length=$6 queues=$7
    make_namespace "$name-nat$letter"
    make_namespace "$name-$letter"
    connect "$name-nat$letter" out0 "$name-core" "nat$letter" "$queues"
    connect "$name-$letter" eth0 "$name-nat$letter" in0 "$queues"
    address "$name-core" "nat$letter" "$gateway/$length"
    address "$name-nat$letter" out0 "$outer/$length"
    address "$name-nat$letter" in0 "$inner.254/24"
    address "$name-$letter" eth0 "$inner.2/24"
    in_ns "$name-nat$letter" sysctl -qw net.ipv4.ip_forward=1
    ip -n "$name-nat$letter" route add default via "$gateway"
    ip -n "$name-$letter" route add default via "$inner.254"
    # Nothing may come in but what answers a flow, and the NATs' insides are unknown to the router.
    in_ns "$name-nat$letter" nft -f - <<RULES
table ip nat {
    chain postrouting {
        type nat hook postrouting priority srcnat
        oifname "out0" masquerade fully-random
    }
}
table ip filter {
    chain forward {
        type filter hook forward priority filter; policy drop
        iifname "in0" accept
        ct state established,related accept
    }
}
RULES
}

make_load() {
    local name=$1 queues=$2
    make_namespace "$name-load"
    connect "$name-load" eth0 "$name-core" load "$queues"
    in_ns "$name-load" sysctl -qw net.ipv6.conf.eth0.disable_ipv6=1
    address "$name-core" load 100.64.0.254/24 2001:db8:64::fe/64
    ip -n "$name-core" route add 198.18.0.0/15 via 100.64.0.1
    ip -n "$name-core" route add 2001:2::/48 via 2001:db8:64::1
}

up() {
    local name=$1 queues=1 nat=false load=false interface=relay0 twins=false
    shift
    while [ $# -gt 0 ]; do
        case $1 in
        --queues) queues=$2 && shift 2 ;;
        --nat) nat=true && shift ;;
        --load) load=true && shift ;;
        --twin) interface=twin0 && shift ;;
        --twins) interface=twin0 twins=true && shift ;;
        *) die "unknown option $1" ;;
        esac
    done
    down "$name"
    local role
    for role in core relay client peer; do
        make_namespace "$name-$role"
    done
    in_ns "$name-core" sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1

    connect "$name-relay" relay0 "$name-core" relay "$queues"
    # The kernel spreads flows over the queues where they start, and its router keeps them apart: what came by queue n + 1
    # leaves by queue n, what came by queue 0 by any.
    connect "$name-client" eth0 "$name-core" client $((queues + 1))
    connect "$name-peer" eth0 "$name-core" peer $((queues + 1))
    address "$name-core" relay 192.0.2.254/24 2001:db8:2::fe/64
    address "$name-core" client 198.51.100.126/25 2001:db8:100::fe/64
    address "$name-core" peer 203.0.113.254/24 2001:db8:203::fe/64
    [ $interface = relay0 ] || make_twin "$name-relay" 0
    address "$name-relay" $interface 192.0.2.1/24 2001:db8:2::1/64
    address "$name-client" eth0 198.51.100.2/25 198.51.100.3/25 2001:db8:100::2/64
    address "$name-peer" eth0 203.0.113.2/24 203.0.113.3/24 2001:db8:203::2/64
    ip -n "$name-relay" route add default via 192.0.2.254
    ip -n "$name-relay" route add default via 2001:db8:2::fe
    ip -n "$name-client" route add default via 198.51.100.126
    ip -n "$name-client" route add default via 2001:db8:100::fe
    ip -n "$name-peer" route add default via 203.0.113.254
    ip -n "$name-peer" route add default via 2001:db8:203::fe

    if $twins; then
        make_peer_side "$name" "$queues"
    fi
    if $nat; then
        make_nat "$name" a 10.1.0 198.51.100.130 198.51.100.190 26 $((queues + 1))
        make_nat "$name" b 10.2.0 198.51.100.194 198.51.100.254 26 $((queues + 1))
    fi
    if $load; then
        make_load "$name" $((queues + 1))
    fi
}

namespaces_of() {
    ip netns list | awk -v prefix="$1-" 'index($1, prefix) == 1 {print $1}'
}

down() {
    local ns pids deadline
    for ns in $(namespaces_of "$1"); do
        pids=$(ip netns pids "$ns" 2>/dev/null) || continue
        # shellcheck disable=SC2086 # one word a process
        [ -z "$pids" ] || kill $pids 2>/dev/null || true
    done
    deadline=$((SECONDS + 5))
    for ns in $(namespaces_of "$1"); do
        while pids=$(ip netns pids "$ns" 2>/dev/null) && [ -n "$pids" ]; do
            if [ $SECONDS -ge $deadline ]; then
                # shellcheck disable=SC2086
                kill -KILL $pids 2>/dev/null || true
            fi
            sleep 0.05
        done
        ip netns delete "$ns" 2>/dev/null || true # another sweep may have been faster
    done
}

sweep() {
    local lab pid
    for lab in $(ip netns list | awk -v prefix="$1" 'index($1, prefix) == 1 {sub("-[a-z]+$", "", $1); print $1}' | sort -u); do
        pid=${lab#"$1"}
        [ -d "/proc/${pid%%[!0-9]*}" ] || down "$lab"
    done
}

[ $# -ge 2 ] || die "usage: lab.sh up|peers|down|sweep NAME [--queues N] [--nat] [--load] [--twin | --twins]"
[ "$(id -u)" -eq 0 ] || die "network namespaces need root"
verb=$1
shift
case $verb in
up | down | sweep) "$verb" "$@" ;;
peers) make_peer_wire "$1" 1 ;;
*) die "unknown command $verb" ;;
esac
