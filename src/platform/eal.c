// SPDX-License-Identifier: BSD-3-Clause
// Turns the configuration into EAL arguments. Nothing of it is left on the system: no shared files,
// no hugepage files, but for the time that `capture` is on.
#include "platform/eal.h"

#include "base/log.h"
#include "platform/capture.h"
#include "platform/control_socket.h"
#include "platform/kernel_file.h"
#include "platform/node.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_log.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define HUGEPAGES_PATH "/sys/kernel/mm/hugepages"
#define ARGUMENTS_MAX  18

static bool cleans; // the runtime directory is good
static bool worker_shares_cpu[PORT_SLICE_COUNT];
static uint16_t worker_cpus[PORT_SLICE_COUNT];

static bool cpu_list_has(const uint16_t *cpus, unsigned count, uint16_t cpu)
{
    for (unsigned i = 0; i < count; i++) {
        if (cpus[i] == cpu)
            return true;
    }
    return false;
}

// From the back, of CPUs that are far or near; how many are still to be chosen. The last ones: the
// first tend to serve interrupts.
static uint16_t choose_cpus(const struct cpu_list *allowed, bool far, uint16_t count,
                            uint16_t ret_cpus[])
{
    for (unsigned i = allowed->count; i > 0 && count > 0; i--) {
        if (allowed->is_far[i - 1] == far)
            ret_cpus[--count] = allowed->cpus[i - 1];
    }
    return count;
}

static void choose_workers(const struct eal_config *config, const struct cpu_list *allowed,
                           uint16_t ret_workers[PORT_SLICE_COUNT])
{
    uint16_t left = config->worker_count;

    if (config->cpu_count > 0) {
        memcpy(ret_workers, config->cpus, left * sizeof(*ret_workers));
    } else if (allowed->count >= left) {
        left = choose_cpus(allowed, false, left, ret_workers);
        choose_cpus(allowed, true, left, ret_workers);
    } else {
        for (uint16_t i = 0; i < left; i++)
            ret_workers[i] = allowed->cpus[i % allowed->count];
    }
}

// Returns how many CPUs have no worker: the control thread runs there, or anywhere when there are
// none.
static unsigned place_workers(const struct eal_config *config, const struct cpu_list *allowed,
                              uint16_t workers[PORT_SLICE_COUNT])
{
    unsigned left = 0;

    choose_workers(config, allowed, workers);
    for (unsigned i = 0; i < allowed->count; i++)
        left += !cpu_list_has(workers, config->worker_count, allowed->cpus[i]);
    return left;
}

bool eal_shares_cpu(const struct eal_config *config, const struct cpu_list *allowed,
                    uint16_t worker)
{
    uint16_t workers[PORT_SLICE_COUNT];
    unsigned left = place_workers(config, allowed, workers);

    return left == 0 || cpu_list_has(workers, worker, workers[worker]) ||
           cpu_list_has(workers + worker + 1, config->worker_count - worker - 1u, workers[worker]);
}

const char *eal_format_lcores(const struct eal_config *config, const struct cpu_list *allowed,
                              char *text)
{
    uint16_t workers[PORT_SLICE_COUNT];
    char *end = text;
    unsigned left = place_workers(config, allowed, workers);

    end += sprintf(end, "0@(");
    for (unsigned i = 0, listed = 0; i < allowed->count; i++) {
        if (left > 0 && cpu_list_has(workers, config->worker_count, allowed->cpus[i]))
            continue;
        end += sprintf(end, "%s%u", listed++ > 0 ? "," : "", allowed->cpus[i]);
    }
    end += sprintf(end, ")");
    for (unsigned i = 0; i < config->worker_count; i++)
        end += sprintf(end, ",%u@%u", i + 1, workers[i]);
    return text;
}

static void read_allowed_cpus(int node, struct cpu_list *ret_list)
{
    cpu_set_t set;

    ret_list->count = 0;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof(set), &set) < 0)
        CPU_SET(0, &set);
    for (unsigned cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(cpu, &set))
            continue;
        ret_list->cpus[ret_list->count] = (uint16_t)cpu;
        ret_list->is_far[ret_list->count++] = node >= 0 && !node_has_cpu(node, cpu);
    }
}

static uint64_t free_hugepages_mb(void)
{
    DIR *directory = opendir(HUGEPAGES_PATH);
    struct dirent *entry;
    uint64_t sum_kb = 0;

    while (directory && (entry = readdir(directory))) {
        char line[32];
        uint64_t size_kb, count;

        if (sscanf(entry->d_name, "hugepages-%" SCNu64 "kB", &size_kb) == 1 &&
            kernel_file_read(line, sizeof(line), HUGEPAGES_PATH "/%s/free_hugepages",
                             entry->d_name) == 0 &&
            sscanf(line, "%" SCNu64, &count) == 1)
            sum_kb += size_kb * count;
    }
    if (directory)
        closedir(directory);
    return sum_kb / 1024;
}

// DPDK's own lines. What stops us is said in our words too, so its errors are warnings, and its
// warnings for the curious.
static ssize_t write_dpdk_line(void *cookie, const char *text, size_t len)
{
    int dpdk_level = rte_log_cur_msg_loglevel();
    size_t text_len = len;

    (void)cookie;
    while (text_len > 0 && text[text_len - 1] == '\n')
        text_len--;
    if (text_len > 0)
        log_message(dpdk_level > 0 && dpdk_level <= (int)RTE_LOG_ERR ? LOG_LEVEL_WARNING
                                                                     : LOG_LEVEL_DEBUG,
                    "dpdk", "%.*s", (int)text_len, text);
    return (ssize_t)len;
}

static void route_dpdk_log(void)
{
    static const cookie_io_functions_t functions = {.write = write_dpdk_line};
    FILE *stream = fopencookie(NULL, "w", functions);

    if (!stream)
        return;
    setvbuf(stream, NULL, _IOLBF, 0);
    rte_openlog_stream(stream);
}

static int choose_hugepages(const struct eal_config *config, bool *ret_use)
{
    uint64_t free_mb = config->hugepages == EAL_HUGEPAGES_OFF ? 0 : free_hugepages_mb();
    uint32_t needed_mb = config->memory_mb + (config->capture ? CAPTURE_MEMORY_MB : 0);

    if ((config->hugepages == EAL_HUGEPAGES_ON || config->capture) && free_mb < needed_mb) {
        log_message(LOG_LEVEL_ERROR, "no_hugepages",
                    "%u MB of hugepages are needed and %" PRIu64
                    " MB are free: 'sysctl vm.nr_hugepages=%u', or %s",
                    needed_mb, free_mb, needed_mb / 2 + 1,
                    config->capture ? "capture = false" : "hugepages = \"auto\"");
        return -ENOMEM;
    }
    *ret_use = config->hugepages != EAL_HUGEPAGES_OFF && free_mb >= needed_mb;
    return 0;
}

const char *eal_format_cpus(const struct cpu_list *list, char *text)
{
    char *end = text;

    *end = '\0';
    for (unsigned i = 0; i < list->count; i++) {
        unsigned first = i;

        while (i + 1 < list->count && list->cpus[i + 1] == list->cpus[i] + 1)
            i++;
        end += sprintf(end, i > first ? "%s%u-%u" : "%s%u", end > text ? "," : "",
                       list->cpus[first], list->cpus[i]);
    }
    return text;
}

static int check_cpus(const struct eal_config *config, const struct cpu_list *allowed)
{
    for (unsigned i = 0; i < config->cpu_count; i++) {
        char text[CPU_LIST_TEXT_LEN];

        if (cpu_list_has(allowed->cpus, allowed->count, config->cpus[i]))
            continue;
        log_message(LOG_LEVEL_ERROR, "no_cpu",
                    "cpus: this process may not run on CPU %u; allowed: those of %s",
                    config->cpus[i], eal_format_cpus(allowed, text));
        return -EINVAL;
    }
    return 0;
}

// What it makes on the way, the control socket above all, is nobody else's.
static int initialize(int count, char **arguments)
{
    mode_t mask = umask(S_IRWXG | S_IRWXO);
    int result = rte_eal_init(count, arguments);

    umask(mask);
    return result;
}

// What tools share is in the directory of the control socket.
static int prepare_capture(const struct eal_config *config, bool has_directory, char *ret_directory)
{
    if (has_directory) {
        capture_clean();
        cleans = true;
    }
    if (!config->capture)
        return 0;
    if (!has_directory) {
        log_message(LOG_LEVEL_ERROR, "capture", "needs the directory of the control socket");
        return -ENOENT;
    }
    return capture_prepare(ret_directory);
}

// False: there are none.
static bool add_cards(const struct eal_config *config, char **arguments, int *count)
{
    static char cards[EAL_CARDS_MAX][64];
    bool has_card = false;

    for (unsigned i = 0; i < EAL_CARDS_MAX; i++) {
        if (!config->cards[i])
            continue;
        has_card = true;
        snprintf(cards[i], sizeof(cards[i]), "%s", config->cards[i]);
        arguments[(*count)++] = "-a";
        arguments[(*count)++] = cards[i];
    }
    if (!has_card)
        arguments[(*count)++] = "--no-pci";
    return has_card;
}

int eal_start(const struct eal_config *config, bool *ret_hugepages)
{
    static char lcores[LCORE_MAP_TEXT_LEN], memory[16];
    static char *arguments[ARGUMENTS_MAX], directory[CAPTURE_PATH_LEN]; // the EAL keeps pointers
    struct cpu_list allowed;
    bool hugepages = false, has_card, has_socket;
    int count = 0, error;

    read_allowed_cpus(config->node, &allowed);
    error = check_cpus(config, &allowed);
    if (!error)
        error = choose_hugepages(config, &hugepages);
    if (error)
        return error;
    arguments[count++] = "turnpike";
    has_card = add_cards(config, arguments, &count);
    has_socket = control_socket_prepare();
    if (!has_socket)
        arguments[count++] = "--no-telemetry";
    error = prepare_capture(config, has_socket, directory);
    if (error)
        return error;
    // Packet buffers have to lie in one piece of memory, without gaps at page borders.
    // What addresses a card takes says its driver: without an IOMMU, those of the memory itself.
    if (!has_card)
        arguments[count++] = "--iova-mode=va";
    arguments[count++] = "--log-level=*:warning";
    arguments[count++] = "--lcores";
    arguments[count++] = (char *)eal_format_lcores(config, &allowed, lcores);
    if (config->capture) {
        arguments[count++] = "--huge-dir";
        arguments[count++] = directory;
    } else if (hugepages) {
        arguments[count++] = "--in-memory";
    } else {
        arguments[count++] = "--no-shconf";
        snprintf(memory, sizeof(memory), "%u", config->memory_mb);
        arguments[count++] = "--no-huge";
        arguments[count++] = "-m";
        arguments[count++] = memory;
    }
    route_dpdk_log();
    if (initialize(count, arguments) < 0) {
        log_message(LOG_LEVEL_ERROR, "eal", "DPDK does not start with %u MB of memory: %s",
                    config->memory_mb, rte_strerror(rte_errno));
        error = rte_errno > 0 ? -rte_errno : -EIO;
        if (cleans)
            capture_clean();
        return error;
    }
    if (config->capture && (error = capture_start()) < 0) {
        eal_stop();
        return error;
    }
    control_socket_grant(config->control_group);
    place_workers(config, &allowed, worker_cpus);
    for (uint16_t i = 0; i < config->worker_count; i++)
        worker_shares_cpu[i] = eal_shares_cpu(config, &allowed, i);
    *ret_hugepages = hugepages;
    return 0;
}

uint16_t eal_worker_cpu(uint16_t worker)
{
    return worker_cpus[worker];
}

int eal_worker_node(uint16_t worker)
{
    return (int)rte_lcore_to_socket_id(worker + 1u);
}

bool eal_worker_shares_cpu(uint16_t worker)
{
    return worker_shares_cpu[worker];
}

void eal_stop(void)
{
    rte_eal_cleanup();
    if (cleans)
        capture_clean();
}

int eal_launch(uint16_t worker, int (*function)(void *), void *argument)
{
    return rte_eal_remote_launch(function, argument, worker + 1u);
}

void eal_wait(void)
{
    rte_eal_mp_wait_lcore();
}
