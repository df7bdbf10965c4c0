// SPDX-License-Identifier: BSD-3-Clause
// A server's certificate with its key and the certificates that sign it, as files in PEM form have them, and the host
// names that it is good for (RFC 6125).
#pragma once

#include <openssl/types.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stdint.h>

struct certificate_names {
    char **names; // in small letters, sorted, each once
    uint32_t count;
};

struct certificate {
    X509 *leaf;
    STACK_OF(X509) *chain; // those that sign it
    EVP_PKEY *key;
    struct certificate_names names;
    uint64_t expires_s; // the first of leaf and chain to do so, since the epoch
};

// A warning is logged of what expires in less than this.
#define CERTIFICATE_WARNING_DAYS 14

// chain_path: the server's certificate first. key_path: a key that is not encrypted; it may be in the same file. Logs
// what is wrong, and warns of what is not valid at now_s or not much longer. 0; -EINVAL; another -errno: a file cannot
// be read.
int certificate_load(const char *chain_path, const char *key_path, uint64_t now_s,
                     struct certificate *ret_certificate);
void certificate_done(struct certificate *certificate);

void certificate_names_done(struct certificate_names *names);
bool certificate_names_equal(const struct certificate_names *a, const struct certificate_names *b);

// Whether name is among them, in letters of any size; with wildcards: whether one of them that begins with "*." stands
// for it, which means one label.
bool certificate_names_have(const struct certificate_names *names, const char *name);
bool certificate_names_cover(const struct certificate_names *names, const char *name);
