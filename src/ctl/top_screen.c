// SPDX-License-Identifier: BSD-3-Clause
// Colours where the terminal has them, else bold, dim and reverse.
#include "ctl/top_screen.h"

#include "ctl/top_choice.h"

#include <curses.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <term.h>
#include <unistd.h>

enum {
    ESCAPE_MS = 25,
};

struct top_screen {
    SCREEN *screen;
    int input;
    attr_t styles[PAGE_STYLES];
};

static void choose_styles(struct top_screen *screen)
{
    attr_t *styles = screen->styles;
    bool has_colours = start_color() == OK && has_colors();

    styles[PAGE_PLAIN] = A_NORMAL;
    styles[PAGE_BAR] = A_REVERSE;
    styles[PAGE_TITLE] = A_BOLD;
    styles[PAGE_GOOD] = A_NORMAL;
    styles[PAGE_WARNING] = A_BOLD;
    styles[PAGE_ALARM] = A_BOLD | A_REVERSE;
    styles[PAGE_FAINT] = A_DIM;
    if (!has_colours)
        return;
    use_default_colors();
    init_pair(1, COLOR_CYAN, -1);
    init_pair(2, COLOR_GREEN, -1);
    init_pair(3, COLOR_YELLOW, -1);
    init_pair(4, COLOR_RED, -1);
    styles[PAGE_TITLE] = COLOR_PAIR(1) | A_BOLD;
    styles[PAGE_GOOD] = COLOR_PAIR(2);
    styles[PAGE_WARNING] = COLOR_PAIR(3) | A_BOLD;
    styles[PAGE_ALARM] = COLOR_PAIR(4) | A_BOLD;
}

static void set_up(struct top_screen *screen)
{
    cbreak();
    noecho();
    nonl();
    keypad(stdscr, TRUE);
    nodelay(stdscr, TRUE);
    set_escdelay(ESCAPE_MS);
    curs_set(0);
    choose_styles(screen);
}

enum ctl_status top_screen_open(const char *terminal, FILE *output, FILE *input,
                                struct top_screen **ret_screen, struct problem *problem)
{
    struct top_screen *screen;

    if (!isatty(fileno(output)) || !isatty(fileno(input)))
        return problem_set(problem, CTL_USAGE,
                           "top needs a terminal; scripts have 'turnpike-ctl workers --json'");
    screen = calloc(1, sizeof(*screen));
    if (!screen)
        return problem_set(problem, CTL_UNREACHABLE, "no memory");
    screen->input = fileno(input);
    screen->screen = terminal && *terminal ? newterm(terminal, output, input) : NULL;
    if (!screen->screen || !tigetstr("cup")) {
        top_screen_close(screen);
        return problem_set(problem, CTL_USAGE,
                           "top cannot draw on a terminal of type '%s'; see TERM",
                           terminal ? terminal : "");
    }
    set_up(screen);
    *ret_screen = screen;
    return CTL_DONE;
}

void top_screen_close(struct top_screen *screen)
{
    if (!screen)
        return;
    if (screen->screen) {
        endwin();
        delscreen(screen->screen);
    }
    free(screen);
}

// The size is asked for at each page: whoever sends SIGWINCH, and whoever does not.
void top_screen_prepare(struct top_screen *screen, struct page *page)
{
    struct winsize size;

    if (ioctl(screen->input, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 && size.ws_col > 0 &&
        (size.ws_row != LINES || size.ws_col != COLS))
        resizeterm(size.ws_row, size.ws_col);
    page_clear(page, (unsigned)LINES, (unsigned)COLS);
}

void top_screen_show(struct top_screen *screen, const struct page *page)
{
    erase();
    for (unsigned i = 0; i < page->span_count; i++) {
        const struct page_span *span = &page->spans[i];

        attrset(screen->styles[span->style]);
        mvaddstr((int)span->row, (int)span->column, span->text);
    }
    refresh();
}

int top_screen_take_key(struct top_screen *screen)
{
    int key = getch();

    (void)screen;
    switch (key) {
    case ERR:
        return -1;
    case KEY_UP:
        return TOP_KEY_UP;
    case KEY_DOWN:
        return TOP_KEY_DOWN;
    case KEY_PPAGE:
        return TOP_KEY_PAGE_UP;
    case KEY_NPAGE:
        return TOP_KEY_PAGE_DOWN;
    case KEY_HOME:
        return TOP_KEY_HOME;
    case 0x0c: // Ctrl-L: the screen anew
        clearok(curscr, TRUE);
        return 0;
    default:
        return key < KEY_MIN ? key : 0;
    }
}
