// SPDX-License-Identifier: BSD-3-Clause
// See turn/end.h.
#include "turn/end.h"

const char *turn_end_name(enum turn_end end)
{
    static const char *const names[TURN_END_COUNT] = {
#define X(id, name) [TURN_END_##id] = #name,
        TURN_END_LIST(X)
#undef X
    };
    return names[end];
}
