#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# systemd as the first process of namespaces of its own, for tests of the service; nothing of the host's starts there.
#
#   manager.sh NETNS ROOT PREFIX      run it on that host of the lab, with what is installed below ROOT at PREFIX, and
#                                     ROOT/etc/turnpike.conf in /etc. Killed, it takes all along
#   manager.sh sweep NETNS            afterwards
set -euo pipefail

# Of control groups: those that systemd asks for.
hierarchies() {
    local path
    for path in /sys/fs/cgroup/systemd /sys/fs/cgroup/unified /sys/fs/cgroup; do
        if [ -f "$path/cgroup.procs" ]; then
            echo "$path"
        fi
    done
}

sweep() {
    local path
    for path in $(hierarchies); do
        find "$path/$1" -depth -type d -exec rmdir {} + 2>/dev/null || true
    done
}

enter() {
    local netns=$1 path
    for path in $(hierarchies); do
        mkdir "$path/$netns"
        echo $$ >"$path/$netns/cgroup.procs"
    done
    exec nsenter --net="/run/netns/$netns" unshare --pid --fork --mount --cgroup --ipc --uts --kill-child \
        "$0" inside "${@:2}"
}

# What is below / can only be read, but what is mounted here; and there are no units but those made here. The host's own
# would empty /tmp.
inside() {
    local root=$1 prefix=$2 unit
    mount --make-rprivate /
    mount -t proc proc /proc
    mount -t tmpfs -o mode=755 tmpfs /run
    mkdir -p /run/lab/{cgroup,etc,upper,work} /run/lock /run/systemd/system
    mount --rbind /sys/fs/cgroup /run/lab/cgroup
    mount -t sysfs sysfs /sys # of this network
    mount --rbind /run/lab/cgroup /sys/fs/cgroup
    mount --bind "$root$prefix" "$prefix"
    mount -t overlay -o lowerdir=/etc,upperdir=/run/lab/upper,workdir=/run/lab/work overlay /etc
    systemd-sysusers "$prefix/lib/sysusers.d/turnpike.conf"
    mount --bind "$root/etc" /run/lab/etc # for the test to change
    chgrp -R turnpike /run/lab/etc
    chmod -R u=rwX,g=rX,o= /run/lab/etc
    ln -sf /run/lab/etc/turnpike.conf /etc/turnpike.conf
    mount -t tmpfs -o mode=1777 tmpfs /tmp
    mount -t tmpfs -o mode=1777 tmpfs /var/tmp
    mount -t tmpfs -o mode=755 tmpfs /var/log
    mount -o remount,bind,ro /
    cp "$prefix/lib/systemd/system/turnpike.service" /run/systemd/system
    for unit in lab sysinit basic network-online shutdown; do
        printf '[Unit]\nDefaultDependencies=no\n' >"/run/systemd/system/$unit.target"
    done
    export container=lab SYSTEMD_UNIT_PATH=/run/systemd/system
    exec /lib/systemd/systemd --system --unit=lab.target --log-target=console --show-status=no
}

case $1 in
inside) inside "${@:2}" ;;
sweep) sweep "$2" ;;
*) enter "$@" ;;
esac
