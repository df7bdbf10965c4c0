// SPDX-License-Identifier: BSD-3-Clause
// One loop: it waits for a key, for the relay, or for the time of the next look, whatever comes
// first.
#include "ctl/top.h"

#include "base/clock.h"
#include "ctl/top_link.h"
#include "ctl/top_page.h"
#include "ctl/top_screen.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

enum {
    INTERVAL_S_DEFAULT = 1,
    CLOCK_MS = 1000, // the time of day moves on even when nothing else does
};

struct top {
    struct top_link *link;
    struct top_screen *screen;
    struct top_choice choice;
    struct top_sample before, now; // what is shown is the step between them
    struct top_rates rates;
    struct top_sample fresh;
    bool has_sample;
    struct page page;
};

static volatile sig_atomic_t told_to_end;

static void on_signal(int number)
{
    (void)number;
    told_to_end = 1;
}

// A signal ends the wait, not the call to be made after it.
static void catch_signals(sigset_t *ret_unblocked)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    const struct sigaction action = {.sa_handler = on_signal};
    sigset_t blocked;

    sigemptyset(&blocked);
    for (unsigned i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        sigaddset(&blocked, numbers[i]);
        sigaction(numbers[i], &action, NULL);
    }
    sigprocmask(SIG_BLOCK, &blocked, ret_unblocked);
}

static void draw(struct top *top)
{
    const struct top_look look = {
        .sample = top->has_sample ? &top->now : NULL,
        .rates = &top->rates,
        .problem = top_link_problem(top->link),
        .wall_s = clock_wall_s(),
    };

    top_screen_prepare(top->screen, &top->page);
    top_page_draw(&look, &top->choice, &top->page);
    top_screen_show(top->screen, &top->page);
}

static void wait_for_anything(struct top *top, uint64_t interval_ms, const sigset_t *unblocked)
{
    struct pollfd entries[] = {{.fd = STDIN_FILENO, .events = POLLIN},
                               {.fd = top_link_descriptor(top->link), .events = POLLIN}};
    uint64_t now_ms = clock_monotonic_ms(), next_ms = top_link_next_ms(top->link, interval_ms);
    uint64_t wait_ms = next_ms > now_ms ? next_ms - now_ms : 0;
    struct timespec timeout;

    // What is late and comes without notice is looked for at the next tick, not at once and for
    // ever.
    if (wait_ms == 0 || wait_ms > CLOCK_MS)
        wait_ms = wait_ms == 0 ? 1 : CLOCK_MS;
    timeout = (struct timespec){(time_t)(wait_ms / 1000), (long)(wait_ms % 1000) * 1000000};
    ppoll(entries, 2, &timeout, unblocked);
    // The terminal has gone: nobody looks any more.
    if (entries[0].revents & (POLLHUP | POLLERR | POLLNVAL))
        told_to_end = 1;
}

static void take_keys(struct top *top)
{
    int key;

    while ((key = top_screen_take_key(top->screen)) != -1)
        top_choice_take_key(&top->choice, key);
}

static void take_sample(struct top *top)
{
    top->before = top->has_sample ? top->now : top->fresh;
    top->now = top->fresh;
    top->has_sample = true;
    top_rates_compute(&top->before, &top->now, &top->rates);
}

static void loop(struct top *top, const sigset_t *unblocked)
{
    while (!told_to_end) {
        uint64_t interval_ms = (uint64_t)top->choice.interval_s * 1000;

        take_keys(top);
        if (top->choice.quits)
            return;
        if (top_link_advance(top->link, clock_monotonic_ms(), interval_ms, &top->fresh) &&
            !top->choice.paused)
            take_sample(top);
        draw(top);
        wait_for_anything(top, interval_ms, unblocked);
    }
}

static enum ctl_status run(struct top *top, const struct command_line *line, FILE *input,
                           FILE *output, struct problem *problem)
{
    enum ctl_status status = top_link_create(line->socket, &top->link, problem);
    sigset_t unblocked;

    if (status == CTL_DONE)
        status = top_screen_open(getenv("TERM"), output, input, &top->screen, problem);
    if (status != CTL_DONE)
        return status;
    catch_signals(&unblocked);
    loop(top, &unblocked);
    return CTL_DONE;
}

enum ctl_status top_run(const struct command_line *line, FILE *input, FILE *output, FILE *errors)
{
    struct top *top = calloc(1, sizeof(*top));
    struct problem problem;
    enum ctl_status status;

    if (!top)
        abort();
    top->choice.interval_s = line->interval_s > 0 ? line->interval_s : INTERVAL_S_DEFAULT;
    status = run(top, line, input, output, &problem);
    top_screen_close(top->screen);
    top_link_destroy(top->link);
    free(top);
    if (status != CTL_DONE)
        fprintf(errors, "turnpike-ctl: %s\n", problem.text);
    return status;
}
