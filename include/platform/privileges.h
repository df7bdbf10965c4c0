// SPDX-License-Identifier: BSD-3-Clause
// The privileges that AF_XDP and the kernel's neighbour table ask for, looked at before anything is
// touched.
#pragma once

#include <stddef.h>

// Say every one that is missing and what to do about it. 0 or -EPERM.
int privileges_check(void);

// Raise the limit of locked memory, which packet buffers count against without CAP_IPC_LOCK. 0;
// -EPERM, logged.
int privileges_lock_memory(size_t bytes);
