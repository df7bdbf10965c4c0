#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# kernel.sh DIRECTORY: puts Debian's kernel for virtual machines, with its modules, into DIRECTORY. It is not installed: the
# machine goes on booting what it boots.
set -euo pipefail

directory=${1:?usage: kernel.sh DIRECTORY}
package=linux-image-cloud-amd64

# The package that this one stands for; none while apt knows no packages at all.
newest() {
    apt-cache depends "$package" 2>/dev/null | sed -n 's/.*Depends: \(linux-image-[0-9].*\)/\1/p'
}

[ ! -e "$directory/vmlinuz" ] || exit 0
rm -rf "$directory"
mkdir -p "$directory/package"
cd "$directory"
image=$(newest)
if [ -z "$image" ] || ! apt-get -q download "$image"; then
    apt-get -q update
    image=$(newest)
    apt-get -q download "$image"
fi
dpkg -x "$image"_*.deb package
rm -f "$image"_*.deb
mv package/lib/modules/*/kernel modules
mv package/boot/vmlinuz-* vmlinuz
rm -rf package
