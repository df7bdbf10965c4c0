// SPDX-License-Identifier: BSD-3-Clause
// One connection after the other.
#include "relay_fixture.h"

#include "support.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static const struct fake_answer *find_answer(const struct fake_relay *relay, const char *question)
{
    for (size_t i = 0; i < relay->answer_count; i++) {
        const struct fake_answer *answer = &relay->answers[i];

        if (strncmp(question, answer->question, strlen(answer->question)) == 0)
            return answer;
    }
    return NULL;
}

static void keep(struct fake_relay *relay, const char *question)
{
    unsigned count = atomic_load(&relay->asked_count);

    if (count < COUNT_OF(relay->asked))
        strcpy(relay->asked[count], question);
    atomic_store(&relay->asked_count, count + 1);
}

// Nobody minds who has gone already.
static void send_packet(int connection, const char *packet, size_t len)
{
    ssize_t sent = send(connection, packet, len > 0 ? len : strlen(packet), MSG_NOSIGNAL);

    (void)sent;
}

static void serve(struct fake_relay *relay, int connection)
{
    char question[1024];
    ssize_t len;

    if (!relay->greeting)
        return;
    send_packet(connection, relay->greeting, 0);
    while ((len = recv(connection, question, sizeof(question) - 1, 0)) > 0) {
        const struct fake_answer *answer;

        question[len] = '\0';
        keep(relay, question);
        answer = find_answer(relay, question);
        if (!answer || !answer->packet)
            return;
        if (*answer->packet || answer->packet_len > 0)
            send_packet(connection, answer->packet, answer->packet_len);
    }
}

static void *run(void *context)
{
    struct fake_relay *relay = context;
    int connection;

    while ((connection = accept(relay->listening, NULL, NULL)) >= 0) {
        atomic_store(&relay->connection, connection);
        if (!atomic_load(&relay->stops))
            serve(relay, connection);
        atomic_store(&relay->connection, -1);
        close(connection);
    }
    return NULL;
}

void fake_relay_start(struct fake_relay *relay)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    strcpy(relay->directory, "/tmp/turnpike-ctl-XXXXXX");
    assert_non_null(mkdtemp(relay->directory));
    snprintf(relay->path, sizeof(relay->path), "%s/socket", relay->directory);
    strcpy(address.sun_path, relay->path);
    atomic_init(&relay->asked_count, 0);
    atomic_init(&relay->connection, -1);
    atomic_init(&relay->stops, false);
    relay->listening = socket(AF_UNIX, SOCK_SEQPACKET, 0);
    assert_true(relay->listening >= 0);
    assert_int_equal(bind(relay->listening, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(relay->listening, 4), 0);
    assert_int_equal(pthread_create(&relay->thread, NULL, run, relay), 0);
}

void fake_relay_stop(struct fake_relay *relay)
{
    atomic_store(&relay->stops, true);
    shutdown(relay->listening, SHUT_RDWR);
    // Whoever is served just now. Closed in between, it is nobody's: no descriptor is made
    // meanwhile.
    shutdown(atomic_load(&relay->connection), SHUT_RDWR);
    pthread_join(relay->thread, NULL);
    close(relay->listening);
    unlink(relay->path);
    rmdir(relay->directory);
}
