// SPDX-License-Identifier: BSD-3-Clause
// Configurations written to a file and loaded.
#include "settings_fixture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

int settings_fixture_load(const char *text, char **ret_errors, struct settings *ret_settings)
{
    char path[] = "/tmp/turnpike-test-XXXXXX";
    char *errors, *at;
    size_t len;
    FILE *stream = open_memstream(&errors, &len);
    int fd = mkstemp(path), result;

    assert_true(fd >= 0 && stream);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    result = settings_load(path, stream, ret_settings);
    unlink(path);
    fclose(stream);
    while ((at = strstr(errors, path))) {
        memcpy(at, "conf", 4);
        memmove(at + 4, at + strlen(path), strlen(at + strlen(path)) + 1);
    }
    *ret_errors = errors;
    return result;
}

void settings_fixture_refuses(const char *text, const char *expected)
{
    struct settings settings;
    char *errors;

    assert_int_equal(settings_fixture_load(text, &errors, &settings), -EINVAL);
    assert_string_equal(errors, expected);
    free(errors);
}

void settings_fixture_loads(const char *text, struct settings *ret_settings)
{
    char *errors;

    if (settings_fixture_load(text, &errors, ret_settings) != 0)
        fail_msg("%s", errors);
    free(errors);
}
