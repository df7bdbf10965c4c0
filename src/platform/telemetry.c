// SPDX-License-Identifier: BSD-3-Clause
// See platform/telemetry.h: a mailbox for one question and its answer, which becomes DPDK's data in
// the thread of the client.
#include "platform/telemetry.h"

#include "base/clock.h"

#include <errno.h>
#include <pthread.h>
#include <rte_telemetry.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum mailbox_state {
    MAILBOX_CLOSED,
    MAILBOX_FREE,
    MAILBOX_ASKED,
    MAILBOX_TAKEN,
    MAILBOX_GIVEN_UP, // taken, and nobody waits any more
    MAILBOX_ANSWERED,
};

// DPDK's threads outlive whoever opens it: it belongs to the process.
static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    enum mailbox_state state;
    int fd;
    struct telemetry_question question;
    struct telemetry_answer answer;
} mailbox = {.lock = PTHREAD_MUTEX_INITIALIZER, .fd = -1};

// DPDK's threads all cut up what they read with strtok(), which keeps its place in one variable for
// all threads: a client could get the parameters of another. This one keeps it for each thread.
char *strtok(char *restrict text, const char *restrict delimiters)
{
    static __thread char *place;

    return strtok_r(text, delimiters, &place);
}

static int add_set(struct rte_tel_data *parent, const char *name, struct rte_tel_data **ret_data)
{
    struct rte_tel_data *data = rte_tel_data_alloc();

    if (!data)
        return -ENOMEM;
    rte_tel_data_start_dict(data);
    if (rte_tel_data_add_dict_container(parent, name, data, 0) != 0) {
        rte_tel_data_free(data);
        return -ENOSPC;
    }
    *ret_data = data;
    return 0;
}

static int add_entry(struct rte_tel_data *data, const struct telemetry_entry *entry)
{
    return entry->kind == TELEMETRY_ENTRY_NUMBER
               ? rte_tel_data_add_dict_u64(data, entry->name, entry->number)
               : rte_tel_data_add_dict_string(data, entry->name, entry->text);
}

// What was left out, for want of room or of memory, is at least said to be.
static void convert(const struct telemetry_answer *answer, struct rte_tel_data *data)
{
    struct rte_tel_data *sets[TELEMETRY_ANSWER_DEPTH_MAX + 1] = {data};
    struct telemetry_entry entry;
    unsigned depth = 0;
    size_t offset = 0;
    int error = 0;

    rte_tel_data_start_dict(data);
    while (!error && telemetry_answer_next(answer, &offset, &entry)) {
        if (entry.kind == TELEMETRY_ENTRY_OPEN) {
            error = add_set(sets[depth], entry.name, &sets[depth + 1]);
            depth++;
        } else if (entry.kind == TELEMETRY_ENTRY_CLOSE) {
            depth--;
        } else {
            error = add_entry(sets[depth], &entry);
        }
    }
    if (error || answer->state.is_cut)
        rte_tel_data_add_dict_u64(data, "cut", 1);
}

static void refuse(struct rte_tel_data *data, const char *reason)
{
    rte_tel_data_start_dict(data);
    rte_tel_data_add_dict_string(data, "error", reason);
}

// False: the time is up.
static bool wait_for_change(const struct timespec *deadline)
{
    return pthread_cond_timedwait(&mailbox.changed, &mailbox.lock, deadline) != ETIMEDOUT;
}

static void set_state(enum mailbox_state state)
{
    mailbox.state = state;
    pthread_cond_broadcast(&mailbox.changed);
}

static void put_question(const char *command, const char *parameters)
{
    static const uint64_t one = 1;
    struct telemetry_question *question = &mailbox.question;

    snprintf(question->command, sizeof(question->command), "%s", command);
    snprintf(question->parameters, sizeof(question->parameters), "%s", parameters);
    question->asked_ms = clock_monotonic_ms();
    set_state(MAILBOX_ASKED);
    // It cannot be full: the control thread empties it before it looks.
    (void)!write(mailbox.fd, &one, sizeof(one));
}

static bool is_free(void)
{
    return mailbox.state == MAILBOX_FREE;
}

static bool is_under_way(void)
{
    return mailbox.state == MAILBOX_ASKED || mailbox.state == MAILBOX_TAKEN;
}

static void ask_locked(const char *command, const char *parameters, const struct timespec *deadline,
                       struct rte_tel_data *data)
{
    while (!is_free() && mailbox.state != MAILBOX_CLOSED && wait_for_change(deadline))
        ;
    if (is_free()) {
        put_question(command, parameters);
        while (is_under_way() && wait_for_change(deadline))
            ;
    } else if (mailbox.state != MAILBOX_CLOSED) {
        refuse(data, "others ask, too, and it took too long to get to this question");
        return;
    }
    if (mailbox.state == MAILBOX_ANSWERED) {
        convert(&mailbox.answer, data);
        set_state(MAILBOX_FREE);
    } else if (mailbox.state == MAILBOX_CLOSED) {
        refuse(data, "the relay is stopping");
    } else {
        refuse(data, "the control thread did not answer within a second");
        set_state(mailbox.state == MAILBOX_TAKEN ? MAILBOX_GIVEN_UP : MAILBOX_FREE);
    }
}

static struct timespec deadline_of_now(void)
{
    struct timespec deadline;

    clock_gettime(CLOCK_MONOTONIC, &deadline);
    deadline.tv_sec += TELEMETRY_TIMEOUT_MS / 1000;
    return deadline;
}

// In a thread of DPDK's.
static int ask(const char *command, const char *parameters, struct rte_tel_data *data)
{
    const struct timespec deadline = deadline_of_now();

    if (!parameters)
        parameters = "";
    if (strlen(command) + 1 + strlen(parameters) >= TELEMETRY_QUESTION_LEN) {
        refuse(data, "the question is too long: 1022 bytes are allowed");
        return 0;
    }
    pthread_mutex_lock(&mailbox.lock);
    ask_locked(command, parameters, &deadline, data);
    pthread_mutex_unlock(&mailbox.lock);
    return 0;
}

static int make_condition(void)
{
    pthread_condattr_t attributes;
    int error;

    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    error = pthread_cond_init(&mailbox.changed, &attributes);
    pthread_condattr_destroy(&attributes);
    return -error;
}

int telemetry_open(const struct telemetry_command *commands, int *ret_fd)
{
    int error = make_condition();

    if (error)
        return error;
    mailbox.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (mailbox.fd < 0)
        return -errno;
    mailbox.state = MAILBOX_FREE;
    for (; !error && commands->name; commands++)
        error = rte_telemetry_register_cmd(commands->name, ask, commands->help);
    if (error) {
        telemetry_close();
        return error;
    }
    *ret_fd = mailbox.fd;
    return 0;
}

void telemetry_close(void)
{
    pthread_mutex_lock(&mailbox.lock);
    set_state(MAILBOX_CLOSED);
    close(mailbox.fd);
    mailbox.fd = -1;
    pthread_mutex_unlock(&mailbox.lock);
}

bool telemetry_take(struct telemetry_question *ret_question)
{
    uint64_t count;
    bool is_asked;

    (void)!read(mailbox.fd, &count, sizeof(count));
    pthread_mutex_lock(&mailbox.lock);
    is_asked = mailbox.state == MAILBOX_ASKED;
    if (is_asked) {
        *ret_question = mailbox.question;
        set_state(MAILBOX_TAKEN);
    }
    pthread_mutex_unlock(&mailbox.lock);
    return is_asked;
}

bool telemetry_is_awaited(void)
{
    bool is_awaited;

    pthread_mutex_lock(&mailbox.lock);
    is_awaited = mailbox.state == MAILBOX_TAKEN;
    pthread_mutex_unlock(&mailbox.lock);
    return is_awaited;
}

void telemetry_reply(const struct telemetry_answer *answer)
{
    pthread_mutex_lock(&mailbox.lock);
    if (mailbox.state == MAILBOX_TAKEN) {
        mailbox.answer = *answer;
        set_state(MAILBOX_ANSWERED);
    } else if (mailbox.state == MAILBOX_GIVEN_UP) {
        set_state(MAILBOX_FREE);
    }
    pthread_mutex_unlock(&mailbox.lock);
}
