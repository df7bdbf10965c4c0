// SPDX-License-Identifier: BSD-3-Clause
// The privileges that AF_XDP, the kernel's twin and its neighbour table ask for, looked at before
// anything is touched.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Say every one that is missing and what to do about it. owns_device: the relay does not share the
// kernel's interface, so it needs none for AF_XDP. 0 or -EPERM.
int privileges_check(bool owns_device);

// Raise the limit of locked memory, which packet buffers count against without CAP_IPC_LOCK. 0;
// -EPERM, logged.
int privileges_lock_memory(size_t bytes);

// Raise the limit of open files, as far as it may be, for so many connections beside what the relay
// itself has open. Where it stays lower, a warning says so: those above it have to wait.
void privileges_open_files(uint32_t connections);
