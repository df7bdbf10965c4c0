// SPDX-License-Identifier: BSD-3-Clause
// See turn/session_id.h.
#include "turn/session_id.h"

#include <inttypes.h>
#include <openssl/crypto.h>
#include <stdio.h>

char *session_id_format(uint64_t session_id, char text[SESSION_ID_TEXT_LEN])
{
    snprintf(text, SESSION_ID_TEXT_LEN, "%016" PRIx64, session_id);
    return text;
}

bool session_id_parse(const char *text, uint64_t *ret_session_id)
{
    uint64_t session_id = 0;
    for (unsigned i = 0; i < SESSION_ID_TEXT_LEN - 1; i++) {
        int value = OPENSSL_hexchar2int((unsigned char)text[i]); // -1 of the NUL, too
        if (value < 0)
            return false;
        session_id = session_id << 4 | (unsigned)value;
    }
    if (text[SESSION_ID_TEXT_LEN - 1] != '\0')
        return false;
    *ret_session_id = session_id;
    return true;
}
