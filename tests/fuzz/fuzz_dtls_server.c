// SPDX-License-Identifier: BSD-3-Clause
// A server of DTLS, OpenSSL's clients, and a network that loses, damages, repeats and forges. What
// must hold: workers get from a client what that client said and nothing else, a client what was
// for it, the bounds are kept, the control plane hears of each association's end, once or twice,
// and no buffer is lost.
#include "../unit/control/dtls_fixture.h"
#include "fuzz.h"

#include <openssl/err.h>
#include <string.h>

#define CLIENTS          3
#define ASSOCIATIONS_MAX 3
#define HANDSHAKES_MAX   2
#define STEPS_MAX        200

enum step {
    STEP_SPEAK,
    STEP_SPEAK_THROUGH_DAMAGE,
    STEP_SPEAK_IN_VAIN,
    STEP_LOSE,
    STEP_WAIT,
    STEP_SAY,
    STEP_ANSWER,
    STEP_ALLOCATE,
    STEP_CLOSE,
    STEP_START_AGAIN,
    STEP_SHUT_DOWN,
    STEP_FORGE,
    STEP_COUNT,
};

enum damage {
    DAMAGE_FLIP,
    DAMAGE_CUT,
    DAMAGE_REPEAT,
    DAMAGE_SENDER,
    DAMAGE_REVERSE,
    DAMAGE_COUNT,
};

struct party {
    struct fixture_client *client;
    struct client_key key;
    char word[8]; // what it says, and nobody else
    bool is_up;
};

struct run {
    struct fixture *fixture;
    struct party parties[CLIENTS];
    uint64_t news;
};

struct input {
    const uint8_t *bytes;
    size_t len;
};

static const char *const addresses[CLIENTS] = {"198.51.100.7:1000", "198.51.100.7:1001",
                                               "[2001:db8:1::7]:1000"};
static const uint8_t answer[20] = {1, 1, 0, 0, 0x21, 0x12, 0xA4, 0x42};
static const uint8_t allocated[20] = {1, 3, 0, 0, 0x21, 0x12, 0xA4, 0x42};

static uint8_t take(struct input *input)
{
    if (input->len == 0)
        return 0;
    input->len--;
    return *input->bytes++;
}

static void start(struct party *party, unsigned i)
{
    bool is_v4 = addresses[i][0] != '[';

    if (party->client)
        fixture_client_free(party->client);
    party->client = fixture_client(addresses[i], is_v4 ? FIXTURE_V4 : FIXTURE_V6);
    party->key = (struct client_key){.address = party->client->address,
                                     .listener = is_v4 ? FIXTURE_LISTENER_V4 : FIXTURE_LISTENER_V6};
    snprintf(party->word, sizeof(party->word), "party %u", i);
    party->is_up = false;
}

static const struct party *party_of(const struct run *run, const struct client_key *key)
{
    for (unsigned i = 0; i < CLIENTS; i++) {
        if (memcmp(&run->parties[i].key, key, sizeof(*key)) == 0)
            return &run->parties[i];
    }
    return NULL;
}

static void check_messages(struct run *run)
{
    struct fixture_message message;

    while (fixture_message(run->fixture, &message)) {
        const struct party *party = party_of(run, &message.client);

        REQUIRE(party != NULL);
        REQUIRE(message.len == sizeof(party->word));
        REQUIRE(memcmp(message.bytes, party->word, message.len) == 0);
    }
}

static void check_counts(struct run *run)
{
    const struct dtls_counters *counters = run->fixture->counters;
    struct stream_news news;
    uint64_t ended;

    while (stream_news_receive(run->fixture->plane, 1, &news)) {
        REQUIRE(party_of(run, &news.client) != NULL);
        run->news++;
    }
    REQUIRE(counters->half_open <= HANDSHAKES_MAX);
    REQUIRE(counters->associations <= ASSOCIATIONS_MAX);
    ended = counters->handshakes - (counters->associations - counters->half_open);
    REQUIRE(run->news >= ended && run->news <= 2 * ended);
}

static void hear(struct run *run, struct party *party)
{
    uint8_t message[FIXTURE_DATAGRAM];
    size_t len;

    if (party->client->in.count > FIXTURE_DATAGRAMS / 2)
        party->client->in.count = 0;
    fixture_collect(run->fixture, party->client);
    if (!party->is_up)
        return;
    while ((len = fixture_client_hear(party->client, message)) > 0) {
        REQUIRE(len == sizeof(answer));
        REQUIRE(memcmp(message, answer, len) == 0 || memcmp(message, allocated, len) == 0);
    }
}

static void speak(struct party *party)
{
    if (party->client->out.count > FIXTURE_DATAGRAMS / 2)
        party->client->out.count = 0;
    if (!party->is_up)
        party->is_up = fixture_client_handshake(party->client);
}

static void damage(struct run *run, struct party *party, struct input *input)
{
    struct fixture_client *client = party->client;
    struct fixture_datagrams *out = &client->out;
    const struct transport_address address = client->address;
    uint8_t kind = take(input) % DAMAGE_COUNT, where = take(input), how = take(input);
    unsigned at = out->count ? where % out->count : 0;

    if (out->count == 0)
        return;
    if (kind == DAMAGE_FLIP)
        out->bytes[at][(where * 256u + how) % out->lens[at]] ^= (uint8_t)(1 << how % 8);
    else if (kind == DAMAGE_CUT)
        out->lens[at] = how % out->lens[at];
    else if (kind == DAMAGE_REPEAT)
        fixture_deliver_one(run->fixture, client, out->bytes[at], out->lens[at]);
    else if (kind == DAMAGE_SENDER)
        client->address = run->parties[0].key.address;
    else
        for (unsigned i = out->count; i-- > 0;)
            fixture_deliver_one(run->fixture, client, out->bytes[i], out->lens[i]);
    if (client->server.ip.family == client->address.ip.family)
        fixture_deliver(run->fixture, client);
    client->address = address;
    out->count = 0;
}

static void forge(struct run *run, const struct party *party, struct input *input)
{
    size_t len = take(input);
    uint8_t *copy;

    len = len < input->len ? len : input->len;
    copy = malloc(len + 1);
    REQUIRE(copy != NULL);
    memcpy(copy + 1, input->bytes, len);
    input->bytes += len;
    input->len -= len;
    fixture_deliver_one(run->fixture, party->client, copy + 1, len);
    free(copy);
}

static void wait_some(struct run *run, struct party *party, struct input *input)
{
    fixture_pass_ms(run->fixture, take(input) * 300u);
    if (DTLSv1_handle_timeout(party->client->ssl) < 0)
        ERR_clear_error();
}

static void answer_with(struct run *run, const struct party *party, const uint8_t message[20])
{
    const struct stream_hop none = {};

    dtls_server_send(run->fixture->server, &party->key, (struct span){message, sizeof(answer)},
                     &none);
    dtls_server_flush(run->fixture->server);
}

static void take_step(struct run *run, struct input *input)
{
    uint8_t step = take(input) % STEP_COUNT, who = take(input) % CLIENTS;
    struct party *party = &run->parties[who];

    speak(party);
    if (step == STEP_SPEAK_THROUGH_DAMAGE)
        damage(run, party, input);
    else if (step == STEP_SPEAK_IN_VAIN)
        party->client->out.count = 0;
    else if (step == STEP_LOSE)
        fixture_lose(run->fixture);
    else if (step == STEP_WAIT)
        wait_some(run, party, input);
    else if (step == STEP_SAY && party->is_up)
        SSL_write(party->client->ssl, party->word, sizeof(party->word));
    else if (step == STEP_ANSWER)
        answer_with(run, party, answer);
    else if (step == STEP_ALLOCATE)
        answer_with(run, party, allocated);
    else if (step == STEP_CLOSE)
        dtls_server_close(run->fixture->server, &party->key);
    else if (step == STEP_START_AGAIN)
        start(party, who);
    else if (step == STEP_SHUT_DOWN && party->is_up)
        SSL_shutdown(party->client->ssl);
    else if (step == STEP_FORGE)
        forge(run, party, input);
    ERR_clear_error();
    if (step != STEP_SAY || take(input) % 2 == 0)
        fixture_deliver(run->fixture, party->client);
    hear(run, party);
    check_messages(run);
    check_counts(run);
}

static void tear_down(void)
{
    fixture_group_tear_down(NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool is_set_up;
    struct input input = {data, size};
    struct run run = {0};

    if (!is_set_up) {
        REQUIRE(fixture_group_set_up(NULL) == 0);
        atexit(tear_down);
        is_set_up = true;
    }
    run.fixture = fixture_create(&(struct dtls_server_config){
        .associations_max = ASSOCIATIONS_MAX, .handshakes_max = HANDSHAKES_MAX, .idle_s = 120});
    for (unsigned i = 0; i < CLIENTS; i++)
        start(&run.parties[i], i);
    for (unsigned i = 0; i < STEPS_MAX && input.len > 0; i++)
        take_step(&run, &input);
    for (unsigned i = 0; i < CLIENTS; i++)
        fixture_client_free(run.parties[i].client);
    fixture_destroy(run.fixture);
    return 0;
}
