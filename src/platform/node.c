// SPDX-License-Identifier: BSD-3-Clause
// See platform/node.h.
#include "platform/node.h"

#include "platform/kernel_file.h"

#include <stdio.h>
#include <unistd.h>

#define PATH_LEN 128

// Of the device whose directory in /sys that is.
static int node_of(const char *directory, const char *name, const char *device)
{
    char line[32];
    int node;

    if (kernel_file_read(line, sizeof(line), "/sys/%s/%s%s/numa_node", directory, name, device) ||
        sscanf(line, "%d", &node) != 1)
        return -1;
    return node;
}

int node_of_card(const char *address)
{
    return node_of("bus/pci/devices", address, "");
}

int node_of_interface(const char *interface)
{
    return node_of("class/net", interface, "/device");
}

bool node_has_cpu(int node, unsigned cpu)
{
    char path[PATH_LEN];

    snprintf(path, sizeof(path), "/sys/devices/system/node/node%d/cpu%u", node, cpu);
    return access(path, F_OK) == 0;
}
