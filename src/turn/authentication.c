// SPDX-License-Identifier: BSD-3-Clause
// See turn/authentication.h.
#include "turn/authentication.h"

#include <string.h>

static bool realm_is_ours(const struct turn_request *request)
{
    const char *realm = request->server->config.stateless.realm;
    struct span claimed;
    return stun_message_string(&request->message, STUN_ATTRIBUTE_REALM, &claimed) ==
               STUN_VALUE_OK &&
           claimed.len == strlen(realm) && memcmp(claimed.data, realm, claimed.len) == 0;
}

// Without PASSWORD-ALGORITHM the key is MD5's whatever the MAC is, and the answer is a
// MESSAGE-INTEGRITY.
static void read_algorithm(struct turn_request *request)
{
    uint16_t algorithm = STUN_PASSWORD_ALGORITHM_MD5;
    request->answer_sha1 =
        stun_message_password_algorithm(&request->message, &algorithm) != STUN_VALUE_OK;
    request->algorithm = (enum stun_password_algorithm)algorithm;
}

// Has its user this key still? Looked up once for all requests under the same credentials.
static bool stored_key_is_good(struct turn_server *server, uint32_t index)
{
    struct identity *identity = &server->identities.at[index];
    if (identity->generation == server->identities.generation)
        return identity->is_good;
    struct integrity_key key;
    identity_get_key(&server->identities, index, &key);
    identity->is_good = credentials_have_key(server->config.credentials, identity->name,
                                             identity_algorithm(&server->identities, index), &key);
    identity->generation = server->identities.generation;
    integrity_key_cleanse(&key);
    return identity->is_good;
}

// With the key that the allocation was made with: a call goes on after its REST credentials have
// run out.
static enum credentials_verdict check_stored_key(struct turn_request *request, const char *username)
{
    identity_get_key(&request->server->identities, request->allocation->identity, &request->key);
    if (!credentials_mac_matches(&request->message, &request->key)) {
        integrity_key_cleanse(&request->key);
        return CREDENTIALS_WRONG;
    }
    strcpy(request->username, username);
    return CREDENTIALS_OK;
}

enum credentials_verdict authentication_check(struct turn_request *request)
{
    struct turn_server *server = request->server;
    const struct credentials *credentials = server->config.credentials;
    uint64_t wall_s = request->now->wall_s;

    if (!realm_is_ours(request))
        return CREDENTIALS_OTHER_REALM;
    read_algorithm(request);
    if (request->allocation != NULL) {
        const struct identity_table *identities = &server->identities;
        uint32_t identity = request->allocation->identity;
        const char *username = identity_name(identities, identity);
        bool same_user = credentials_names(credentials, &request->message, username);
        if (same_user && request->algorithm == identity_algorithm(identities, identity) &&
            stored_key_is_good(server, identity))
            return check_stored_key(request, username);
        if (same_user)
            wall_s = 0; // the other algorithm's key, or a new one, for a call that goes on
    }
    return credentials_check(credentials, &request->message, request->algorithm, wall_s,
                             &request->key, request->username);
}
