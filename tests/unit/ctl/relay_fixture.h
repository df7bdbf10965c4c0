// SPDX-License-Identifier: BSD-3-Clause
// Somebody in a thread who answers as DPDK's telemetry does, with the packets that a test gives it.
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#define FAKE_GREETING "{\"version\":\"DPDK 22.11\",\"pid\":7,\"max_output_len\":16384}"

struct fake_answer {
    const char *question; // or how it begins
    const char *packet;   // NULL: hang up; empty: say nothing
    size_t packet_len;    // 0: that of the text
};

struct fake_relay {
    char directory[32], path[64];
    const char *greeting; // NULL: hang up at once
    const struct fake_answer *answers;
    size_t answer_count;
    char asked[8][1024]; // the first questions
    atomic_uint asked_count;
    int listening;
    atomic_int connection; // -1: nobody is connected
    atomic_bool stops;
    pthread_t thread;
};

// What is in *relay before: greeting and answers.
void fake_relay_start(struct fake_relay *relay);
// Hangs up, too.
void fake_relay_stop(struct fake_relay *relay);
