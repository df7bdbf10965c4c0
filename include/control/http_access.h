// SPDX-License-Identifier: BSD-3-Clause
// Who may ask the HTTP server for what is not for everybody, and over what: a certificate for TLS,
// and bearer tokens (RFC 6750). Read from files, anew when the relay's configuration is.
#pragma once

#include <openssl/types.h>
#include <stdbool.h>
#include <stdint.h>

struct http_access;
struct settings;

#define HTTP_ACCESS_TOKENS_MAX    8 // more than one, so that readers can change one after the other
#define HTTP_ACCESS_TOKEN_MIN_LEN 16
#define HTTP_ACCESS_FILE_MAX_LEN  4096

// Reads the files that settings name, which may be none, and logs what is wrong with one. 0 or
// -errno.
int http_access_create(const struct settings *settings, struct http_access **ret_access);
void http_access_destroy(struct http_access *access);
// From now on access is what fresh was, which is destroyed. Connections that live keep what they
// have.
void http_access_take(struct http_access *access, struct http_access *fresh);

bool http_access_has_tls(const struct http_access *access);
// A connection of a server; it is freed with SSL_free. NULL: no memory.
SSL *http_access_new_ssl(const struct http_access *access);
// When the first of its certificates expires, in seconds since the epoch; 0: there are none.
uint64_t http_access_expires_s(const struct http_access *access);

bool http_access_has_tokens(const struct http_access *access);
// Whether the value of an Authorization header (NULL: there is none) has one of the tokens. How
// long that takes says nothing of them.
bool http_access_allows(const struct http_access *access, const char *authorization);
