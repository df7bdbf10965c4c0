// SPDX-License-Identifier: BSD-3-Clause
// How long a cache line takes from one CPU to another. Virtual CPUs move, and what two programs
// give each other through memory takes several times as long when they are on two chiplets: who
// compares two runs has to know whether they were made on the same machine, so to speak.
#include "fail.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ROUNDS 5
#define TURNS  4000
// No turns: the second thread is being made, or has its CPU.
#define IS_AWAITED UINT_MAX
#define IS_READY   (UINT_MAX - 1)

struct line {
    _Alignas(128) _Atomic unsigned turn;
};

static struct line line;

static void pin(unsigned cpu)
{
    cpu_set_t cpus;

    CPU_ZERO(&cpus);
    CPU_SET(cpu, &cpus);
    if (sched_setaffinity(0, sizeof(cpus), &cpus) != 0)
        fail("CPU %u: %s", cpu, strerror(errno));
}

// Each writes when the other has.
static void play(unsigned first)
{
    for (unsigned turn = first; turn < 2 * TURNS; turn += 2) {
        while (atomic_load_explicit(&line.turn, memory_order_acquire) != turn)
            ;
        atomic_store_explicit(&line.turn, turn + 1, memory_order_release);
    }
}

static void *play_second(void *cpu)
{
    pin(*(const unsigned *)cpu);
    atomic_store(&line.turn, IS_READY);
    play(1);
    return NULL;
}

static double seconds(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

// Nanoseconds one way.
static double measure(unsigned second_cpu)
{
    pthread_t second;
    double start;
    int error;

    atomic_store(&line.turn, IS_AWAITED);
    error = pthread_create(&second, NULL, play_second, &second_cpu);
    if (error)
        fail("no second thread: %s", strerror(error));
    while (atomic_load(&line.turn) != IS_READY)
        ;
    start = seconds();
    atomic_store(&line.turn, 0);
    play(0);
    pthread_join(second, NULL);
    return 1e9 * (seconds() - start) / (2 * TURNS);
}

static unsigned parse_cpu(const char *text)
{
    char *end;
    unsigned long cpu = strtoul(text, &end, 10);

    if (end == text || *end != '\0' || cpu >= CPU_SETSIZE)
        fail("'%s' is no CPU; usage: distance CPU CPU: prints nanoseconds one way", text);
    return (unsigned)cpu;
}

// The least of some rounds: in the others somebody else ran.
int main(int argc, char **argv)
{
    double least = 0;
    unsigned second_cpu;

    if (argc != 3)
        fail("usage: distance CPU CPU: prints nanoseconds one way");
    pin(parse_cpu(argv[1]));
    second_cpu = parse_cpu(argv[2]);
    for (unsigned i = 0; i < ROUNDS; i++) {
        double one = measure(second_cpu);
        if (i == 0 || one < least)
            least = one;
    }
    printf("%.0f\n", least);
    return EXIT_SUCCESS;
}
