// SPDX-License-Identifier: BSD-3-Clause
// What the ports themselves count: what a card or the kernel lost before a worker saw it.
#pragma once

#include "platform/port.h"

#include <stdbool.h>
#include <stdint.h>

#define PORT_COUNTERS_NAME_LEN 64

struct port_counters {
    char name[PORT_COUNTERS_NAME_LEN]; // the device's, as DPDK has it
    uint64_t received_packets;
    uint64_t received_bytes;
    uint64_t transmitted_packets;
    uint64_t transmitted_bytes;
    uint64_t missed; // dropped before they were received: the receive ring was full
    uint64_t receive_errors;
    uint64_t transmit_errors;
    uint64_t no_buffer; // not received for want of a packet buffer
};

// How many ports there are: one for each worker, or devices that all of them share.
unsigned ports_device_count(const struct ports *ports);

// index < ports_device_count(). Asks the driver; any thread. False: it does not say.
bool ports_get_counters(const struct ports *ports, unsigned index,
                        struct port_counters *ret_counters);

struct port_link {
    char driver[PORT_COUNTERS_NAME_LEN];
    bool is_up;
    uint32_t speed_mbps; // 0: not known
};

// The same.
bool ports_get_link(const struct ports *ports, unsigned index, struct port_link *ret_link);

// What a driver counts, by a name of its own.
struct port_statistic {
    char name[PORT_COUNTERS_NAME_LEN]; // printable ASCII, no blanks, quotes or backslashes
    uint64_t value;
};

#define PORT_STATISTICS_MAX 512 // of one port; of more the first

// How many there are. Asks the driver, for as long as its card takes. The control thread only.
unsigned ports_get_statistics(const struct ports *ports, unsigned index,
                              struct port_statistic ret_statistics[PORT_STATISTICS_MAX]);

struct port_buffers {
    uint32_t used; // those that wait in the receive rings included
    uint32_t capacity;
};
void ports_get_buffers(const struct ports *ports, struct port_buffers *ret_buffers);
