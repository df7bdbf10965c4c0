# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# The Debian 12 packages that turnpike needs, in one place: sourced by quickstart.sh and tests/run.sh.

# shellcheck disable=SC2034 # used by those who source this file
BUILD_PACKAGES=(gcc libc6-dev meson ninja-build pkg-config clang libdpdk-dev libssl-dev libunistring-dev
    libconfig-dev libevent-dev libmnl-dev libbpf-dev libxdp-dev libsystemd-dev)
# shellcheck disable=SC2034
LAB_PACKAGES=(iproute2 ethtool procps coturn)
# shellcheck disable=SC2034
UNIT_PACKAGES=(libcmocka-dev python3 git iproute2)
# shellcheck disable=SC2034
LINT_PACKAGES=(shellcheck clang-format mandoc)
# shellcheck disable=SC2034
INTEGRATION_PACKAGES=(nftables iputils-ping openssl python3-pytest python3-pytest-xdist python3-scapy python3-aioice
    python3-aiortc testssl.sh)
# shellcheck disable=SC2034
BROWSER_PACKAGES=(chromium libnss3-tools nodejs npm)

is_installed() {
    case $1 in
    # Node.js often comes from elsewhere, and then the distribution's package cannot be installed beside it.
    nodejs) command -v node >/dev/null && return ;;
    npm) command -v npm >/dev/null && return ;;
    esac
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# missing_packages PACKAGE...: those that are not there, one a line.
missing_packages() {
    local package
    for package in "$@"; do
        is_installed "$package" || echo "$package"
    done
}

# install_packages PACKAGE...: what is missing of these. A TURN server that comes along (coturn, for its client) is neither
# started now nor with the machine.
install_packages() {
    local missing hold_coturn=false
    mapfile -t missing < <(missing_packages "$@")
    [ ${#missing[@]} -gt 0 ] || return 0
    if [[ " ${missing[*]} " = *" coturn "* ]] && [ -d /run/systemd/system ]; then
        hold_coturn=true
        systemctl mask --runtime --quiet coturn.service 2>/dev/null || true
    fi
    local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -q -y)
    local install=("${apt[@]}" --no-install-recommends install "${missing[@]}")
    local result=0
    "${install[@]}" </dev/null || { "${apt[@]}" update </dev/null && "${install[@]}" </dev/null; } || result=$?
    if $hold_coturn; then
        systemctl disable --quiet coturn.service 2>/dev/null || true
        systemctl unmask --runtime --quiet coturn.service 2>/dev/null || true
    fi
    return "$result"
}
