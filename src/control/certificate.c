// SPDX-License-Identifier: BSD-3-Clause
// Reads certificates and keys with OpenSSL, and says of each mistake which file has it.
#include "control/certificate.h"

#include "base/log.h"

#include <errno.h>
#include <openssl/asn1.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define DAY_S 86400

static int open_file(const char *path, BIO **ret_bio)
{
    FILE *file = fopen(path, "re");
    BIO *bio;

    if (!file) {
        int error = -errno;

        log_message(LOG_LEVEL_ERROR, "certificate",
                    "%s cannot be read: %s; the user that the relay runs as must be able to", path,
                    strerror(-error));
        return error;
    }
    bio = BIO_new_fp(file, BIO_CLOSE);
    if (!bio) {
        fclose(file);
        return -ENOMEM;
    }
    *ret_bio = bio;
    return 0;
}

static bool file_has_ended(void)
{
    return ERR_GET_LIB(ERR_peek_last_error()) == ERR_LIB_PEM &&
           ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
}

static int read_chain(const char *path, BIO *bio, struct certificate *certificate)
{
    X509 *signer;

    certificate->leaf = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    certificate->chain = sk_X509_new_null();
    while (certificate->leaf && certificate->chain &&
           (signer = PEM_read_bio_X509(bio, NULL, NULL, NULL))) {
        if (!sk_X509_push(certificate->chain, signer)) {
            X509_free(signer);
            return -ENOMEM;
        }
    }
    if (!certificate->chain)
        return -ENOMEM;
    if (certificate->leaf && file_has_ended())
        return 0;
    log_message(LOG_LEVEL_ERROR, "certificate",
                certificate->leaf || !file_has_ended()
                    ? "%s has a certificate that is damaged; it must be whole, in PEM form"
                    : "%s has no certificate in PEM form; the server's own must be there first, "
                      "and behind it those that sign it",
                path);
    return -EINVAL;
}

// Instead of a prompt on the terminal.
static int note_encryption(char *ret_password, int capacity, int writing, void *is_encrypted)
{
    (void)ret_password;
    (void)capacity;
    (void)writing;
    *(bool *)is_encrypted = true;
    return -1;
}

static int read_key(const char *path, BIO *bio, struct certificate *certificate)
{
    bool is_encrypted = false;

    certificate->key = PEM_read_bio_PrivateKey(bio, NULL, note_encryption, &is_encrypted);
    if (certificate->key)
        return 0;
    log_message(LOG_LEVEL_ERROR, "certificate",
                is_encrypted ? "the private key in %s is encrypted; 'openssl pkey -in FILE -out "
                               "NEW' decrypts it, and NEW should be readable by the relay alone"
                             : "%s has no private key in PEM form that OpenSSL can read",
                path);
    return -EINVAL;
}

static int read_files(const char *chain_path, const char *key_path, struct certificate *certificate)
{
    BIO *bio = NULL;
    int error = open_file(chain_path, &bio);

    if (error)
        return error;
    error = read_chain(chain_path, bio, certificate);
    BIO_free(bio);
    if (error)
        return error;
    error = open_file(key_path, &bio);
    if (error)
        return error;
    error = read_key(key_path, bio, certificate);
    BIO_free(bio);
    if (error)
        return error;
    if (X509_check_private_key(certificate->leaf, certificate->key) == 1)
        return 0;
    log_message(LOG_LEVEL_ERROR, "certificate",
                "the key in %s is not that of the first certificate in %s; the server's own "
                "certificate must be first, and the key its own",
                key_path, chain_path);
    return -EINVAL;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

// What has a zero byte, or nothing, is no host name. Letters become small.
static int add_name(struct certificate_names *names, const ASN1_STRING *string)
{
    size_t len = (size_t)ASN1_STRING_length(string);
    const char *text = (const char *)ASN1_STRING_get0_data(string);
    char **grown, *name;

    if (len == 0 || memchr(text, '\0', len))
        return 0;
    grown = realloc(names->names, (names->count + 1) * sizeof(*grown));
    if (!grown)
        return -ENOMEM;
    names->names = grown;
    name = strndup(text, len);
    if (!name)
        return -ENOMEM;
    for (char *letter = name; *letter; letter++)
        *letter = *letter >= 'A' && *letter <= 'Z' ? (char)(*letter - 'A' + 'a') : *letter;
    names->names[names->count++] = name;
    return 0;
}

static int add_alternative_names(const X509 *leaf, struct certificate_names *names)
{
    GENERAL_NAMES *alternatives = X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
    int error = 0;

    for (int i = 0; !error && i < sk_GENERAL_NAME_num(alternatives); i++) {
        const GENERAL_NAME *alternative = sk_GENERAL_NAME_value(alternatives, i);

        if (alternative->type == GEN_DNS)
            error = add_name(names, alternative->d.dNSName);
    }
    GENERAL_NAMES_free(alternatives);
    return error;
}

// RFC 6125 section 6.4.4: the common name counts only where there is no better one.
static int add_common_name(const X509 *leaf, struct certificate_names *names)
{
    const X509_NAME *subject = X509_get_subject_name(leaf);
    int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);

    return at < 0 ? 0 : add_name(names, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
}

static void sort_names(struct certificate_names *names)
{
    uint32_t count = 0;

    if (names->count == 0)
        return;
    qsort(names->names, names->count, sizeof(*names->names), compare_names);
    for (uint32_t i = 0; i < names->count; i++) {
        if (count > 0 && strcmp(names->names[count - 1], names->names[i]) == 0)
            free(names->names[i]);
        else
            names->names[count++] = names->names[i];
    }
    names->count = count;
}

static int read_names(const X509 *leaf, struct certificate_names *names)
{
    int error = add_alternative_names(leaf, names);

    if (!error && names->count == 0)
        error = add_common_name(leaf, names);
    sort_names(names);
    return error;
}

// Before 1970: 0.
static uint64_t time_s(const ASN1_TIME *time)
{
    struct tm broken_down;
    time_t seconds = ASN1_TIME_to_tm(time, &broken_down) == 1 ? timegm(&broken_down) : 0;

    return seconds > 0 ? (uint64_t)seconds : 0;
}

static void find_expiry(struct certificate *certificate)
{
    certificate->expires_s = time_s(X509_get0_notAfter(certificate->leaf));
    for (int i = 0; i < sk_X509_num(certificate->chain); i++) {
        uint64_t expires_s = time_s(X509_get0_notAfter(sk_X509_value(certificate->chain, i)));

        if (expires_s < certificate->expires_s)
            certificate->expires_s = expires_s;
    }
}

// Served nevertheless: no relay at all is worse, and clocks can be wrong.
static void warn_of_validity(const char *path, const struct certificate *certificate,
                             uint64_t now_s)
{
    if (time_s(X509_get0_notBefore(certificate->leaf)) > now_s)
        log_message(
            LOG_LEVEL_WARNING, "certificate_not_yet_valid",
            "%s is not valid yet; clients will refuse it until it is, or this clock is wrong",
            path);
    if (certificate->expires_s <= now_s)
        log_message(LOG_LEVEL_WARNING, "certificate_expired",
                    "%s has a certificate that has expired; clients refuse it: renew it, and let "
                    "the relay reload",
                    path);
    else if (certificate->expires_s - now_s < CERTIFICATE_WARNING_DAYS * DAY_S)
        log_message(LOG_LEVEL_WARNING, "certificate_expires",
                    "%s has a certificate that expires in %u days; renew it, and let the relay "
                    "reload",
                    path, (unsigned)((certificate->expires_s - now_s) / DAY_S));
}

int certificate_load(const char *chain_path, const char *key_path, uint64_t now_s,
                     struct certificate *ret_certificate)
{
    struct certificate certificate = {};
    int error;

    ERR_clear_error();
    error = read_files(chain_path, key_path, &certificate);
    if (!error)
        error = read_names(certificate.leaf, &certificate.names);
    ERR_clear_error();
    if (error) {
        certificate_done(&certificate);
        return error;
    }
    find_expiry(&certificate);
    warn_of_validity(chain_path, &certificate, now_s);
    *ret_certificate = certificate;
    return 0;
}

void certificate_done(struct certificate *certificate)
{
    X509_free(certificate->leaf);
    sk_X509_pop_free(certificate->chain, X509_free);
    EVP_PKEY_free(certificate->key);
    certificate_names_done(&certificate->names);
    *certificate = (struct certificate){};
}

void certificate_names_done(struct certificate_names *names)
{
    for (uint32_t i = 0; i < names->count; i++)
        free(names->names[i]);
    free(names->names);
    *names = (struct certificate_names){};
}

bool certificate_names_equal(const struct certificate_names *a, const struct certificate_names *b)
{
    if (a->count != b->count)
        return false;
    for (uint32_t i = 0; i < a->count; i++) {
        if (strcmp(a->names[i], b->names[i]) != 0)
            return false;
    }
    return true;
}

bool certificate_names_have(const struct certificate_names *names, const char *name)
{
    for (uint32_t i = 0; i < names->count; i++) {
        if (strcasecmp(names->names[i], name) == 0)
            return true;
    }
    return false;
}

bool certificate_names_cover(const struct certificate_names *names, const char *name)
{
    const char *parent = strchr(name, '.');

    if (!parent || parent == name)
        return false;
    for (uint32_t i = 0; i < names->count; i++) {
        if (names->names[i][0] == '*' && strcasecmp(names->names[i] + 1, parent) == 0)
            return true;
    }
    return false;
}
