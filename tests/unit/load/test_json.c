// SPDX-License-Identifier: BSD-3-Clause
// bench/load/json.h.
#include "json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static char text[512];

static struct json begin(void)
{
    struct json json = {.stream = fmemopen(text, sizeof(text), "w")};
    assert_non_null(json.stream);
    json_begin(&json, NULL);
    return json;
}

static void end(struct json *json)
{
    json_end(json);
    fclose(json->stream);
}

static void members_are_parted_by_commas_at_every_depth(void **state)
{
    (void)state;
    struct json json = begin();
    json_count(&json, "a", UINT64_MAX);
    json_begin(&json, "b");
    json_number(&json, "c", 0.5);
    json_number(&json, "d", 1e-7);
    json_end(&json);
    json_text(&json, "e", "f");
    end(&json);
    assert_string_equal(text, "{\n  \"a\": 18446744073709551615,\n  \"b\": {\n    \"c\": 0.5,\n"
                              "    \"d\": 1e-07\n  },\n  \"e\": \"f\"\n}\n");
}

static void an_empty_object_has_no_lines(void **state)
{
    (void)state;
    struct json json = begin();
    json_begin(&json, "none");
    json_end(&json);
    json_begin(&json, "also");
    json_end(&json);
    end(&json);
    assert_string_equal(text, "{\n  \"none\": {},\n  \"also\": {}\n}\n");
}

static void text_is_escaped(void **state)
{
    (void)state;
    struct json json = begin();
    json_text(&json, "a", "\"\\\n");
    end(&json);
    assert_string_equal(text, "{\n  \"a\": \"\\\"\\\\\\u000a\"\n}\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_are_parted_by_commas_at_every_depth),
        cmocka_unit_test(an_empty_object_has_no_lines),
        cmocka_unit_test(text_is_escaped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
