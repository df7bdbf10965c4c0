// SPDX-License-Identifier: BSD-3-Clause
// Lets DPDK's own tools (dpdk-dumpcap, dpdk-pdump, dpdk-proc-info) join this process as secondary ones: what they map
// is in files then, which are this user's alone, and which are taken away again here.
#pragma once

#include <stdbool.h>

#define CAPTURE_PATH_LEN 256

// Rings and buffers of a tool that captures with its usual sizes, beside what the relay needs.
#define CAPTURE_MEMORY_MB 32

// Removes what relays of this runtime directory have left that are no more, but for what somebody has mapped; and
// whatever this one has had. What one has that lives stays. Before the EAL starts and after it has stopped, whether
// this relay captures or not; after control_socket_prepare() has found the directory good.
void capture_clean(void);

// Before the EAL starts: makes the directory for its hugepages, on a hugetlbfs that is mounted. ret_directory:
// CAPTURE_PATH_LEN bytes. 0; -errno, logged: another relay has the directory, or there is no place for
// hugepages.
int capture_prepare(char *ret_directory);

// The EAL has started: tools may ask for packets. 0 or -errno, logged.
int capture_start(void);
// When no worker runs any more, before ports are closed. Nothing where it was not started.
void capture_stop(void);
