// SPDX-License-Identifier: BSD-3-Clause
// Edits net.ipv4.ip_local_reserved_ports, which serves IPv6 as well. Other ranges in it belong to
// other programs.
#include "platform/reserved_ports.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RESERVED_PORTS_PATH "/proc/sys/net/ipv4/ip_local_reserved_ports"

// Where a service has no other place to write to, its manager names one.
#define RUNTIME_PATH "/run"

// Of one interface in one network namespace.
#define NOTE_PATH_LEN 256

struct reserved_ports {
    struct port_set added;
    int fd; // of the network namespace where they are reserved; -1: cannot be written
    char note_path[NOTE_PATH_LEN];
};

static bool port_set_has(const struct port_set *set, unsigned port)
{
    return port < 65536 && (set->words[port / 64] >> (port % 64) & 1);
}

void port_set_add(struct port_set *set, uint16_t min_port, uint16_t max_port)
{
    for (unsigned port = min_port; port <= max_port; port++)
        set->words[port / 64] |= UINT64_C(1) << (port % 64);
}

void port_set_subtract(struct port_set *set, const struct port_set *other)
{
    for (unsigned i = 0; i < PORT_SET_LEN; i++)
        set->words[i] &= ~other->words[i];
}

void port_set_merge(struct port_set *set, const struct port_set *other)
{
    for (unsigned i = 0; i < PORT_SET_LEN; i++)
        set->words[i] |= other->words[i];
}

static bool parse_port(const char **text, uint16_t *ret_port)
{
    char *end;
    unsigned long port;

    if (**text < '0' || **text > '9')
        return false;
    port = strtoul(*text, &end, 10);
    if (port > UINT16_MAX)
        return false;
    *text = end;
    *ret_port = (uint16_t)port;
    return true;
}

int port_set_parse(const char *text, struct port_set *ret_set)
{
    struct port_set set = {};

    while (*text != '\0' && *text != '\n') {
        uint16_t min_port, max_port;

        if (!parse_port(&text, &min_port))
            return -EINVAL;
        max_port = min_port;
        if (*text == '-') {
            text++;
            if (!parse_port(&text, &max_port) || max_port < min_port)
                return -EINVAL;
        }
        port_set_add(&set, min_port, max_port);
        if (*text == ',')
            text++;
        else if (*text != '\0' && *text != '\n')
            return -EINVAL;
    }
    *ret_set = set;
    return 0;
}

const char *port_set_format(const struct port_set *set, char *text)
{
    char *end = text;

    for (unsigned port = 0; port < 65536; port++) {
        unsigned last = port;

        if (!port_set_has(set, port))
            continue;
        while (port_set_has(set, last + 1))
            last++;
        end += sprintf(end, last > port ? "%s%u-%u" : "%s%u", end > text ? "," : "", port, last);
        port = last;
    }
    end[0] = '\n';
    end[1] = '\0';
    return text;
}

static int read_set_of(int fd, char *text, struct port_set *ret_set)
{
    size_t len = 0;
    ssize_t part = 1;

    while (part > 0 && len < PORT_SET_TEXT_LEN - 1) {
        part = pread(fd, text + len, PORT_SET_TEXT_LEN - 1 - len, (off_t)len);
        if (part > 0)
            len += (size_t)part;
    }
    text[len] = '\0';
    return part < 0 ? -EIO : port_set_parse(text, ret_set);
}

static int read_set(const char *path, char *text, struct port_set *ret_set)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    int error;

    if (fd < 0)
        return -errno;
    error = read_set_of(fd, text, ret_set);
    close(fd);
    return error;
}

static int write_set_to(int fd, char *text, const struct port_set *set)
{
    size_t len = strlen(port_set_format(set, text));

    if (pwrite(fd, text, len, 0) != (ssize_t)len)
        return errno ? -errno : -EIO;
    return 0;
}

static int write_note(const char *path, char *text, const struct port_set *set)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_CREAT | O_TRUNC, 0600);
    int error;

    if (fd < 0)
        return -errno;
    error = write_set_to(fd, text, set);
    close(fd);
    return error;
}

static void make_note_path(const char *interface, char *ret_path)
{
    const char *directory = getenv("RUNTIME_DIRECTORY");
    struct stat network;

    if (stat("/proc/thread-self/ns/net", &network) < 0)
        network.st_ino = 0;
    snprintf(ret_path, NOTE_PATH_LEN, "%s/turnpike-ports-%lu-%s",
             directory ? directory : RUNTIME_PATH, (unsigned long)network.st_ino, interface);
}

// What others have reserved; what a killed relay left is not theirs.
static int read_others(const struct reserved_ports *ports, char *text, struct port_set *ret_others)
{
    struct port_set others, left;
    int error = read_set_of(ports->fd, text, &others);

    if (error)
        return error;
    if (read_set(ports->note_path, text, &left) == 0)
        port_set_subtract(&others, &left);
    *ret_others = others;
    return 0;
}

static int reserve(struct reserved_ports *ports, char *text)
{
    struct port_set others, all = ports->added;
    int error;

    // Whoever may not write it now may not later, either.
    ports->fd = open(RESERVED_PORTS_PATH, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (ports->fd < 0)
        return -errno;
    error = read_others(ports, text, &others);
    if (error)
        return error;
    port_set_merge(&all, &others);
    port_set_subtract(&ports->added, &others);
    // The note first: a relay killed in between has taken nothing that is not noted.
    if (write_note(ports->note_path, text, &ports->added) < 0)
        unlink(ports->note_path);
    return write_set_to(ports->fd, text, &all);
}

static int release(struct reserved_ports *ports, char *text)
{
    struct port_set reserved;
    int error = read_set_of(ports->fd, text, &reserved);

    if (error)
        return error;
    port_set_subtract(&reserved, &ports->added);
    return write_set_to(ports->fd, text, &reserved);
}

struct reserved_ports *reserved_ports_add(const struct plane_config *config, const char *interface)
{
    struct reserved_ports *ports = calloc(1, sizeof(*ports));
    char *text = malloc(PORT_SET_TEXT_LEN);
    int error;

    if (!ports || !text) {
        free(text);
        free(ports);
        return NULL;
    }
    make_note_path(interface, ports->note_path);
    for (unsigned i = 0; i < config->relay_count; i++)
        port_set_add(&ports->added, config->relays[i].min_port, config->relays[i].max_port);
    error = reserve(ports, text);
    free(text);
    if (error) {
        log_message(LOG_LEVEL_WARNING, "ports_not_reserved",
                    "%s: %s; set it to the relay's port ranges by other means (sysctl), or sockets "
                    "of this host that "
                    "get one of these ports will not hear their replies",
                    RESERVED_PORTS_PATH, strerror(-error));
        memset(&ports->added, 0, sizeof(ports->added));
    }
    return ports;
}

void reserved_ports_remove(struct reserved_ports *ports)
{
    static const struct port_set none;
    char *text = malloc(PORT_SET_TEXT_LEN);
    bool has_added = memcmp(&ports->added, &none, sizeof(none)) != 0;
    int error = !has_added ? 0 : text ? release(ports, text) : -ENOMEM;

    if (error)
        log_message(LOG_LEVEL_WARNING, "ports_still_reserved", "%s: %s", RESERVED_PORTS_PATH,
                    strerror(-error));
    else
        unlink(ports->note_path);
    if (ports->fd >= 0)
        close(ports->fd);
    free(text);
    free(ports);
}
