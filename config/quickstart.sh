#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# From a fresh clone to a relay that carries traffic, in one command: sudo config/quickstart.sh [--check]
#
# Installs what is missing, builds, makes a lab of network namespaces, runs turnpike in it on AF_XDP, sends a real client's
# traffic through it, then stays up with a live view until Ctrl-C. Nothing stays behind but the packages and the build
# directory. --check does the same without staying up; its exit code says whether all went well.
set -euo pipefail

LAB=turnpike-quickstart
BUILD=build-quickstart
LOCK=/run/turnpike-quickstart.lock
RELAY=192.0.2.1 PORT=3478 CLIENT=198.51.100.2 PEER=203.0.113.2
USER_NAME=alice PASSWORD=wonderland
CLIENTS=20 MESSAGES=300 INTERVAL_MS=10 LENGTH=1000

stay=true
case ${1:-} in
--check) stay=false ;;
"") ;;
-h | --help) sed -n '3,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0" && exit 0 ;;
*) echo "quickstart.sh: unknown option $1; see --help" >&2 && exit 2 ;;
esac

cd "$(dirname "$0")/.."
# shellcheck source=config/packages.sh
. config/packages.sh

bold='' dim='' green='' red='' plain=''
if [ -t 1 ]; then
    bold=$'\e[1m' dim=$'\e[2m' green=$'\e[32m' red=$'\e[31m' plain=$'\e[0m'
fi

# A line with what is being done, which is replaced by how it went.
begin() { [ ! -t 1 ] || printf '  %-9s %s%s%s' "$1" "$dim" "$2" "$plain"; }
clear_line() { [ ! -t 1 ] || printf '\r\e[K'; }
done_with() { clear_line && printf '  %s%-9s%s %s\n' "$green" "$1" "$plain" "$2"; }
fail() {
    clear_line
    printf '  %s%-9s%s %s\n' "$red" "$1" "$plain" "$2"
    [ -z "${3:-}" ] || tail -n 25 "$3"
    exit 1
} >&2

in_lab() {
    local role=$1
    shift
    ip netns exec "$LAB-$role" "$@"
}

relay_pid=''
view_pid=''
work=''

clean_up() {
    trap '' INT TERM HUP
    [ -z "$view_pid" ] || kill "$view_pid" 2>/dev/null || true
    if [ -n "$relay_pid" ] && kill -TERM "$relay_pid" 2>/dev/null; then
        wait "$relay_pid" || true
        ! $stay || sed -n '/^in [0-9.]* s:$/,$p' "$work/stats"
    fi
    tests/integration/lab.sh down "$LAB" 2>/dev/null || true
    [ -z "$work" ] || rm -rf "$work"
}

install_missing() {
    local missing
    mapfile -t missing < <(missing_packages "${BUILD_PACKAGES[@]}" "${LAB_PACKAGES[@]}")
    if [ ${#missing[@]} -gt 0 ]; then
        begin packages "installing ${#missing[@]} packages"
        install_packages "${missing[@]}" >"$work/packages.log" 2>&1 || fail packages "could not install" "$work/packages.log"
        done_with packages "installed ${missing[*]}"
    else
        done_with packages "all there"
    fi
}

build() {
    local started=$SECONDS
    begin build "configuring"
    if [ ! -f "$BUILD/build.ninja" ]; then
        meson setup "$BUILD" --buildtype=release -Dtests=false >"$work/build.log" 2>&1 ||
            fail build "could not configure" "$work/build.log"
    fi
    ninja -C "$BUILD" 2>&1 | tee "$work/build.log" | while read -r line; do
        [[ ! $line =~ ^\[[0-9]+/[0-9]+\] ]] || { clear_line && begin build "${BASH_REMATCH[0]}"; }
    done || fail build "could not build" "$work/build.log"
    [ -z "${SUDO_UID:-}" ] || chown -R "$SUDO_UID:${SUDO_GID:-0}" "$BUILD"
    done_with build "$BUILD/turnpike ($((SECONDS - started)) s)"
}

make_lab() {
    begin network "making namespaces"
    tests/integration/lab.sh up "$LAB" >"$work/lab.log" 2>&1 || fail network "could not make the lab" "$work/lab.log"
    done_with network "client $CLIENT, relay $RELAY, peer $PEER, a router between them"
}

start_relay() {
    local deadline=$((SECONDS + 20))
    begin relay "starting"
    # In a session of its own: Ctrl-C is for this script, which then stops the relay.
    ip netns exec "$LAB-relay" setsid "$BUILD/turnpike" --stats -c config/quickstart.conf >"$work/stats" 2>"$work/relay.log" 9>&- &
    relay_pid=$!
    until in_lab client timeout 1 turnutils_stunclient -p "$PORT" "$RELAY" 2>/dev/null | grep -q "reflexive addr"; do
        kill -0 "$relay_pid" 2>/dev/null || { relay_pid='' && fail relay "turnpike ended" "$work/relay.log"; }
        [ $SECONDS -lt $deadline ] || fail relay "turnpike does not answer" "$work/relay.log"
        sleep 0.1
    done
    done_with relay "turnpike on AF_XDP, interface relay0"
}

# show_traffic: clients send through the relay to a peer, which sends everything back.
show_traffic() {
    local sent received peak
    begin traffic "$CLIENTS clients send $MESSAGES messages each"
    in_lab peer turnutils_peer -L "$PEER" >/dev/null 2>&1 9>&- &
    in_lab client timeout 60 stdbuf -oL turnutils_uclient -u "$USER_NAME" -w "$PASSWORD" -L "$CLIENT" -e "$PEER" -c \
        -m "$CLIENTS" -n "$MESSAGES" -z "$INTERVAL_MS" -l "$LENGTH" "$RELAY" >"$work/traffic.log" 2>&1 || true
    # Its lines, one a second, have the totals so far: the peak is the largest step.
    read -r sent received peak < <(awk -F'tot_send_msgs=|, tot_recv_msgs=|, tot_send_bytes' '/tot_send_msgs/ {
        sent = $2 + 0; received = $3 + 0; if (received - last > peak) peak = received - last; last = received
    } END { print sent + 0, received + 0, peak + 0 }' "$work/traffic.log")
    if [ "$sent" -lt $((CLIENTS * MESSAGES)) ] || [ "$received" -ne "$sent" ]; then
        fail traffic "$received of $sent messages came back, $((CLIENTS * MESSAGES)) were meant to" "$work/traffic.log"
    fi
    done_with traffic "$CLIENTS clients → relay → peer and back: $sent messages sent, $((sent - received)) lost"
    printf '            up to %d messages/s and %d kB/s each way, on channels\n' "$peak" $((peak * LENGTH / 1000))
}

stop_relay() {
    local code=0
    kill -TERM "$relay_pid"
    wait "$relay_pid" || code=$?
    relay_pid=''
    [ "$code" -eq 0 ] || fail relay "turnpike ended with $code" "$work/relay.log"
    done_with relay "stopped cleanly"
}

stay_up() {
    cat <<HELP

  ${bold}turn:$RELAY:$PORT${plain}   user ${bold}$USER_NAME${plain}   password ${bold}$PASSWORD${plain}

  Try it from another terminal:
    sudo ip netns exec $LAB-client turnutils_uclient -u $USER_NAME -w $PASSWORD -e $PEER -n 1000 $RELAY
    sudo ip netns exec $LAB-client turnutils_stunclient $RELAY

  Ctrl-C ends it and takes everything away.

HELP
    trap 'exit 0' INT
    grep -m 1 allocs "$work/stats" || true
    tail -n 0 -f --pid "$relay_pid" "$work/stats" 9>&- &
    view_pid=$!
    wait "$relay_pid" || fail relay "turnpike ended by itself" "$work/relay.log"
}

[ "$(id -u)" -eq 0 ] || { echo "quickstart.sh: network namespaces need root: sudo config/quickstart.sh" >&2; exit 1; }
exec 9>"$LOCK"
if ! flock -n 9; then
    echo "quickstart.sh: it is running already, in another terminal; end that one with Ctrl-C first" >&2
    exit 1
fi
work=$(mktemp -d)
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

printf '\n%sturnpike%s in a lab of network namespaces\n\n' "$bold" "$plain"
install_missing
build
make_lab
start_relay
show_traffic
if $stay; then
    stay_up
else
    stop_relay
fi
