// SPDX-License-Identifier: BSD-3-Clause
// See turn/response.h.
#include "turn/response.h"

#include "turn/redirect.h"

static void begin(const struct turn_request *request, enum stun_class message_class,
                  struct stun_builder *ret_builder)
{
    stun_builder_init(ret_builder, request->output->response, sizeof(request->output->response),
                      message_class, request->message.method, request->message.transaction_id);
}

void response_begin_success(const struct turn_request *request, struct stun_builder *ret_builder)
{
    begin(request, STUN_CLASS_SUCCESS, ret_builder);
}

void response_end(struct turn_request *request, struct stun_builder *builder)
{
    const char *software = request->server->config.stateless.software;
    uint16_t method = request->message.method;
    if (software[0] != '\0' && (method == STUN_METHOD_ALLOCATE || method == STUN_METHOD_REFRESH))
        stun_add_string(builder, STUN_ATTRIBUTE_SOFTWARE, software);
    if (request->answer_sha1)
        stun_add_message_integrity(builder, &request->key);
    else
        stun_add_message_integrity_sha256(builder, &request->key);
    if (request->message.has_fingerprint)
        stun_add_fingerprint(builder);
    request->output->response_len = stun_builder_finish(builder);
}

void response_error(struct turn_request *request, unsigned error)
{
    struct stun_builder builder;
    begin(request, STUN_CLASS_ERROR, &builder);
    stun_add_error_code(&builder, error);
    if (error == STUN_ERROR_UNKNOWN_ATTRIBUTE)
        stun_add_unknown_attributes(&builder, request->message.unknown,
                                    request->message.unknown_count);
    if (error == STUN_ERROR_TRY_ALTERNATE)
        redirect_add_alternates(request, &builder);
    response_end(request, &builder);
    request->output->response_error = error;
    turn_counters_error(&request->server->counters, request->message.method, error);
}
