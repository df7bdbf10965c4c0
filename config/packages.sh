# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# The Debian 12 packages that turnpike needs, in one place: sourced by quickstart.sh and tests/run.sh.

# shellcheck disable=SC2034 # used by those who source this file
BUILD_PACKAGES=(gcc libc6-dev meson ninja-build pkg-config clang libdpdk-dev libssl-dev libunistring-dev
    libconfig-dev libevent-dev libmnl-dev libbpf-dev libxdp-dev libsystemd-dev libjansson-dev
    libncurses-dev)
# shellcheck disable=SC2034
LAB_PACKAGES=(iproute2 ethtool procps coturn)
# shellcheck disable=SC2034
UNIT_PACKAGES=(libcmocka-dev python3 git iproute2)
# shellcheck disable=SC2034
LINT_PACKAGES=(shellcheck clang-format mandoc pyflakes3)
# shellcheck disable=SC2034
INTEGRATION_PACKAGES=(nftables dpdk iputils-ping openssl python3-pytest python3-pytest-xdist python3-scapy python3-aioice
    python3-aiortc testssl.sh python3-prometheus-client prometheus fail2ban systemd tmux)
# A kernel for it comes without being installed: tests/guest/kernel.sh.
# shellcheck disable=SC2034
GUEST_PACKAGES=(qemu-system-x86 busybox-static cpio)
# shellcheck disable=SC2034
BROWSER_PACKAGES=(chromium libnss3-tools nodejs npm)

# At least: 3.0.19 keeps 131 kB for a ClientHello that says it is so long and never comes; this one grows as it comes.
OPENSSL_VERSION=3.0.22

has_version() {
    local version
    [ "$1" = libssl-dev ] || return 0
    version=$(dpkg-query -W -f '${Version}' "$1") && dpkg --compare-versions "$version" ge "$OPENSSL_VERSION"
}

is_installed() {
    case $1 in
    # Node.js often comes from elsewhere, and then the distribution's package cannot be installed beside it.
    nodejs) command -v node >/dev/null && return ;;
    npm) command -v npm >/dev/null && return ;;
    esac
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ] && has_version "$1"
}

# missing_packages PACKAGE...: those that are not there, one a line.
missing_packages() {
    local package
    for package in "$@"; do
        is_installed "$package" || echo "$package"
    done
}

# Packages that would start a service of the same name: what tests need of them is a program.
SERVICES=(coturn prometheus fail2ban)

# install_packages PACKAGE...: what is missing of these. A service that comes along is neither started now nor with the
# machine.
install_packages() {
    local missing service held=()
    mapfile -t missing < <(missing_packages "$@")
    [ ${#missing[@]} -gt 0 ] || return 0
    for service in "${SERVICES[@]}"; do
        if [[ " ${missing[*]} " = *" $service "* ]] && [ -d /run/systemd/system ]; then
            held+=("$service.service")
        fi
    done
    [ ${#held[@]} -eq 0 ] || systemctl mask --runtime --quiet "${held[@]}" 2>/dev/null || true
    local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -q -y)
    local install=("${apt[@]}" --no-install-recommends install "${missing[@]}")
    local result=0
    "${install[@]}" </dev/null && has_version libssl-dev ||
        { "${apt[@]}" update </dev/null && "${install[@]}" </dev/null; } || result=$?
    if [ ${#held[@]} -gt 0 ]; then
        systemctl disable --quiet "${held[@]}" 2>/dev/null || true
        systemctl unmask --runtime --quiet "${held[@]}" 2>/dev/null || true
    fi
    return "$result"
}
