// SPDX-License-Identifier: BSD-3-Clause
// Certificates in files, and the log lines about them.
#include "tls_fixture.h"

#include "base/log.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define PATHS     8
#define FILES_MAX 64
#define DAY_S     86400

static char directory[] = "/tmp/turnpike-test-XXXXXX";
static char files[FILES_MAX][32];
static unsigned file_count;
static EVP_PKEY *keys[TLS_FIXTURE_KEY_COUNT];
static char lines[16384];

// Instead of src/base/log.c.
void log_message(enum log_level level, const char *event, const char *format, ...)
{
    static const char *const levels[] = {"error", "warning", "info", "debug"};
    size_t len = strlen(lines);
    va_list arguments;

    len += (size_t)snprintf(lines + len, sizeof(lines) - len, "%s %s ", levels[level], event);
    va_start(arguments, format);
    len += (size_t)vsnprintf(lines + len, sizeof(lines) - len, format, arguments);
    va_end(arguments);
    snprintf(lines + len, sizeof(lines) - len, "\n");
}

void log_event(enum log_level level, const char *event, ...)
{
    char text[256] = "";
    size_t len = 0;
    const char *key;
    va_list pairs;

    va_start(pairs, event);
    while ((key = va_arg(pairs, const char *)))
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s=%s", len > 0 ? " " : "", key,
                                va_arg(pairs, const char *));
    va_end(pairs);
    log_message(level, event, "%s", text);
}

bool tls_fixture_logged(const char *level, const char *event, const char *text)
{
    char start[128];
    bool found = false;

    snprintf(start, sizeof(start), "%s %s ", level, event);
    for (char *line = strtok(lines, "\n"); line; line = strtok(NULL, "\n"))
        found |= strncmp(line, start, strlen(start)) == 0 && strstr(line, text);
    lines[0] = '\0';
    return found;
}

bool tls_fixture_logged_nothing(void)
{
    bool nothing = lines[0] == '\0';

    if (!nothing)
        print_error("%s", lines);
    lines[0] = '\0';
    return nothing;
}

static EVP_PKEY *make_key(enum tls_fixture_key key)
{
    EVP_PKEY *made = key == TLS_FIXTURE_EC    ? EVP_EC_gen("P-256")
                     : key == TLS_FIXTURE_RSA ? EVP_RSA_gen(2048)
                                              : EVP_RSA_gen(1024);

    assert_non_null(made);
    return made;
}

void tls_fixture_init(void)
{
    assert_non_null(mkdtemp(directory));
    for (unsigned i = 0; i < TLS_FIXTURE_KEY_COUNT; i++)
        keys[i] = make_key(i);
}

void tls_fixture_done(void)
{
    for (unsigned i = 0; i < file_count; i++)
        unlink(tls_fixture_path(files[i]));
    rmdir(directory);
    for (unsigned i = 0; i < TLS_FIXTURE_KEY_COUNT; i++)
        EVP_PKEY_free(keys[i]);
}

const char *tls_fixture_path(const char *name)
{
    static char paths[PATHS][64];
    static unsigned next;
    char *path = paths[next++ % PATHS];

    snprintf(path, sizeof(paths[0]), "%s/%s", directory, name);
    return path;
}

static FILE *open_file(const char *name, const char *suffix, const char *mode)
{
    char whole[32];
    FILE *file;
    unsigned i = 0;

    snprintf(whole, sizeof(whole), "%s%s", name, suffix);
    while (i < file_count && strcmp(files[i], whole) != 0)
        i++;
    if (i == file_count) {
        assert_true(file_count < FILES_MAX);
        strcpy(files[file_count++], whole);
    }
    file = fopen(tls_fixture_path(whole), mode);
    assert_non_null(file);
    return file;
}

static void write_key(const char *name, EVP_PKEY *key, const EVP_CIPHER *cipher)
{
    FILE *file = open_file(name, ".key", "w");

    assert_int_equal(PEM_write_PrivateKey(file, key, cipher,
                                          cipher ? (const unsigned char *)"secret" : NULL,
                                          cipher ? 6 : 0, NULL, NULL),
                     1);
    fclose(file);
}

static void add_names(X509 *x509, const char *names)
{
    X509V3_CTX context;
    X509_EXTENSION *extension;

    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, x509, x509, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &context, NID_subject_alt_name, names);
    assert_non_null(extension);
    assert_int_equal(X509_add_ext(x509, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

void tls_fixture_write(const char *name, const struct tls_fixture_certificate *certificate)
{
    bool usual = certificate->starts_in_s == 0 && certificate->ends_in_s == 0;
    EVP_PKEY *key = keys[certificate->key];
    X509 *x509 = X509_new();
    FILE *file = open_file(name, ".pem", "w");

    assert_non_null(x509);
    X509_set_version(x509, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(x509), 1);
    X509_gmtime_adj(X509_getm_notBefore(x509), usual ? -3600 : certificate->starts_in_s);
    X509_gmtime_adj(X509_getm_notAfter(x509), usual ? 90 * DAY_S : certificate->ends_in_s);
    X509_set_pubkey(x509, key);
    if (certificate->common_name)
        X509_NAME_add_entry_by_txt(X509_get_subject_name(x509), "CN", MBSTRING_UTF8,
                                   (const unsigned char *)certificate->common_name,
                                   certificate->common_name_len ? certificate->common_name_len : -1,
                                   -1, 0);
    X509_set_issuer_name(x509, X509_get_subject_name(x509));
    if (certificate->names)
        add_names(x509, certificate->names);
    assert_true(X509_sign(x509, key, EVP_sha256()) > 0);
    assert_int_equal(PEM_write_X509(file, x509), 1);
    fclose(file);
    X509_free(x509);
    write_key(name, key, NULL);
}

void tls_fixture_write_other_key(const char *name, enum tls_fixture_key key)
{
    EVP_PKEY *other = make_key(key);

    write_key(name, other, NULL);
    EVP_PKEY_free(other);
}

void tls_fixture_write_encrypted_key(const char *name, enum tls_fixture_key key)
{
    write_key(name, keys[key], EVP_aes_256_cbc());
}

void tls_fixture_write_text(const char *name, const char *text)
{
    FILE *file = open_file(name, "", "w");

    assert_true(fputs(text, file) >= 0);
    fclose(file);
}

void tls_fixture_append(const char *name, const char *what)
{
    FILE *from = fopen(tls_fixture_path(what), "r"), *to = open_file(name, "", "a");
    int character;

    assert_non_null(from);
    while ((character = fgetc(from)) != EOF)
        fputc(character, to);
    fclose(from);
    fclose(to);
}
