// SPDX-License-Identifier: BSD-3-Clause
// See turn/credentials.h.
#include "turn/credentials.h"

#include "base/index_map.h"
#include "base/random.h"
#include "proto/opaque_string.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#define USERS_MIN         16
#define REST_PASSWORD_LEN 28 // base64 of the MAC

struct user {
    char *name;
    uint8_t userhash[USERHASH_LEN];
    struct integrity_key md5; // len 0: refused for this user
    struct integrity_key sha256;
};

struct rest_secret {
    uint8_t *bytes;
    size_t len;
};

struct credentials {
    char realm[STUN_STRING_MAX_LEN + 1];
    struct user *users;
    uint32_t user_count;
    uint32_t user_capacity; // of both maps too
    struct siphash_key map_key;
    struct index_map by_name;
    struct index_map by_userhash;
    struct rest_secret *secrets;
    size_t secret_count;
    struct integrity_key nobody; // random: an unknown user's request is checked with it
};

static struct span span_of(const char *text)
{
    return (struct span){.data = (const uint8_t *)text, .len = strlen(text)};
}

int credentials_create(const char *realm, struct credentials **ret_credentials)
{
    struct credentials *credentials = calloc(1, sizeof(*credentials));
    if (credentials == NULL)
        return -ENOMEM;
    if (opaque_string_prepare(span_of(realm), credentials->realm, STUN_STRING_MAX_LEN) != 0) {
        free(credentials);
        return -EINVAL;
    }
    random_fill(&random_system, &credentials->map_key, sizeof(credentials->map_key));
    random_fill(&random_system, credentials->nobody.bytes, sizeof(credentials->nobody.bytes));
    credentials->nobody.len = 32;
    *ret_credentials = credentials;
    return 0;
}

void credentials_destroy(struct credentials *credentials)
{
    if (credentials == NULL)
        return;
    for (uint32_t i = 0; i < credentials->user_count; i++)
        free(credentials->users[i].name);
    for (size_t i = 0; i < credentials->secret_count; i++)
        OPENSSL_clear_free(credentials->secrets[i].bytes, credentials->secrets[i].len);
    OPENSSL_clear_free(credentials->users,
                       credentials->user_capacity * sizeof(*credentials->users));
    free(credentials->secrets);
    index_map_done(&credentials->by_name);
    index_map_done(&credentials->by_userhash);
    free(credentials);
}

static const struct user *find_name(const struct credentials *credentials, struct span name)
{
    if (credentials->user_count == 0)
        return NULL;
    struct index_map_walk walk;
    uint32_t hash = index_map_hash(&credentials->by_name, name.data, name.len);
    uint32_t at = index_map_first(&credentials->by_name, hash, &walk);
    for (; at != INDEX_NONE; at = index_map_next(&credentials->by_name, &walk)) {
        const struct user *user = &credentials->users[at];
        if (strlen(user->name) == name.len && memcmp(user->name, name.data, name.len) == 0)
            return user;
    }
    return NULL;
}

static const struct user *find_userhash(const struct credentials *credentials,
                                        const uint8_t *userhash)
{
    if (credentials->user_count == 0)
        return NULL;
    struct index_map_walk walk;
    uint32_t hash = index_map_hash(&credentials->by_userhash, userhash, USERHASH_LEN);
    uint32_t at = index_map_first(&credentials->by_userhash, hash, &walk);
    for (; at != INDEX_NONE; at = index_map_next(&credentials->by_userhash, &walk)) {
        if (memcmp(credentials->users[at].userhash, userhash, USERHASH_LEN) == 0)
            return &credentials->users[at];
    }
    return NULL;
}

static void map_user(struct credentials *credentials, uint32_t index)
{
    const struct user *user = &credentials->users[index];
    index_map_insert(&credentials->by_name,
                     index_map_hash(&credentials->by_name, user->name, strlen(user->name)), index);
    index_map_insert(&credentials->by_userhash,
                     index_map_hash(&credentials->by_userhash, user->userhash, USERHASH_LEN),
                     index);
}

// Twice the room. The old array held keys.
static int grow_users(struct credentials *credentials)
{
    uint32_t capacity = credentials->user_capacity ? credentials->user_capacity * 2 : USERS_MIN;
    struct index_map by_name = {0};
    struct index_map by_userhash = {0};
    struct user *users = OPENSSL_zalloc(capacity * sizeof(*users));
    if (users == NULL || index_map_init(&by_name, capacity, &credentials->map_key) != 0 ||
        index_map_init(&by_userhash, capacity, &credentials->map_key) != 0) {
        OPENSSL_free(users);
        index_map_done(&by_name);
        return -ENOMEM;
    }
    if (credentials->user_count > 0)
        memcpy(users, credentials->users, credentials->user_count * sizeof(*users));
    OPENSSL_clear_free(credentials->users, credentials->user_capacity * sizeof(*users));
    index_map_done(&credentials->by_name);
    index_map_done(&credentials->by_userhash);
    credentials->users = users;
    credentials->user_capacity = capacity;
    credentials->by_name = by_name;
    credentials->by_userhash = by_userhash;
    for (uint32_t i = 0; i < credentials->user_count; i++)
        map_user(credentials, i);
    return 0;
}

// name is prepared.
static int add_user(struct credentials *credentials, const char *name,
                    const struct integrity_key *md5, const struct integrity_key *sha256)
{
    if (find_name(credentials, span_of(name)) != NULL)
        return -EEXIST;
    if (credentials->user_count == credentials->user_capacity && grow_users(credentials) != 0)
        return -ENOMEM;
    struct user user = {.name = strdup(name), .md5 = *md5, .sha256 = *sha256};
    if (user.name == NULL)
        return -ENOMEM;
    integrity_userhash(span_of(name), span_of(credentials->realm), user.userhash);
    credentials->users[credentials->user_count] = user;
    map_user(credentials, credentials->user_count++);
    OPENSSL_cleanse(&user, sizeof(user));
    return 0;
}

int credentials_add_user(struct credentials *credentials, const char *name, const char *password)
{
    char prepared_name[USERNAME_MAX_LEN + 1];
    char prepared_password[STUN_STRING_MAX_LEN + 1];
    if (opaque_string_prepare(span_of(name), prepared_name, USERNAME_MAX_LEN) != 0 ||
        opaque_string_prepare(span_of(password), prepared_password, STUN_STRING_MAX_LEN) != 0)
        return -EINVAL;
    // An OpenSSL without MD5 (FIPS) leaves that key empty: refused.
    struct integrity_key md5 = {0};
    struct integrity_key sha256 = {0};
    integrity_key_derive(STUN_PASSWORD_ALGORITHM_MD5, span_of(prepared_name),
                         span_of(credentials->realm), span_of(prepared_password), &md5);
    integrity_key_derive(STUN_PASSWORD_ALGORITHM_SHA256, span_of(prepared_name),
                         span_of(credentials->realm), span_of(prepared_password), &sha256);
    int error = add_user(credentials, prepared_name, &md5, &sha256);
    OPENSSL_cleanse(prepared_password, sizeof(prepared_password));
    integrity_key_cleanse(&md5);
    integrity_key_cleanse(&sha256);
    return error;
}

static struct integrity_key key_of(const uint8_t *bytes, uint8_t len)
{
    struct integrity_key key = {0};
    if (bytes != NULL) {
        memcpy(key.bytes, bytes, len);
        key.len = len;
    }
    return key;
}

int credentials_add_user_keys(struct credentials *credentials, const char *name,
                              const uint8_t md5[16], const uint8_t sha256[32])
{
    char prepared_name[USERNAME_MAX_LEN + 1];
    if (opaque_string_prepare(span_of(name), prepared_name, USERNAME_MAX_LEN) != 0)
        return -EINVAL;
    struct integrity_key md5_key = key_of(md5, 16);
    struct integrity_key sha256_key = key_of(sha256, 32);
    int error = add_user(credentials, prepared_name, &md5_key, &sha256_key);
    integrity_key_cleanse(&md5_key);
    integrity_key_cleanse(&sha256_key);
    return error;
}

int credentials_add_rest_secret(struct credentials *credentials, struct span secret)
{
    if (secret.len == 0)
        return -EINVAL;
    struct rest_secret *secrets =
        reallocarray(credentials->secrets, credentials->secret_count + 1, sizeof(*secrets));
    if (secrets == NULL)
        return -ENOMEM;
    credentials->secrets = secrets;
    uint8_t *copy = OPENSSL_memdup(secret.data, secret.len);
    if (copy == NULL)
        return -ENOMEM;
    credentials->secrets[credentials->secret_count++] =
        (struct rest_secret){.bytes = copy, .len = secret.len};
    return 0;
}

// USERNAME as OpaqueString leaves it, terminated. False: absent, or text that no user can have.
static bool read_username(const struct stun_message *message, char name[USERNAME_MAX_LEN + 1])
{
    struct span raw;
    return stun_message_string(message, STUN_ATTRIBUTE_USERNAME, &raw) == STUN_VALUE_OK &&
           opaque_string_prepare(raw, name, USERNAME_MAX_LEN) == 0;
}

bool credentials_names(const struct credentials *credentials, const struct stun_message *message,
                       const char *username)
{
    if (stun_message_has(message, STUN_ATTRIBUTE_USERNAME)) {
        char name[USERNAME_MAX_LEN + 1];
        return read_username(message, name) && strcmp(name, username) == 0;
    }
    const uint8_t *claimed;
    uint8_t userhash[USERHASH_LEN];
    if (stun_message_userhash(message, &claimed) != STUN_VALUE_OK)
        return false;
    integrity_userhash(span_of(username), span_of(credentials->realm), userhash);
    return memcmp(claimed, userhash, sizeof(userhash)) == 0;
}

bool credentials_mac_matches(const struct stun_message *message, const struct integrity_key *key)
{
    if (message->integrity_sha256_offset != 0)
        return integrity_check_sha256(message, key);
    return integrity_check_sha1(message, key);
}

// "timestamp" or "timestamp:userid". False for a name of another form.
static bool parse_rest_name(struct span name, uint64_t *ret_timestamp_s, struct span *ret_userid)
{
    uint64_t timestamp_s = 0;
    size_t i = 0;
    for (; i < name.len && name.data[i] >= '0' && name.data[i] <= '9'; i++) {
        if (__builtin_mul_overflow(timestamp_s, 10, &timestamp_s) ||
            __builtin_add_overflow(timestamp_s, name.data[i] - '0', &timestamp_s))
            return false;
    }
    if (i == 0 || (i < name.len && name.data[i] != ':'))
        return false;
    size_t userid_start = i < name.len ? i + 1 : i;
    *ret_timestamp_s = timestamp_s;
    *ret_userid = (struct span){.data = name.data + userid_start, .len = name.len - userid_start};
    return true;
}

// password = base64(HMAC-SHA1(secret, username))
static int derive_rest_key(const struct credentials *credentials, const struct rest_secret *secret,
                           struct span username, enum stun_password_algorithm algorithm,
                           struct integrity_key *ret_key)
{
    uint8_t mac[INTEGRITY_SHA1_LEN];
    uint8_t password[REST_PASSWORD_LEN + 1];
    integrity_hmac_sha1((struct span){secret->bytes, secret->len}, username, mac);
    EVP_EncodeBlock(password, mac, sizeof(mac));
    int error =
        integrity_key_derive(algorithm, username, span_of(credentials->realm),
                             (struct span){.data = password, .len = REST_PASSWORD_LEN}, ret_key);
    OPENSSL_cleanse(mac, sizeof(mac));
    OPENSSL_cleanse(password, sizeof(password));
    return error;
}

static bool keys_equal(const struct integrity_key *left, const struct integrity_key *right)
{
    return left->len == right->len && CRYPTO_memcmp(left->bytes, right->bytes, left->len) == 0;
}

static bool secrets_have_key(const struct credentials *credentials, struct span username,
                             enum stun_password_algorithm algorithm,
                             const struct integrity_key *key)
{
    bool found = false;
    for (size_t i = 0; !found && i < credentials->secret_count; i++) {
        struct integrity_key derived;
        if (derive_rest_key(credentials, &credentials->secrets[i], username, algorithm, &derived) !=
            0)
            return false;
        found = keys_equal(&derived, key);
        integrity_key_cleanse(&derived);
    }
    return found;
}

bool credentials_have_key(const struct credentials *credentials, const char *username,
                          enum stun_password_algorithm algorithm, const struct integrity_key *key)
{
    const struct user *user = find_name(credentials, span_of(username));
    uint64_t timestamp_s;
    struct span userid;
    if (user != NULL)
        return keys_equal(algorithm == STUN_PASSWORD_ALGORITHM_SHA256 ? &user->sha256 : &user->md5,
                          key);
    return parse_rest_name(span_of(username), &timestamp_s, &userid) &&
           secrets_have_key(credentials, span_of(username), algorithm, key);
}

static enum credentials_verdict check_rest(const struct credentials *credentials,
                                           const struct stun_message *message,
                                           enum stun_password_algorithm algorithm,
                                           struct span username, bool expired,
                                           struct integrity_key *ret_key)
{
    for (size_t i = 0; i < credentials->secret_count; i++) {
        struct integrity_key key;
        if (derive_rest_key(credentials, &credentials->secrets[i], username, algorithm, &key) != 0)
            return CREDENTIALS_WRONG;
        if (credentials_mac_matches(message, &key)) {
            if (!expired)
                *ret_key = key;
            integrity_key_cleanse(&key);
            return expired ? CREDENTIALS_EXPIRED : CREDENTIALS_OK;
        }
        integrity_key_cleanse(&key);
    }
    return CREDENTIALS_WRONG;
}

// user NULL: nobody, who is checked like anybody else and never passes.
static enum credentials_verdict check_user(const struct credentials *credentials,
                                           const struct stun_message *message,
                                           enum stun_password_algorithm algorithm,
                                           const struct user *user, struct integrity_key *ret_key)
{
    const struct integrity_key *key = &credentials->nobody;
    if (user != NULL && algorithm == STUN_PASSWORD_ALGORITHM_MD5 && user->md5.len != 0)
        key = &user->md5;
    if (user != NULL && algorithm == STUN_PASSWORD_ALGORITHM_SHA256 && user->sha256.len != 0)
        key = &user->sha256;
    bool matches = credentials_mac_matches(message, key);
    if (user == NULL)
        return CREDENTIALS_UNKNOWN_USER;
    if (!matches || key == &credentials->nobody)
        return CREDENTIALS_WRONG;
    *ret_key = *key;
    return CREDENTIALS_OK;
}

enum credentials_verdict credentials_check(const struct credentials *credentials,
                                           const struct stun_message *message,
                                           enum stun_password_algorithm algorithm, uint64_t wall_s,
                                           struct integrity_key *ret_key, char *ret_username)
{
    char name[USERNAME_MAX_LEN + 1] = "";
    const uint8_t *userhash;
    const struct user *user = NULL;
    uint64_t timestamp_s;
    struct span userid;
    enum credentials_verdict verdict;

    if (read_username(message, name))
        user = find_name(credentials, span_of(name));
    else if (stun_message_userhash(message, &userhash) == STUN_VALUE_OK)
        user = find_userhash(credentials, userhash);

    if (user == NULL && credentials->secret_count > 0 &&
        parse_rest_name(span_of(name), &timestamp_s, &userid))
        verdict = check_rest(credentials, message, algorithm, span_of(name), timestamp_s < wall_s,
                             ret_key);
    else
        verdict = check_user(credentials, message, algorithm, user, ret_key);
    if (verdict == CREDENTIALS_OK)
        strcpy(ret_username, user != NULL ? user->name : name);
    return verdict;
}

struct span credentials_quota_name(const struct credentials *credentials, const char *username)
{
    struct span name = span_of(username);
    uint64_t timestamp_s;
    struct span userid;
    if (credentials->secret_count > 0 && find_name(credentials, name) == NULL &&
        parse_rest_name(name, &timestamp_s, &userid) && userid.len > 0)
        return userid;
    return name;
}
