// SPDX-License-Identifier: BSD-3-Clause
// Every phase is the same loop with another end.
#include "engine.h"

#include "pcap_file.h"
#include "report.h"

#include <errno.h>
#include <rte_cycles.h>
#include <stdio.h>
#include <string.h>

#define WRITE_BURST      32
#define RECEIVE_BURSTS   16
#define PREFETCH_AHEAD   4
#define PREFETCH_LEN     512
#define PACER_BACKLOG_MS 10
#define QUESTION_MS      200
#define QUESTIONS        25
// Permissions live for 300 s (RFC 8656 section 9).
#define KEEP_ALIVE_S      120
#define KEEP_ALIVE_SPAN_S 60

volatile sig_atomic_t engine_stop;

static uint64_t ticks_of_ms(const struct engine *engine, uint64_t ms)
{
    return engine->hz * ms / 1000;
}

// Receiving

static void receive_stun(struct engine *engine, const struct datagram *datagram, uint64_t now)
{
    struct stun_message message;

    if (stun_message_parse(datagram->payload, &message) != STUN_VALID) {
        engine->strays.others++;
        return;
    }
    if (message.message_class == STUN_CLASS_INDICATION && message.method == STUN_METHOD_DATA &&
        engine->has_media)
        media_receive_data(&engine->media, datagram, &message, now);
    else if (message.message_class < STUN_CLASS_SUCCESS)
        engine->strays.others++;
    else if (!flood_receive(&engine->flood, datagram, &message, now))
        sessions_receive(&engine->sessions, &datagram->destination, &message, now);
}

static void receive_datagram(struct engine *engine, const struct datagram *datagram, uint64_t now)
{
    bool is_from_server = transport_address_equal(&datagram->source, &engine->flows.server);
    uint8_t first = datagram->payload.len > 0 ? datagram->payload.data[0] : UINT8_MAX;

    if (is_from_server && stun_first_byte(first))
        receive_stun(engine, datagram, now);
    else if (!engine->has_media)
        engine->strays.others++;
    else if (is_from_server)
        media_receive_channel(&engine->media, datagram, now);
    else
        media_receive_peer(&engine->media, datagram, now);
}

static void receive_neighbour(struct engine *engine, const uint8_t *frame, size_t len)
{
    uint8_t reply[NEIGHBOUR_FRAME_MAX_LEN];
    size_t reply_len = neighbour_answer(&engine->own, engine->link.own, frame, len, reply);

    if (reply_len > 0)
        device_send(&engine->device, reply, reply_len);
    if (!engine->has_next_hop)
        engine->has_next_hop =
            neighbour_learn(frame, len, &engine->options->next_hop, engine->link.next_hop);
}

static void receive_frame(struct engine *engine, const uint8_t *frame, size_t len, uint64_t now)
{
    struct datagram datagram;

    switch (frame_read(frame, len, &datagram)) {
    case FRAME_UDP:
        if (engine->options->floor && engine->has_media)
            media_receive_swapped(&engine->media, frame, &datagram, now);
        else
            receive_datagram(engine, &datagram, now);
        break;
    case FRAME_NEIGHBOUR:
        receive_neighbour(engine, frame, len);
        break;
    case FRAME_ICMP_ERROR:
        engine->strays.icmp_errors++;
        break;
    case FRAME_BAD_CHECKSUM:
        engine->strays.bad_checksums++;
        break;
    case FRAME_FRAGMENT:
        engine->strays.fragments++;
        break;
    case FRAME_OTHER:
        engine->strays.others++;
        break;
    }
}

// Every byte is read, and the relay's core has just written it.
static void prefetch(const struct rte_mbuf *frame)
{
    const uint8_t *bytes = rte_pktmbuf_mtod(frame, const uint8_t *);
    unsigned len = RTE_MIN(frame->data_len, (unsigned)PREFETCH_LEN);

    for (unsigned at = 0; at < len; at += RTE_CACHE_LINE_SIZE)
        rte_prefetch0(bytes + at);
}

static void receive_prepared(struct engine *engine, struct rte_mbuf **frames, unsigned count,
                             uint64_t now)
{
    for (unsigned i = 0; i < count; i++) {
        if (!prepared_receive(&engine->prepared, &engine->media, frames[i]->data_len))
            receive_frame(engine, rte_pktmbuf_mtod(frames[i], const uint8_t *), frames[i]->data_len,
                          now);
    }
    rte_pktmbuf_free_bulk(frames, count);
}

static unsigned receive_burst(struct engine *engine)
{
    struct rte_mbuf *frames[DEVICE_BURST];
    unsigned count = device_receive(&engine->device, frames);
    uint64_t now = rte_rdtsc();

    if (engine->has_media && engine->options->prepared) {
        receive_prepared(engine, frames, count, now);
        return count;
    }
    for (unsigned i = 0; i < RTE_MIN(count, (unsigned)PREFETCH_AHEAD); i++)
        prefetch(frames[i]);
    for (unsigned i = 0; i < count; i++) {
        if (i + PREFETCH_AHEAD < count)
            prefetch(frames[i + PREFETCH_AHEAD]);
        receive_frame(engine, rte_pktmbuf_mtod(frames[i], const uint8_t *), frames[i]->data_len,
                      now);
    }
    rte_pktmbuf_free_bulk(frames, count);
    return count;
}

// A round sends media, requests and what strangers ask: what comes back is more than a burst, too.
static void receive(struct engine *engine)
{
    for (unsigned i = 0; i < RECEIVE_BURSTS; i++) {
        if (receive_burst(engine) < DEVICE_BURST)
            return;
    }
}

// Sending

static void send_from_client(void *context, uint32_t flow, const uint8_t *bytes, size_t len)
{
    struct engine *engine = context;
    struct transport_address client = flow_client(&engine->flows, flow);
    uint8_t frame[MEDIA_FRAME_MAX_LEN];

    memcpy(frame + frame_headers_len(client.ip.family), bytes, len);
    len = frame_write(frame, &engine->link, &client, &engine->flows.server, len, true);
    device_send(&engine->device, frame, len);
}

static size_t write_media(struct engine *engine, uint8_t *frame)
{
    return media_write(&engine->media, frame, rte_rdtsc());
}

static size_t write_flood(struct engine *engine, uint8_t *frame)
{
    return flood_write(&engine->flood, frame, rte_rdtsc());
}

// With what is queued.
static uint64_t sent(const struct engine *engine)
{
    return engine->device.sent + engine->device.queued_count;
}

static unsigned room(const struct engine *engine, unsigned most)
{
    return transit_room(&engine->transit, sent(engine), engine->device.received,
                        RTE_MIN(device_room(&engine->device), most));
}

// Each frame is stamped when it is written, not when the burst began.
static void send_due(struct engine *engine, struct pacer *pacer,
                     size_t (*write_frame)(struct engine *engine, uint8_t *frame), uint64_t now)
{
    for (unsigned n = pacer_take(pacer, now, room(engine, WRITE_BURST)); n > 0; n--) {
        struct rte_mbuf *frame = device_take(&engine->device);

        if (!frame)
            return;
        device_queue(&engine->device, frame,
                     write_frame(engine, rte_pktmbuf_mtod(frame, uint8_t *)));
    }
}

static void send_prepared(struct engine *engine, uint64_t now)
{
    prepared_send(&engine->prepared, &engine->media, &engine->device,
                  pacer_take(&engine->media_pacer, now, room(engine, DEVICE_BURST)));
}

// Phases

// Receives, and carries on with the sessions. Returns the time.
static uint64_t poll_once(struct engine *engine)
{
    uint64_t now;

    receive(engine);
    now = rte_rdtsc();
    sessions_poll(&engine->sessions, now);
    return now;
}

// While media is on its way. Returns the time.
static uint64_t poll_media(struct engine *engine)
{
    uint64_t now = poll_once(engine);

    transit_note(&engine->transit, sent(engine), engine->device.received, now);
    return now;
}

// While somebody answers who may need this CPU.
static void rest(struct engine *engine)
{
    if ((!engine->has_next_hop || !sessions_is_over(&engine->sessions)) &&
        nap_is_due(&engine->nap, engine->device.received + engine->device.sent))
        nap_take(&engine->nap);
}

static int find_next_hop(struct engine *engine)
{
    const struct options *options = engine->options;
    unsigned source = options->local[0].ip.family == options->next_hop.family ? 0 : 1;
    uint8_t question[NEIGHBOUR_FRAME_MAX_LEN];

    for (unsigned i = 0; i < QUESTIONS && !engine->has_next_hop && !engine_stop; i++) {
        uint64_t end = rte_rdtsc() + ticks_of_ms(engine, QUESTION_MS);

        device_send(&engine->device, question,
                    neighbour_write_question(question, engine->link.own, &options->local[source].ip,
                                             &options->next_hop));
        do {
            receive(engine);
            device_flush(&engine->device);
            rest(engine);
        } while (rte_rdtsc() < end && !engine->has_next_hop);
    }
    if (!engine->has_next_hop) {
        char text[IP_ADDRESS_TEXT_LEN];
        fprintf(stderr, "load: %s does not answer ARP or ND\n",
                ip_address_format(&options->next_hop, text));
        return -EHOSTUNREACH;
    }
    return 0;
}

static void run_round(struct engine *engine, const char *name, unsigned steps, uint64_t rate,
                      struct session_round *ret_round)
{
    struct report_ticker ticker;

    sessions_begin(&engine->sessions, steps, rate, rte_rdtsc());
    report_ticker_start(&ticker, engine);
    while (!sessions_is_over(&engine->sessions) && engine_stop < 2) {
        uint64_t now = poll_once(engine);

        // What was allocated is still deleted.
        if (engine_stop && !(steps & 1u << STEP_DELETE))
            sessions_cut(&engine->sessions, now);
        device_flush(&engine->device);
        rest(engine);
        report_round_tick(&ticker, engine, name, now);
    }
    *ret_round = engine->sessions.round;
}

static unsigned setup_steps(const struct options *options)
{
    bool needs_permission = options->permit || options->framing == MEDIA_INDICATION;

    return 1u << STEP_ALLOCATE | (needs_permission ? 1u << STEP_PERMIT : 0) |
           (options->framing == MEDIA_CHANNEL ? 1u << STEP_BIND : 0);
}

static void count_upkeep(struct engine *engine)
{
    const struct session_round *round = &engine->sessions.round;

    if (!(round->steps & 1u << STEP_REFRESH))
        return;
    engine->upkeep.done += round->done;
    engine->upkeep.failed += round->failed;
}

// In the background of the media.
static void keep_alive(struct engine *engine, uint64_t now)
{
    const struct options *options = engine->options;
    uint32_t rate = options->refresh_rate;
    unsigned steps = setup_steps(options) & ~(1u << STEP_ALLOCATE);

    if (options->floor || !sessions_is_over(&engine->sessions) ||
        (rate == 0 && now - engine->sessions.round.started < KEEP_ALIVE_S * engine->hz))
        return;
    if (engine->upkeep.started == 0)
        engine->upkeep.started = now;
    count_upkeep(engine);
    sessions_begin(&engine->sessions, steps | 1u << STEP_REFRESH,
                   rate > 0 ? rate : engine->flows.count / KEEP_ALIVE_SPAN_S + 1, now);
}

// Rounds that would go on for ever end with the media.
static void end_upkeep(struct engine *engine)
{
    uint64_t now = rte_rdtsc();

    if (engine->upkeep.started == 0)
        return;
    engine->upkeep.ended = now;
    if (engine->options->refresh_rate > 0)
        sessions_cut(&engine->sessions, now);
}

static int begin_media(struct engine *engine)
{
    const struct options *options = engine->options;
    struct media_config config = {
        .flows = &engine->flows,
        .link = &engine->link,
        .directions = {options->directions[TO_PEER], options->directions[TO_CLIENT]},
        .framing = options->framing,
        .len_count = options->lens.count,
        .zipf = options->zipf,
        .has_checksum = !options->no_checksum,
        .damage_every = options->damage_every,
        .is_prepared = options->prepared,
        .seed = options->seed,
    };
    int error;

    memcpy(config.lens, options->lens.values, sizeof(config.lens));
    flows_gather(&engine->flows);
    if (engine->flows.ready_count == 0)
        return 0;
    error = media_init(&engine->media, &config);
    engine->has_media = !error;
    if (!error && options->prepared)
        error = prepared_fill(&engine->prepared, &engine->media, options->floor);
    return error;
}

// What is on its way, and requests that wait for their answers.
static void drain(struct engine *engine)
{
    uint64_t end = rte_rdtsc() + ticks_of_ms(engine, engine->options->drain_ms);

    while ((rte_rdtsc() < end || !sessions_is_over(&engine->sessions)) && engine_stop < 2) {
        poll_media(engine);
        device_flush(&engine->device);
        rest(engine);
    }
}

static void send_for_the_duration(struct engine *engine)
{
    const struct options *options = engine->options;
    uint64_t now = rte_rdtsc(), start = now;
    uint64_t end = start + (uint64_t)(options->duration_s * (double)engine->hz);
    struct report_ticker ticker;

    pacer_init(&engine->media_pacer, engine->hz, options->rate, PACER_BACKLOG_MS, now);
    pacer_init(&engine->flood_pacer, engine->hz, options->flood_rate, PACER_BACKLOG_MS, now);
    transit_begin(&engine->transit, options->on_the_way, sent(engine), engine->device.received,
                  now);
    report_ticker_start(&ticker, engine);
    while (now < end && !engine_stop) {
        now = poll_media(engine);
        if (engine->has_media) {
            if (options->prepared)
                send_prepared(engine, now);
            else
                send_due(engine, &engine->media_pacer, write_media, now);
            keep_alive(engine, now);
        }
        if (options->flood != FLOOD_NONE)
            send_due(engine, &engine->flood_pacer, write_flood, now);
        device_flush(&engine->device);
        rest(engine);
        report_media_tick(&ticker, engine, now);
    }
    engine->media_ticks = now - start;
}

static int run_media(struct engine *engine)
{
    int error = engine->flows.count > 0 ? begin_media(engine) : 0;

    if (error || (!engine->has_media && engine->options->flood == FLOOD_NONE))
        return error;
    send_for_the_duration(engine);
    end_upkeep(engine);
    drain(engine);
    if (engine->upkeep.started != 0)
        count_upkeep(engine);
    return 0;
}

static int write_frames(struct engine *engine)
{
    const struct options *options = engine->options;
    uint8_t frame[MEDIA_FRAME_MAX_LEN];
    struct pcap_file file;
    int error = pcap_file_create(&file, options->pcap);

    if (!error) {
        for (uint32_t i = 0; i < options->pcap_frames; i++)
            pcap_file_write(&file, frame, media_write(&engine->media, frame, 0));
        error = pcap_file_close(&file);
    }
    if (error)
        fprintf(stderr, "load: %s: %s\n", options->pcap, strerror(-error));
    return error;
}

// Nothing of this media was sent, and nothing is reported of it.
static int write_media_to_file(struct engine *engine)
{
    int error = begin_media(engine);

    if (error || !engine->has_media)
        return error;
    error = write_frames(engine);
    media_done(&engine->media);
    engine->has_media = false;
    return error;
}

// Nobody is asked for anything.
static int run_floor(struct engine *engine)
{
    flows_pretend(&engine->flows);
    return engine->options->duration_s > 0 ? run_media(engine) : 0;
}

int engine_run(struct engine *engine)
{
    const struct options *options = engine->options;
    int error = engine->has_next_hop ? 0 : find_next_hop(engine);

    if (error)
        return error;
    if (options->floor)
        return run_floor(engine);
    if (engine->flows.count > 0)
        run_round(engine, "allocate", setup_steps(options), options->setup_rate, &engine->setup);
    if (options->pcap && !engine_stop)
        return write_media_to_file(engine);
    if (options->duration_s > 0 && !engine_stop)
        error = run_media(engine);
    if (options->refresh && !engine_stop)
        run_round(engine, "refresh", 1u << STEP_REFRESH, 0, &engine->refresh);
    if (!options->keep && engine->flows.count > 0)
        run_round(engine, "delete", 1u << STEP_DELETE, 0, &engine->deletion);
    return error;
}

// Opening and closing

static void set_own(struct engine *engine)
{
    const struct options *options = engine->options;

    for (unsigned i = 0; i < options->local_count; i++)
        engine->own.prefixes[engine->own.count++] = options->local[i];
    engine->own.prefixes[engine->own.count++] = options->clients.prefix;
    engine->own.prefixes[engine->own.count++] = options->peers.prefix;
    engine->own.prefixes[engine->own.count++] = options->sources.prefix;
    memcpy(engine->link.own, engine->device.mac, sizeof(engine->link.own));
    memcpy(engine->link.next_hop, options->next_hop_mac.bytes, sizeof(engine->link.next_hop));
    engine->has_next_hop = options->next_hop_mac.is_given;
}

static int open_tables(struct engine *engine)
{
    const struct options *options = engine->options;
    const struct sessions_config config = {
        .flows = &engine->flows,
        .username = options->user.name,
        .password = options->user.password,
        .lifetime_s = options->lifetime_s,
        .window = options->window,
        .hz = engine->hz,
        .seed = options->seed,
        .send = send_from_client,
        .context = engine,
    };
    const struct flood_config flood_config = {
        .kind = options->flood,
        .link = &engine->link,
        .server = options->relay,
        .sources = options->sources,
        .seed = options->seed,
    };
    int error = flows_init(&engine->flows, options->allocations, &options->relay, &options->clients,
                           &options->peers);

    if (error == -ERANGE)
        fprintf(stderr, "load: fewer clients or peers than allocations: widen --clients, --peers "
                        "or their ports\n");
    if (!error)
        error = sessions_init(&engine->sessions, &config);
    flood_init(&engine->flood, &flood_config);
    return error;
}

int engine_open(struct engine *engine, const struct options *options)
{
    int error;

    memset(engine, 0, sizeof(*engine));
    engine->options = options;
    engine->hz = rte_get_tsc_hz();
    payload_setup(options->seed);
    nap_init(&engine->nap, options->nap_us);
    error = open_tables(engine);
    if (!error && options->prepared)
        error =
            prepared_open(&engine->prepared, (uint16_t)options->ring_len, options->lens.values[0]);
    if (!error)
        error = device_open(&engine->device, (uint16_t)options->port, (uint16_t)options->ring_len);
    if (error) {
        prepared_close(&engine->prepared);
        sessions_done(&engine->sessions);
        flows_done(&engine->flows);
        return error;
    }
    set_own(engine);
    return 0;
}

void engine_close(struct engine *engine)
{
    if (engine->has_media)
        media_done(&engine->media);
    device_close(&engine->device);
    prepared_close(&engine->prepared);
    sessions_done(&engine->sessions);
    flows_done(&engine->flows);
}
