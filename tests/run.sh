#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Every test of turnpike, with what it needs installed and built first. See --help.
set -uo pipefail

usage() {
    cat <<HELP
usage: tests/run.sh [SUITE...]

Installs what is missing (Debian 12), builds, and runs these suites, or those that are named:

  build        gcc, warnings are errors; the packet path also for the oldest CPU (x86-64-v2)
  unit         unit tests
  fuzz         the fuzz targets over their corpora
  lint         layers, licenses, scripts, formatting
  clang        the same build and unit tests with clang
  sanitize     unit tests and fuzz corpora with AddressSanitizer and UBSan
  valgrind     unit tests of the pure layers under valgrind
  integration  the relay in network namespaces, against other people's clients, also
               with one device of its own, and with two                              (root)
  hardened     the integration tests against the sanitized relay, also two workers   (root)
  guest        the relay in a virtual machine, with cards bound to vfio-pci          (root)
  browser      calls between two Chromiums behind NATs, also with devices of its own   (root)

Ends with a line "N passed, N failed". With CI=true a skipped test counts as failed.
Logs are in build-test/logs.
HELP
}

ALL=(build unit fuzz lint clang sanitize valgrind integration hardened guest browser)
cd "$(dirname "$0")/.." || exit 1
# shellcheck source=config/packages.sh
. config/packages.sh

suites=()
for argument in "$@"; do
    case $argument in
    -h | --help) usage && exit 0 ;;
    *)
        [[ " ${ALL[*]} " = *" $argument "* ]] || { echo "tests/run.sh: no suite '$argument'; see --help" >&2; exit 2; }
        suites+=("$argument")
        ;;
    esac
done
[ ${#suites[@]} -gt 0 ] || suites=("${ALL[@]}")

BUILD=build-test
LOGS=$PWD/$BUILD/logs
PYTHON=/usr/bin/python3 # Debian's, which sees Debian's modules
passed=0 failed=0 skipped=0

wants() {
    local suite
    for suite in "$@"; do
        [[ " ${suites[*]} " = *" $suite "* ]] && return
    done
    return 1
}

# give_up SUITE...: these cannot run, what they need did not build.
give_up() {
    local suite left=()
    for suite in "${suites[@]}"; do
        [[ " $* " = *" $suite "* ]] || left+=("$suite")
    done
    suites=("${left[@]}")
}

# record NAME PASSED FAILED SKIPPED SECONDS
record() {
    passed=$((passed + $2)) failed=$((failed + $3)) skipped=$((skipped + $4))
    local line
    line=$(printf '%-12s %5d passed %5d failed' "$1" "$2" "$3")
    [ "$4" -eq 0 ] || line+=$(printf ' %5d skipped' "$4")
    printf '%s   (%d s)\n' "$line" "$5"
}

# step NAME COMMAND...: one thing that works or does not.
step() {
    local name=$1 started=$SECONDS log=$LOGS/$1.log
    shift
    if "$@" >"$log" 2>&1 </dev/null; then
        record "$name" 1 0 0 $((SECONDS - started))
    else
        record "$name" 0 1 0 $((SECONDS - started))
        tail -40 "$log"
        return 1
    fi
}

# tally NAME STARTED RESULTS LOG: count what a test runner wrote; a runner that wrote nothing has failed.
tally() {
    local name=$1 started=$2 results=$3 log=$4 report ok bad unused
    if ! report=$("$PYTHON" tests/results.py "$results" 2>/dev/null); then
        record "$name" 0 1 0 $((SECONDS - started))
        tail -40 "$log"
        return
    fi
    read -r ok bad unused <<<"$report"
    record "$name" "$ok" "$bad" "$unused" $((SECONDS - started))
    tail -n +2 <<<"$report"
    [ "$bad" -eq 0 ] || tail -60 "$log"
}

# configure DIRECTORY OPTION...: anew, or as it was.
configure() {
    local directory=$1
    shift
    if [ -f "$directory/build.ninja" ]; then
        meson configure "$directory" -Dwerror=true
    else
        meson setup "$directory" --buildtype=debugoptimized -Dwerror=true "$@"
    fi
}

build() {
    configure "$@" && ninja -C "$1"
}

# build_target DIRECTORY TARGET OPTION...
build_target() {
    local directory=$1 target=$2
    shift 2
    configure "$directory" "$@" && ninja -C "$directory" "$target"
}

# meson_suite NAME DIRECTORY ARGUMENT...
meson_suite() {
    local name=$1 directory=$2 started=$SECONDS log=$LOGS/$1.log
    shift 2
    rm -f "$directory"/meson-logs/testlog*.json
    meson test -C "$directory" --no-rebuild --print-errorlogs "$@" >"$log" 2>&1 </dev/null
    tally "$name" "$started" "$directory"/meson-logs/testlog*.json "$log"
}

# pytest_suite NAME RELAY ARGUMENT...
pytest_suite() {
    local name=$1 relay=$2 started=$SECONDS log=$LOGS/$1.log results=$LOGS/$1.xml
    shift 2
    rm -f "$results"
    TURNPIKE=$relay PYTHONDONTWRITEBYTECODE=1 "$PYTHON" -m pytest -p no:cacheprovider -q --junitxml="$results" \
        --basetemp="$LOGS/$name.tmp" "$@" >"$log" 2>&1 </dev/null
    tally "$name" "$started" "$results" "$log"
}

# What clients and peers see of the relay, whosever its interface is: what is the basis of all, and two halves that take turns,
# one with a worker and the other with two.
FILES_BOTH=(requests allocations relaying malformed peer_policy ice host)
FILES_A=(uclient headers reload impaired)
FILES_B=(churn quotas workers streams tls dtls tcp_relay proxy drain)
# With one worker, which its ranges of ports are for.
FILES_ALONE=(settings)
# Of one worker with one device, of two with two.
FILES_C=(lifecycle path_mtu)

# functional MODE WORKERS FILE...: the integration tests in another mode. Files that have relays of several shapes themselves
# have but one of them here: it takes minutes, and where bytes of a connection go is the same.
functional() {
    local mode=$1 workers=$2
    shift 2
    local files=("${@/%/.py}")
    TURNPIKE_MODE=$mode TURNPIKE_WORKERS=$workers pytest_suite "$mode-$workers" "$PWD/$BUILD/turnpike" -n 3 --dist loadfile \
        -k 'not 1_workers_0_threads' "${files[@]/#/tests/integration/test_}"
}

# Over UDP, TCP and TLS; that there is none without a password, or without UDP, is the same in every mode.
CALLS='relay-relay or (gets_through and not 443)'

packages=("${BUILD_PACKAGES[@]}" "${UNIT_PACKAGES[@]}")
wants lint && packages+=("${LINT_PACKAGES[@]}")
wants valgrind && packages+=(valgrind)
wants integration hardened guest browser && packages+=("${LAB_PACKAGES[@]}" "${INTEGRATION_PACKAGES[@]}")
wants guest && packages+=("${GUEST_PACKAGES[@]}")
wants browser && packages+=("${BROWSER_PACKAGES[@]}")
mapfile -t missing < <(missing_packages "${packages[@]}")
if [ ${#missing[@]} -gt 0 ]; then
    [ "$(id -u)" -eq 0 ] || { echo "tests/run.sh: needs root to install: ${missing[*]}" >&2; exit 1; }
    echo "installing ${missing[*]}"
    install_packages "${missing[@]}" >/tmp/turnpike-packages.$$ 2>&1 || { tail -20 /tmp/turnpike-packages.$$; exit 1; }
    rm -f /tmp/turnpike-packages.$$
fi
if wants integration hardened guest browser && [ "$(id -u)" -ne 0 ]; then
    echo "tests/run.sh: network namespaces need root: sudo tests/run.sh" >&2
    exit 1
fi
mkdir -p "$LOGS"

if wants build unit fuzz lint valgrind integration guest browser; then
    step build build "$BUILD" || give_up unit fuzz lint valgrind integration guest browser
fi
if wants build && [ "$(uname -m)" = x86_64 ]; then
    step x86-64-v2 build_target build-v2 src/dataplane/libdataplane.a -Dtests=false -Dc_args=-march=x86-64-v2
fi
wants unit && meson_suite unit "$BUILD" --suite unit
wants fuzz && meson_suite fuzz "$BUILD" --suite fuzz
wants lint && meson_suite lint "$BUILD" --suite lint
if wants clang; then
    CC=clang step clang-build build build-clang && meson_suite clang build-clang --suite unit
fi
if wants sanitize hardened; then
    step asan-build build build-asan -Db_sanitize=address,undefined -Db_lundef=false || give_up sanitize hardened
fi
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 ASAN_OPTIONS=detect_leaks=1
export LSAN_OPTIONS=suppressions=$PWD/tests/leaks.txt:print_suppressions=0
wants sanitize && meson_suite sanitize build-asan --suite unit --suite fuzz
if wants valgrind; then
    # The pure layers: DPDK's start is not for valgrind, nor is a million cycles in a program that executes itself anew.
    mapfile -t pure < <(meson test -C "$BUILD" --list --suite unit 2>/dev/null | grep -oE '(base|proto|turn)/[a-z0-9_]+$' |
        grep -vx turn/churn)
    meson_suite valgrind "$BUILD" --suite unit --timeout-multiplier 20 \
        --wrap='valgrind --error-exitcode=99 --leak-check=full --quiet' "${pure[@]}"
fi
if wants integration; then
    pytest_suite integration "$PWD/$BUILD/turnpike" -n 3 --dist loadfile tests/integration
    functional owned 1 "${FILES_BOTH[@]}" "${FILES_A[@]}" "${FILES_C[@]}" "${FILES_ALONE[@]}"
    functional owned 2 "${FILES_BOTH[@]}" "${FILES_B[@]}"
    functional two-ports 1 "${FILES_B[@]}" "${FILES_ALONE[@]}"
    functional two-ports 2 "${FILES_BOTH[@]}" "${FILES_A[@]}" "${FILES_C[@]}"
fi
if wants hardened; then
    pytest_suite hardened "$PWD/build-asan/turnpike" -n 2 --dist loadfile \
        tests/integration/test_{settings,headers,peer_policy,lifecycle,workers,reload}.py
    pytest_suite hardened-run "$PWD/build-asan/turnpike" -n 2 --dist loadfile \
        tests/integration/test_{telemetry,control_socket,logs,quotas,drain,metrics_access}.py
    # coturn's client takes minutes, and says nothing here that ours do not.
    pytest_suite hardened-tls "$PWD/build-asan/turnpike" -n 2 --dist loadfile -k 'not returns_every_message' \
        tests/integration/test_{streams,proxy,tls,tls_wire,certificates,hello_flood,idle_clients}.py
    TURNPIKE_WORKERS=2 pytest_suite hardened-2 "$PWD/build-asan/turnpike" -n 2 --dist loadfile \
        tests/integration/test_{requests,allocations,relaying,malformed,host,ice}.py
fi
if wants guest; then
    if [ "$(uname -m)" != x86_64 ]; then
        record guest 0 0 1 0
        echo "guest: its machine is emulated for x86-64, which the relay is not built for here"
    elif step guest-kernel tests/guest/kernel.sh "$BUILD/guest"; then
        pytest_suite guest "$PWD/$BUILD/turnpike" tests/guest
    fi
fi
if wants browser; then
    if step browser-packages npm ci --prefix tests/browser --ignore-scripts; then
        pytest_suite browser "$PWD/$BUILD/turnpike" tests/browser
        for mode in owned two-ports; do
            TURNPIKE_MODE=$mode pytest_suite "browser-$mode" "$PWD/$BUILD/turnpike" -k "$CALLS" tests/browser
        done
    fi
fi

[ "${CI:-}" != true ] || { failed=$((failed + skipped)) && [ "$skipped" -eq 0 ] || echo "CI: a skipped test is a failed one"; }
line="$passed passed, $failed failed"
[ "$skipped" -eq 0 ] || line+=", $skipped skipped"
echo "$line"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
