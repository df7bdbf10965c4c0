// SPDX-License-Identifier: BSD-3-Clause
// Frames in a file that other generators replay: libpcap's format, link type Ethernet
// (draft-ietf-opsawg-pcap).
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct pcap_file {
    FILE *stream;
};

// 0 or -errno.
int pcap_file_create(struct pcap_file *file, const char *path);

// All frames have the time 0: who replays them sets the pace. Errors are told by the close.
void pcap_file_write(struct pcap_file *file, const uint8_t *frame, size_t len);

// 0 or -errno: of whatever has not reached the file.
int pcap_file_close(struct pcap_file *file);
