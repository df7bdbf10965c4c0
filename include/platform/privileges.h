// SPDX-License-Identifier: BSD-3-Clause
// The privileges that AF_XDP, the kernel's twin and its neighbour table ask for, looked at before
// anything is touched, and given up when they have served.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Say every one that is missing and what to do about it. owns_device: the relay does not share the
// kernel's interface, so it needs none for AF_XDP. 0 or -EPERM.
int privileges_check(bool owns_device);

// At the beginning, in the only thread there is: from here on nothing gives the process more than it has
// (no_new_privs), and files are those that its user and groups may have, so that what a start can read a reload can
// read, too. 0 or -errno, logged.
int privileges_limit(void);

// When all is there: every other thread gives up all capabilities, those of DPDK as well, and this one all but
// CAP_NET_ADMIN, which next hops, reserved ports and the end of a device take. Threads made later have no more than
// those that make them. 0 or -errno, logged.
int privileges_drop(void);

// The kernel loads the module for kTLS only for who has CAP_NET_ADMIN, as threads of TLS soon have not. Without the
// module they do without.
void privileges_load_ktls(void);

// Raise the limit of locked memory, which packet buffers count against without CAP_IPC_LOCK. 0;
// -EPERM, logged.
int privileges_lock_memory(size_t bytes);

// Raise the limit of open files, as far as it may be, for so many connections beside what the relay
// itself has open. Where it stays lower, a warning says so: those above it have to wait.
void privileges_open_files(uint32_t connections);
