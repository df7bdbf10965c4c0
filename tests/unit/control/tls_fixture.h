// SPDX-License-Identifier: BSD-3-Clause
// Certificates in files, and the log lines about them.
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum tls_fixture_key { TLS_FIXTURE_EC, TLS_FIXTURE_RSA, TLS_FIXTURE_SMALL_RSA, TLS_FIXTURE_KEY_COUNT };

struct tls_fixture_certificate {
    const char *names;       // as OpenSSL's subjectAltName has them, NULL: none
    const char *common_name; // NULL: none
    int common_name_len;     // 0: up to its end
    enum tls_fixture_key key;
    long starts_in_s, ends_in_s; // from now; both 0: an hour ago, in 90 days
};

// A directory of its own, taken away with all files in it.
void tls_fixture_init(void);
void tls_fixture_done(void);

// The whole path of a file there, in one of a few buffers that serve in turn.
const char *tls_fixture_path(const char *name);

// Self-signed, as NAME.pem with NAME.key. Keys of one kind are the same; another: a new one.
void tls_fixture_write(const char *name, const struct tls_fixture_certificate *certificate);
void tls_fixture_write_other_key(const char *name, enum tls_fixture_key key);
void tls_fixture_write_encrypted_key(const char *name, enum tls_fixture_key key);
void tls_fixture_write_text(const char *name, const char *text);
// Appends one file to another.
void tls_fixture_append(const char *name, const char *what);

// Whether a line was logged since then that has all three; forgets them all.
bool tls_fixture_logged(const char *level, const char *event, const char *text);
// Forgets them too.
bool tls_fixture_logged_nothing(void);
