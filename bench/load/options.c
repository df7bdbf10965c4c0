// SPDX-License-Identifier: BSD-3-Clause
// One table says what each option is called, how its value is read, and what --help says of it.
#include "options.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define RATE_MAX     1000000000.0
#define NAP_MAX_US   10000.0 // by then any ring is full
#define REALTIME_MAX 99.0

struct option_spec {
    const char *name;
    const char *value; // NULL: none
    bool (*parse)(const char *text, void *field);
    size_t offset;
    const char *help; // NULL: a heading, which is the name
};

// 10k, 2.5M.
static bool parse_scaled(const char *text, double max, double *ret_number)
{
    char *end;
    double number = strtod(text, &end);

    if (end == text || number < 0)
        return false;
    if (*end == 'k')
        number *= 1e3, end++;
    else if (*end == 'M')
        number *= 1e6, end++;
    if (*end != '\0' || !(number <= max))
        return false;
    *ret_number = number;
    return true;
}

static bool parse_whole(const char *text, double max, double *ret_number)
{
    double number;

    if (!parse_scaled(text, max, &number) || number != (double)(uint64_t)number)
        return false;
    *ret_number = number;
    return true;
}

static bool parse_up_to(const char *text, double max, void *field)
{
    double number;

    if (!parse_whole(text, max, &number))
        return false;
    *(uint32_t *)field = (uint32_t)number;
    return true;
}

static bool parse_u32(const char *text, void *field)
{
    return parse_up_to(text, UINT32_MAX - 1.0, field);
}

static bool parse_positive(const char *text, void *field)
{
    uint32_t number;

    if (!parse_u32(text, &number) || number == 0)
        return false;
    *(uint32_t *)field = number;
    return true;
}

static bool parse_nap(const char *text, void *field)
{
    return parse_up_to(text, NAP_MAX_US, field);
}

static bool parse_realtime(const char *text, void *field)
{
    return parse_up_to(text, REALTIME_MAX, field);
}

static bool parse_u64(const char *text, void *field)
{
    double number;

    if (!parse_whole(text, 9007199254740992.0, &number))
        return false;
    *(uint64_t *)field = (uint64_t)number;
    return true;
}

static bool parse_rate(const char *text, void *field)
{
    double number;

    if (strcmp(text, "max") == 0) {
        *(uint64_t *)field = 0;
        return true;
    }
    if (!parse_whole(text, RATE_MAX, &number) || number < 1)
        return false;
    *(uint64_t *)field = (uint64_t)number;
    return true;
}

static bool parse_seconds(const char *text, void *field)
{
    return parse_scaled(text, 1e6, field);
}

static bool parse_flag(const char *text, void *field)
{
    (void)text;
    *(bool *)field = true;
    return true;
}

static bool parse_text(const char *text, void *field)
{
    *(const char **)field = text;
    return true;
}

static bool parse_relay(const char *text, void *field)
{
    return transport_address_parse(text, field) == 0;
}

static bool parse_address(const char *text, void *field)
{
    return ip_address_parse(text, field) == 0;
}

static bool parse_local(const char *text, void *field)
{
    struct options *options = field;
    struct ip_prefix *local = &options->local[options->local_count];

    if (options->local_count == 2 || ip_address_parse(text, &local->ip) < 0)
        return false;
    local->length = (uint16_t)(8 * ip_address_len(&local->ip));
    options->local_count++;
    return true;
}

static bool parse_mac(const char *text, void *field)
{
    struct option_mac *mac = field;
    uint8_t *b = mac->bytes;
    char rest;

    mac->is_given = sscanf(text, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%c", b, b + 1, b + 2, b + 3,
                           b + 4, b + 5, &rest) == ETHERNET_ADDRESS_LEN;
    return mac->is_given;
}

static bool parse_user(const char *text, void *field)
{
    struct option_user *user = field;

    return sscanf(text, "%128[^:]:%128[^\n]", user->name, user->password) == 2;
}

static bool parse_prefix(const char *text, void *field)
{
    struct endpoint_range *range = field;

    return ip_prefix_parse(text, &range->prefix) == 0;
}

static bool parse_ports(const char *text, void *field)
{
    struct endpoint_range *range = field;
    char rest;

    return sscanf(text, "%hu-%hu%c", &range->first_port, &range->last_port, &rest) == 2 &&
           range->first_port > 0 && range->first_port <= range->last_port;
}

static bool parse_direction(const char *text, void *field)
{
    bool *directions = field;

    directions[TO_PEER] = strcmp(text, "to-peer") == 0 || strcmp(text, "both") == 0;
    directions[TO_CLIENT] = strcmp(text, "to-client") == 0 || strcmp(text, "both") == 0;
    return directions[TO_PEER] || directions[TO_CLIENT];
}

static bool parse_framing(const char *text, void *field)
{
    *(enum media_framing *)field = strcmp(text, "channel") == 0 ? MEDIA_CHANNEL : MEDIA_INDICATION;
    return strcmp(text, "channel") == 0 || strcmp(text, "indication") == 0;
}

static bool parse_lens(const char *text, void *field)
{
    struct option_lens lens = {};

    for (;;) {
        char *end;
        unsigned long len = strtoul(text, &end, 10);
        if (end == text || lens.count == MEDIA_LENS_MAX || len < PAYLOAD_MIN_LEN ||
            len > PAYLOAD_MAX_LEN)
            return false;
        lens.values[lens.count++] = (uint16_t)len;
        if (*end == '\0')
            break;
        if (*end != ',')
            return false;
        text = end + 1;
    }
    *(struct option_lens *)field = lens;
    return true;
}

static bool parse_draw(const char *text, void *field)
{
    double exponent = 1;

    if (strcmp(text, "uniform") == 0)
        exponent = 0;
    else if (strncmp(text, "zipf:", 5) == 0 &&
             (!parse_scaled(text + 5, 10, &exponent) || exponent == 0))
        return false;
    else if (strncmp(text, "zipf:", 5) != 0 && strcmp(text, "zipf") != 0)
        return false;
    *(double *)field = exponent;
    return true;
}

static bool parse_floor(const char *text, void *field)
{
    *(bool *)field = strcmp(text, "macswap") == 0;
    return *(bool *)field;
}

static bool parse_flood(const char *text, void *field)
{
    *(enum flood_kind *)field = strcmp(text, "binding") == 0 ? FLOOD_BINDING : FLOOD_ALLOCATE;
    return strcmp(text, "binding") == 0 || strcmp(text, "allocate") == 0;
}

#define FIELD(name) offsetof(struct options, name)

static const struct option_spec specs[] = {
    {.name = "The link"},
    {"port", "N", parse_u32, FIELD(port), "ethdev port to use (0)"},
    {"ring-len", "N", parse_positive, FIELD(ring_len), "frames in each of its rings (1024)"},
    {"nap", "US", parse_nap, FIELD(nap_us),
     "sleep while answers are waited for and less than a burst is to do; 0: spin (0)"},
    {"realtime", "N", parse_realtime, FIELD(realtime),
     "go before whoever has no real-time priority, by one of 1 to 99; 0: don't (0)"},
    {"local", "ADDRESS", parse_local, 0,
     "own address on the link, one of each family: ARP and ND ask from it"},
    {"next-hop", "ADDRESS", parse_address, FIELD(next_hop),
     "neighbour that all frames go to (the relay)"},
    {"next-hop-mac", "MAC", parse_mac, FIELD(next_hop_mac),
     "its link-layer address, instead of asking for it"},
    {.name = "Who talks"},
    {"relay", "ADDRESS:PORT", parse_relay, FIELD(relay), "where the relay listens; must be given"},
    {"user", "NAME:PASSWORD", parse_user, FIELD(user), "long-term credentials (load:load)"},
    {"clients", "PREFIX", parse_prefix, FIELD(clients),
     "addresses of clients (198.18.0.0/16, 2001:2:0:1800::/56)"},
    {"client-ports", "A-B", parse_ports, FIELD(clients), "their ports (10000-60000)"},
    {"peers", "PREFIX", parse_prefix, FIELD(peers),
     "addresses of peers (198.19.0.0/16); their family is that of the relayed addresses"},
    {"peer-ports", "A-B", parse_ports, FIELD(peers), "their ports (10000-60000)"},
    {.name = "Sessions"},
    {"allocations", "N", parse_u32, FIELD(allocations),
     "allocations, each of a client with a channel to a peer of its own (1000)"},
    {"window", "N", parse_positive, FIELD(window), "clients that wait for an answer at once (64)"},
    {"setup-rate", "N", parse_u32, FIELD(setup_rate),
     "clients that begin per second; 0: as the window allows (0)"},
    {"lifetime", "S", parse_positive, FIELD(lifetime_s), "lifetime asked for, seconds (600)"},
    {"permit", NULL, parse_flag, FIELD(permit), "CreatePermission before ChannelBind, too"},
    {"refresh", NULL, parse_flag, FIELD(refresh), "refresh all allocations after the media"},
    {"refresh-rate", "N", parse_u32, FIELD(refresh_rate),
     "clients that refresh and bind anew per second beside media; 0: few (0)"},
    {"keep", NULL, parse_flag, FIELD(keep), "don't delete the allocations in the end"},
    {.name = "Media"},
    {"duration", "S", parse_seconds, FIELD(duration_s), "how long, seconds; 0: no media (10)"},
    {"rate", "N", parse_rate, FIELD(rate),
     "packets per second, of both directions together, or max: as many as go out (10k)"},
    {"direction", "WAY", parse_direction, FIELD(directions), "both, to-peer or to-client (both)"},
    {"framing", "KIND", parse_framing, FIELD(framing),
     "channel: ChannelData, or indication: Send and Data without a channel (channel)"},
    {"payload", "LEN,...", parse_lens, FIELD(lens),
     "payload lengths, drawn alike, 14 to 1400 bytes; below 24 no times (160)"},
    {"flows", "DRAW", parse_draw, FIELD(zipf),
     "flow of each packet: uniform, zipf or zipf:EXPONENT (uniform)"},
    {"no-udp-checksum", NULL, parse_flag, FIELD(no_checksum),
     "send media without UDP checksum, IPv4 only"},
    {"damage", "N", parse_u32, FIELD(damage_every),
     "one wrong byte in one of N payloads: shows that the checks work; 0: none (0)"},
    {"prepared", NULL, parse_flag, FIELD(prepared),
     "send frames made ahead, for fast relays: no times, and one of 63 is checked"},
    {"on-the-way", "N", parse_u32, FIELD(on_the_way),
     "frames that have left and not come back, at most; 0: no bound (0)"},
    {"floor", "KIND", parse_floor, FIELD(floor),
     "macswap: no relay, but what returns frames with their MAC addresses swapped"},
    {"drain", "MS", parse_u32, FIELD(drain_ms), "wait for the last packets, milliseconds (500)"},
    {.name = "Media for another generator"},
    {"pcap", "FILE", parse_text, FIELD(pcap),
     "write frames there instead of sending any, and keep the allocations"},
    {"pcap-frames", "N", parse_positive, FIELD(pcap_frames), "how many (65536)"},
    {.name = "Strangers, beside the media or alone"},
    {"flood", "KIND", parse_flood, FIELD(flood),
     "requests without credentials: binding, or allocate, which is answered 401"},
    {"flood-rate", "N", parse_rate, FIELD(flood_rate), "requests per second, or max (10k)"},
    {"flood-sources", "PREFIX", parse_prefix, FIELD(sources),
     "addresses that they come from (10.0.0.0/8, 2001:2:0:2000::/52)"},
    {.name = "Results"},
    {"json", "FILE", parse_text, FIELD(json), "write all figures there, too"},
    {"quiet", NULL, parse_flag, FIELD(quiet), "no live figures on stderr"},
    {"seed", "N", parse_u64, FIELD(seed), "of all that is random (1)"},
};

#define SPEC_COUNT (sizeof(specs) / sizeof(specs[0]))

static const char help_head[] =
    "usage: load [EAL OPTION...] -- --relay ADDRESS:PORT [OPTION...]\n"
    "\n"
    "Clients and peers of a TURN relay, all on one ethdev port: sets up allocations, sends media\n"
    "through them in both directions, checks every byte that comes out, measures how long it\n"
    "took, and deletes the allocations. Numbers may end in k or M.\n";

static const char help_tail[] =
    "\n"
    "The relay must have routes for the prefixes of clients and peers, either to --local or on\n"
    "the link: ARP and ND are answered for all of them. What a relay allows one source prefix or\n"
    "one user must suffice.\n"
    "\n"
    "Exit status: 0; 1 when it could not run or a request was refused; 2 for a wrong option;\n"
    "3 when a payload was wrong or reached somebody else.\n"
    "\n"
    "On a veth pair, without huge pages:\n"
    "  load --no-huge -m 512 --no-pci --vdev net_af_packet0,iface=veth1 -- \\\n"
    "       --local 192.0.2.2 --relay 192.0.2.1:3478 --user alice:secret\n";

static void print_help(FILE *output)
{
    fputs(help_head, output);
    for (unsigned i = 0; i < SPEC_COUNT; i++) {
        const struct option_spec *spec = &specs[i];
        char left[40];

        if (!spec->parse) {
            fprintf(output, "\n%s\n", spec->name);
            continue;
        }
        snprintf(left, sizeof(left), "--%s %s", spec->name, spec->value ? spec->value : "");
        fprintf(output, "  %-24s %s\n", left, spec->help);
    }
    fputs(help_tail, output);
}

static const struct option_spec *find_spec(const char *name, size_t len)
{
    for (unsigned i = 0; i < SPEC_COUNT; i++) {
        if (specs[i].parse && strlen(specs[i].name) == len && memcmp(specs[i].name, name, len) == 0)
            return &specs[i];
    }
    return NULL;
}

static enum options_verdict refuse(FILE *errors, const char *problem, const char *what)
{
    fprintf(errors, "load: %s%s; 'load -- --help' says what there is\n", problem, what);
    return OPTIONS_WRONG;
}

// --name value, or --name=value.
static enum options_verdict parse_option(char ***next, FILE *errors, struct options *options)
{
    const char *word = *(*next)++;
    size_t len = strncmp(word, "--", 2) == 0 ? strcspn(word + 2, "=") : 0;
    const struct option_spec *spec = find_spec(word + 2, len);
    const char *value = len > 0 && word[2 + len] == '=' ? word + 3 + len : NULL;

    if (len == 0 || !spec)
        return refuse(errors, "unknown option ", word);
    if (!spec->value && value)
        return refuse(errors, "an option without a value was given one: ", word);
    if (spec->value && !value)
        value = **next ? *(*next)++ : NULL;
    if (spec->value && !value)
        return refuse(errors, "a value is missing for ", word);
    if (!spec->parse(value, (uint8_t *)options + spec->offset)) {
        fprintf(errors, "load: --%s %s: not understood; %s\n", spec->name, value, spec->help);
        return OPTIONS_WRONG;
    }
    return OPTIONS_RUN;
}

// A prefix that was not given has no family.
static void default_prefix(struct endpoint_range *range, uint16_t family, const char *v4,
                           const char *v6)
{
    if (range->prefix.ip.family == IP_FAMILY_NONE)
        ip_prefix_parse(family == IP_FAMILY_V4 ? v4 : v6, &range->prefix);
}

// What does not go together.
static enum options_verdict check(FILE *errors, const struct options *options)
{
    if (options->prepared &&
        (options->framing != MEDIA_CHANNEL || options->lens.count > 1 || options->damage_every > 0))
        return refuse(errors, "--prepared is for channels, one length of payload, no --damage", "");
    if (options->floor && (options->framing != MEDIA_CHANNEL || !options->next_hop_mac.is_given))
        return refuse(errors, "--floor is for channels and needs --next-hop-mac", "");
    if (options->floor && (options->allocations == 0 || options->pcap || options->refresh ||
                           options->flood != FLOOD_NONE))
        return refuse(errors, "--floor is for --allocations, and only for media", "");
    if (options->pcap && (options->allocations == 0 || options->flood != FLOOD_NONE))
        return refuse(errors, "--pcap is for --allocations, without --flood", "");
    if (options->ring_len > 16384 || options->window > 65536)
        return refuse(errors, "--ring-len above 16384 or --window above 65536", "");
    return OPTIONS_RUN;
}

static enum options_verdict complete(FILE *errors, struct options *options)
{
    uint16_t family = options->relay.ip.family;
    bool has_source = false;

    if (family == IP_FAMILY_NONE)
        return refuse(errors, "--relay is missing", "");
    default_prefix(&options->clients, family, "198.18.0.0/16", "2001:2:0:1800::/56");
    default_prefix(&options->sources, family, "10.0.0.0/8", "2001:2:0:2000::/52");
    default_prefix(&options->peers, IP_FAMILY_V4, "198.19.0.0/16", NULL);
    if (options->clients.prefix.ip.family != family || options->sources.prefix.ip.family != family)
        return refuse(errors, "--clients, --flood-sources: not of --relay's family", "");
    if (options->next_hop.family == IP_FAMILY_NONE)
        options->next_hop = options->relay.ip;
    for (unsigned i = 0; i < options->local_count; i++)
        has_source |= options->local[i].ip.family == options->next_hop.family;
    if (!options->next_hop_mac.is_given && !has_source)
        return refuse(errors, "--local of the next hop's family, or --next-hop-mac, is missing",
                      "");
    if (options->allocations == 0 && options->flood == FLOOD_NONE)
        return refuse(errors, "neither --allocations nor --flood: nothing to do", "");
    return check(errors, options);
}

enum options_verdict options_parse(int argc, char **argv, FILE *output, FILE *errors,
                                   struct options *ret_options)
{
    struct options options = {
        .ring_len = 1024,
        .user = {"load", "load"},
        .clients = {.first_port = 10000, .last_port = 60000},
        .peers = {.first_port = 10000, .last_port = 60000},
        .sources = {.first_port = 1024, .last_port = 65535},
        .allocations = 1000,
        .window = 64,
        .lifetime_s = 600,
        .duration_s = 10,
        .rate = 10000,
        .directions = {true, true},
        .lens = {{160}, 1},
        .drain_ms = 500,
        .pcap_frames = 65536,
        .flood_rate = 10000,
        .seed = 1,
    };
    enum options_verdict verdict = OPTIONS_RUN;
    char **next = argv + (argc > 0);

    while (verdict == OPTIONS_RUN && *next) {
        if (strcmp(*next, "--help") == 0 || strcmp(*next, "-h") == 0) {
            print_help(output);
            return OPTIONS_DONE;
        }
        verdict = parse_option(&next, errors, &options);
    }
    if (verdict == OPTIONS_RUN)
        verdict = complete(errors, &options);
    if (verdict == OPTIONS_RUN)
        *ret_options = options;
    return verdict;
}
