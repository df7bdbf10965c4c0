// SPDX-License-Identifier: BSD-3-Clause
// Starts DPDK's environment from our configuration: memory, and one lcore a worker beside the
// control thread's.
#pragma once

#include "base/port_slice.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define EAL_CARDS_MAX 2

enum eal_hugepages {
    EAL_HUGEPAGES_AUTO, // when the system has enough free ones
    EAL_HUGEPAGES_ON,
    EAL_HUGEPAGES_OFF,
};

struct eal_config {
    uint16_t worker_count;
    uint16_t cpu_count;              // 0: choose; else worker_count
    uint16_t cpus[PORT_SLICE_COUNT]; // of the workers, in their order
    int node;                        // NUMA, where workers are best; negative: anywhere
    enum eal_hugepages hugepages;
    uint32_t memory_mb;  // all that tables and packet buffers need
    bool capture;        // DPDK's tools may join; hugepages are needed then
    gid_t control_group; // may connect to the control socket
    // The PCI addresses that DPDK may touch; NULL: none.
    const char *cards[EAL_CARDS_MAX];
};

struct cpu_list {
    uint16_t count;
    uint16_t cpus[1024];
    bool is_far[1024]; // from where workers are best
};

// The --lcores value: lcore 0 is the control thread, lcore n+1 worker n. Where nobody says which,
// workers have the last CPUs of those that are near, and what these do not suffice for the last
// ones of the others; fewer CPUs than workers are shared. allowed: what this process may run on,
// not empty. text: LCORE_MAP_TEXT_LEN bytes. Returns text.
#define LCORE_MAP_TEXT_LEN 8192
const char *eal_format_lcores(const struct eal_config *config, const struct cpu_list *allowed,
                              char *text);

// Whether anybody else of this relay may run on the CPU of a worker: another worker, or the control
// thread and those that it starts.
bool eal_shares_cpu(const struct eal_config *config, const struct cpu_list *allowed,
                    uint16_t worker);

// As the setting cpus has it, "0-3,8". text: CPU_LIST_TEXT_LEN bytes. Returns text.
#define CPU_LIST_TEXT_LEN 5120
const char *eal_format_cpus(const struct cpu_list *list, char *text);

// Once in a process. Logs what went wrong, and from then on what DPDK has to say. 0 or -errno.
int eal_start(const struct eal_config *config, bool *ret_hugepages);
void eal_stop(void);

// Of what was started: where a worker runs, and eal_shares_cpu().
uint16_t eal_worker_cpu(uint16_t worker);
int eal_worker_node(uint16_t worker); // NUMA
bool eal_worker_shares_cpu(uint16_t worker);

// Run function(argument) on the lcore of a worker; and wait until all have returned.
int eal_launch(uint16_t worker, int (*function)(void *), void *argument);
void eal_wait(void);
