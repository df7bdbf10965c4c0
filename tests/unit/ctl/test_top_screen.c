// SPDX-License-Identifier: BSD-3-Clause
// Claims about the screen, on a terminal that the test holds the other end of.
#include "ctl/top_screen.h"

#include "ctl/top_choice.h"
#include "support.h"

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <unistd.h>

struct terminal {
    int master;
    FILE *input, *output;
};

static struct page page;
static struct problem problem;

static void open_terminal(struct terminal *terminal, unsigned short rows, unsigned short columns)
{
    const struct winsize size = {.ws_row = rows, .ws_col = columns};
    int slave;

    assert_int_equal(openpty(&terminal->master, &slave, NULL, NULL, &size), 0);
    terminal->input = fdopen(slave, "r");
    terminal->output = fdopen(dup(slave), "w");
    assert_int_equal(fcntl(terminal->master, F_SETFL, O_NONBLOCK), 0);
}

static void close_terminal(struct terminal *terminal)
{
    fclose(terminal->input);
    fclose(terminal->output);
    close(terminal->master);
}

// All that was written to the terminal.
static const char *written(struct terminal *terminal)
{
    static char text[65536];
    size_t len = 0;
    ssize_t got;

    fflush(terminal->output);
    while ((got = read(terminal->master, text + len, sizeof(text) - 1 - len)) > 0)
        len += (size_t)got;
    text[len] = '\0';
    return text;
}

static int await_key(struct top_screen *screen, struct terminal *terminal, const char *keys)
{
    struct pollfd entry = {.fd = fileno(terminal->input), .events = POLLIN};

    assert_int_equal(write(terminal->master, keys, strlen(keys)), strlen(keys));
    assert_int_equal(poll(&entry, 1, 20000), 1);
    return top_screen_take_key(screen);
}

static void shows_a_page_and_takes_keys(void **state)
{
    struct terminal terminal;
    struct top_screen *screen;

    (void)state;
    open_terminal(&terminal, 24, 80);
    assert_int_equal(top_screen_open("xterm", terminal.output, terminal.input, &screen, &problem),
                     CTL_DONE);
    top_screen_prepare(screen, &page);
    assert_int_equal(page.rows, 24);
    assert_int_equal(page.columns, 80);
    page_put(&page, 3, 5, 20, PAGE_ALARM, "something is wrong");
    top_screen_show(screen, &page);
    assert_non_null(strstr(written(&terminal), "something is wrong"));
    assert_int_equal(top_screen_take_key(screen), -1);
    assert_int_equal(await_key(screen, &terminal, "s"), 's');
    assert_int_equal(await_key(screen, &terminal, "\x1bOA"), TOP_KEY_UP);
    assert_int_equal(await_key(screen, &terminal, "\x1b[6~"), TOP_KEY_PAGE_DOWN);
    top_screen_close(screen);
    // The terminal is as it was: xterm leaves its other screen.
    assert_non_null(strstr(written(&terminal), "\x1b[?1049l"));
    close_terminal(&terminal);
}

static void is_as_large_as_the_terminal_is_now(void **state)
{
    const struct winsize size = {.ws_row = 40, .ws_col = 120};
    struct terminal terminal;
    struct top_screen *screen;

    (void)state;
    open_terminal(&terminal, 24, 80);
    assert_int_equal(top_screen_open("xterm", terminal.output, terminal.input, &screen, &problem),
                     CTL_DONE);
    assert_int_equal(ioctl(terminal.master, TIOCSWINSZ, &size), 0);
    top_screen_prepare(screen, &page);
    assert_int_equal(page.rows, 40);
    assert_int_equal(page.columns, 120);
    top_screen_close(screen);
    close_terminal(&terminal);
}

// Colours are the sequences from 30 to 39 of SGR.
static bool has_colours(const char *text)
{
    return strstr(text, "\x1b[31m") || strstr(text, ";31m");
}

static bool draws_alarms_in_colour(const char *kind)
{
    struct terminal terminal;
    struct top_screen *screen;
    bool coloured;

    open_terminal(&terminal, 24, 80);
    assert_int_equal(top_screen_open(kind, terminal.output, terminal.input, &screen, &problem),
                     CTL_DONE);
    top_screen_prepare(screen, &page);
    page_put(&page, 3, 5, 20, PAGE_ALARM, "alarm");
    top_screen_show(screen, &page);
    coloured = has_colours(written(&terminal));
    top_screen_close(screen);
    close_terminal(&terminal);
    return coloured;
}

static void has_colours_only_where_the_terminal_has(void **state)
{
    (void)state;
    assert_true(draws_alarms_in_colour("xterm"));
    assert_false(draws_alarms_in_colour("vt100"));
}

static void refuses_a_terminal_that_it_cannot_draw_on(void **state)
{
    static const char *const kinds[] = {"dumb", "no-such-terminal", "", NULL};
    struct terminal terminal;
    struct top_screen *screen;

    (void)state;
    open_terminal(&terminal, 24, 80);
    for (unsigned i = 0; i < COUNT_OF(kinds); i++) {
        assert_int_equal(
            top_screen_open(kinds[i], terminal.output, terminal.input, &screen, &problem),
            CTL_USAGE);
        assert_non_null(strstr(problem.text, "see TERM"));
    }
    close_terminal(&terminal);
}

static void refuses_what_is_no_terminal(void **state)
{
    FILE *file = fopen("/dev/null", "r+");
    struct top_screen *screen;

    (void)state;
    assert_int_equal(top_screen_open("xterm", file, file, &screen, &problem), CTL_USAGE);
    assert_non_null(strstr(problem.text, "top needs a terminal"));
    fclose(file);
    top_screen_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shows_a_page_and_takes_keys),
        cmocka_unit_test(is_as_large_as_the_terminal_is_now),
        cmocka_unit_test(has_colours_only_where_the_terminal_has),
        cmocka_unit_test(refuses_a_terminal_that_it_cannot_draw_on),
        cmocka_unit_test(refuses_what_is_no_terminal),
    };

    return cmocka_run_group_tests_name("ctl/top_screen", tests, NULL, NULL);
}
