// SPDX-License-Identifier: BSD-3-Clause
// See control/login_log.h. The address comes first, so that no name can take its place.
#include "control/login_log.h"

#include "base/log.h"

// Of a time-limited name that has run out the password was right: no attack.
static enum log_level level_of(enum credentials_verdict verdict)
{
    return verdict == CREDENTIALS_EXPIRED ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING;
}

static const char *reason_of(enum credentials_verdict verdict)
{
    switch (verdict) {
    case CREDENTIALS_UNKNOWN_USER:
        return "unknown_user";
    case CREDENTIALS_EXPIRED:
        return "expired";
    case CREDENTIALS_OTHER_REALM:
        return "other_realm";
    default:
        return "wrong_password";
    }
}

static const char *transport_of(const struct five_tuple *five_tuple)
{
    return five_tuple_transport_name((enum five_tuple_transport)five_tuple->transport);
}

void login_log_refused(const struct turn_packet *packet, const struct turn_output *output)
{
    const struct five_tuple *five_tuple = &packet->five_tuple;
    enum log_level level = level_of(output->login);
    char client[IP_ADDRESS_TEXT_LEN];
    struct log_line line;

    if (output->login == CREDENTIALS_OK || !log_begin(&line, level, "login_refused"))
        return;
    log_line_pair(&line, "client", ip_address_format(&five_tuple->client.ip, client));
    log_line_number(&line, "port", five_tuple->client.port);
    log_line_pair(&line, "transport", transport_of(five_tuple));
    log_line_pair(&line, "reason", reason_of(output->login));
    if (output->login_user.len > 0)
        log_line_bytes(&line, "user", output->login_user.data, output->login_user.len);
    log_end(&line, level);
}
