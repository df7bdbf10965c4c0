// SPDX-License-Identifier: BSD-3-Clause
// Reads a libconfig tree by a table of settings.
#include "control/setting.h"

#include "base/address.h"
#include "control/source.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define NAME_LEN 128
// A misspelt name is taken for one that differs in at most so many letters.
#define SUGGESTION_DISTANCE_MAX 2
#define CPU_MAX                 1023

#define STRING(macro)   STRING_OF(macro)
#define STRING_OF(text) #text

struct reader {
    const config_setting_t *setting;
    const char *name;
    struct setting_report *report;
};

void setting_report_done(struct setting_report *report)
{
    free(report->names);
    report->names = NULL;
}

bool setting_report_has(const struct setting_report *report, const char *prefix)
{
    char line[NAME_LEN + 1];

    snprintf(line, sizeof(line), "\n%s", prefix);
    return report->names && strstr(report->names, line);
}

static void remember_name(struct setting_report *report, const char *name)
{
    size_t len = report->names ? strlen(report->names) : 0;
    char *names = realloc(report->names, len + strlen(name) + 2);

    if (!names)
        return;
    sprintf(names + len, "\n%s", name);
    report->names = names;
}

void setting_error(struct setting_report *report, const config_setting_t *where, const char *name,
                   const char *format, ...)
{
    const char *path = where ? config_setting_source_file(where) : NULL;
    va_list arguments;

    report->error_count++;
    remember_name(report, name);
    fprintf(report->stream, "%s:", path ? path : report->path);
    if (where && config_setting_source_line(where) > 0)
        fprintf(report->stream, "%u:", config_setting_source_line(where));
    fprintf(report->stream, " %s%s", name, *name ? ": " : "");
    va_start(arguments, format);
    vfprintf(report->stream, format, arguments);
    va_end(arguments);
    fputc('\n', report->stream);
}

const char *setting_format_type(const struct setting *setting, char *text)
{
    static const char *const names[] = {
        [SETTING_NUMBER] = "integer",
        [SETTING_LARGE_NUMBER] = "integer",
        [SETTING_BOOLEAN] = "boolean",
        [SETTING_CHOICE] = "string",
        [SETTING_TEXT] = "string",
        [SETTING_ADDRESS] = "string",
        [SETTING_HEX] = "string",
        [SETTING_CPUS] = "string",
        [SETTING_TEXTS] = "array of strings",
        [SETTING_ADDRESSES] = "array of strings",
        [SETTING_PREFIXES] = "array of strings",
        [SETTING_GROUP] = "group",
        [SETTING_GROUPS] = "list of groups",
    };

    snprintf(text, SETTING_TEXT_LEN, "%s", names[setting->type]);
    return text;
}

static void format_choices(const struct setting *setting, char *text)
{
    size_t len = 0;

    for (unsigned i = 0; setting->choices[i]; i++)
        len += (size_t)snprintf(text + len, SETTING_TEXT_LEN - len, "%s\"%s\"", i > 0 ? ", " : "",
                                setting->choices[i]);
}

const char *setting_format_range(const struct setting *setting, char *text)
{
    bool optional = setting->default_value && strcmp(setting->default_value, "\"\"") == 0;
    const char *or_empty = optional ? ", or empty" : "";

    switch (setting->type) {
    case SETTING_NUMBER:
    case SETTING_LARGE_NUMBER:
        snprintf(text, SETTING_TEXT_LEN, "%" PRIu64 "..%" PRIu64, setting->min, setting->max);
        break;
    case SETTING_BOOLEAN:
        snprintf(text, SETTING_TEXT_LEN, "true, false");
        break;
    case SETTING_CHOICE:
        format_choices(setting, text);
        break;
    case SETTING_TEXT:
        snprintf(text, SETTING_TEXT_LEN, "%" PRIu64 "..%" PRIu64 " bytes", setting->min,
                 setting->max);
        break;
    case SETTING_ADDRESS:
        snprintf(text, SETTING_TEXT_LEN, "an IPv4 or IPv6 address%s", or_empty);
        break;
    case SETTING_HEX:
        snprintf(text, SETTING_TEXT_LEN, "%" PRIu64 " hexadecimal digits%s", setting->max * 2,
                 or_empty);
        break;
    case SETTING_CPUS:
        snprintf(text, SETTING_TEXT_LEN, "CPU numbers and ranges such as \"2-5,8\"%s", or_empty);
        break;
    case SETTING_TEXTS:
        snprintf(text, SETTING_TEXT_LEN, "each %" PRIu64 "..%" PRIu64 " bytes", setting->min,
                 setting->max);
        break;
    case SETTING_ADDRESSES:
        snprintf(text, SETTING_TEXT_LEN, "each an IPv4 or IPv6 address, at most %" PRIu64,
                 setting->max);
        break;
    case SETTING_PREFIXES:
        snprintf(text, SETTING_TEXT_LEN,
                 "each a prefix such as \"10.0.0.0/8\" or \"2001:db8::/32\"");
        break;
    case SETTING_GROUP:
        text[0] = '\0';
        break;
    case SETTING_GROUPS:
        if (setting->max == UINT32_MAX)
            snprintf(text, SETTING_TEXT_LEN, "any number");
        else
            snprintf(text, SETTING_TEXT_LEN, "at most %" PRIu64, setting->max);
        break;
    }
    return text;
}

static void refuse(const struct reader *reader, const struct setting *setting, const char *problem)
{
    const char *value =
        config_setting_type(reader->setting) == CONFIG_TYPE_STRING && !setting->secret
            ? config_setting_get_string(reader->setting)
            : NULL;
    char range[SETTING_TEXT_LEN];

    setting_format_range(setting, range);
    if (value)
        setting_error(reader->report, reader->setting, reader->name, "\"%.100s\" %s; allowed: %s",
                      value, problem, range);
    else
        setting_error(reader->report, reader->setting, reader->name, "%s; allowed: %s", problem,
                      range);
}

// How a value of the type is written, where that is easily got wrong.
static const char *type_form(const struct setting *setting)
{
    switch (setting->type) {
    case SETTING_NUMBER:
    case SETTING_LARGE_NUMBER:
    case SETTING_BOOLEAN:
        return ", without quotes";
    case SETTING_TEXTS:
    case SETTING_ADDRESSES:
    case SETTING_PREFIXES:
        return ", written [\"...\", \"...\"]";
    case SETTING_GROUP:
        return ", written { ... }";
    case SETTING_GROUPS:
        return ", written ( { ... }, { ... } )";
    default:
        return ", in quotes";
    }
}

static void refuse_type(const struct reader *reader, const struct setting *setting)
{
    char type[SETTING_TEXT_LEN], range[SETTING_TEXT_LEN];

    setting_format_range(setting, range);
    setting_error(reader->report, reader->setting, reader->name,
                  "is of the wrong type; allowed: %s%s%s%s%s", setting_format_type(setting, type),
                  *range ? " (" : "", range, *range ? ")" : "", type_form(setting));
}

// What the text says, where libconfig gives another number. What it gives is then of no use.
static bool is_cut(const struct reader *reader, char *ret_integer)
{
    const struct setting_report *report = reader->report;
    const char *file = config_setting_source_file(reader->setting);
    const char *name = config_setting_name(reader->setting);
    unsigned line = config_setting_source_line(reader->setting);
    char path[PATH_MAX], *included;
    bool cut;

    if (!file)
        return report->text && source_has_cut_integer(report->text, line, name, ret_integer);
    snprintf(path, sizeof(path), "%s/%s", report->directory, file);
    if (source_read(path, &included) < 0)
        return false;
    cut = source_has_cut_integer(included, line, name, ret_integer);
    source_free(included);
    return cut;
}

static bool is_within(const struct setting *setting, long long value)
{
    return value >= (long long)setting->min && value <= (long long)setting->max;
}

static void read_number(const struct reader *reader, const struct setting *setting,
                        void *ret_number)
{
    int type = config_setting_type(reader->setting);
    long long value;
    char written[SOURCE_INTEGER_LEN], range[SETTING_TEXT_LEN];
    bool cut;

    if (type != CONFIG_TYPE_INT && type != CONFIG_TYPE_INT64) {
        refuse_type(reader, setting);
        return;
    }
    value = type == CONFIG_TYPE_INT ? config_setting_get_int(reader->setting)
                                    : config_setting_get_int64(reader->setting);
    snprintf(written, sizeof(written), "%lld", value);
    cut = is_cut(reader, written);
    if (cut && is_within(setting, strtoll(written, NULL, 0)))
        setting_error(reader->report, reader->setting, reader->name,
                      "%s takes more than 32 bits; allowed: the same with an L behind it, %sL",
                      written, written);
    else if (cut || !is_within(setting, value))
        setting_error(reader->report, reader->setting, reader->name,
                      "%s is out of range; allowed: %s%s%s", written,
                      setting_format_range(setting, range), setting->unit ? " " : "",
                      setting->unit ? setting->unit : "");
    else if (setting->type == SETTING_LARGE_NUMBER)
        *(uint64_t *)ret_number = (uint64_t)value;
    else
        *(uint32_t *)ret_number = (uint32_t)value;
}

static void read_boolean(const struct reader *reader, const struct setting *setting,
                         bool *ret_boolean)
{
    if (config_setting_type(reader->setting) != CONFIG_TYPE_BOOL)
        refuse_type(reader, setting);
    else
        *ret_boolean = config_setting_get_bool(reader->setting);
}

static void read_choice(const struct reader *reader, const struct setting *setting,
                        uint32_t *ret_choice)
{
    const char *text = config_setting_get_string(reader->setting);

    for (uint32_t i = 0; setting->choices[i]; i++) {
        if (strcmp(setting->choices[i], text) == 0) {
            *ret_choice = i;
            return;
        }
    }
    refuse(reader, setting, "is not among the choices");
}

static bool length_is_allowed(const struct reader *reader, const struct setting *setting,
                              const char *text)
{
    size_t len = strlen(text);

    if (len >= setting->min && len <= setting->max)
        return true;
    refuse(reader, setting,
           len == 0             ? "is empty"
           : len < setting->min ? "is too short"
                                : "is too long");
    return false;
}

static void read_text(const struct reader *reader, const struct setting *setting, char **ret_text)
{
    const char *text = config_setting_get_string(reader->setting);

    if (!length_is_allowed(reader, setting, text))
        return;
    free(*ret_text); // the default
    *ret_text = strdup(text);
}

// Unspecified, loopback and multicast addresses, and IPv4 addresses within IPv6 ones.
static bool can_be_ours(const struct ip_address *ip)
{
    if (ip->family == IP_FAMILY_V4)
        return ip->bytes[0] != 0 && ip->bytes[0] != 127 && ip->bytes[0] < 224;
    return ip->bytes[0] != 0 && ip->bytes[0] != 0xFF;
}

static void read_address(const struct reader *reader, const struct setting *setting,
                         struct ip_address *ret_ip)
{
    const char *text = config_setting_get_string(reader->setting);
    struct ip_address ip = {.family = IP_FAMILY_NONE};

    if (*text == '\0' && setting->default_value)
        *ret_ip = ip;
    else if (ip_address_parse(text, &ip) < 0)
        refuse(reader, setting, "is no IP address");
    else if (!can_be_ours(&ip))
        refuse(reader, setting, "is no address that packets can come to");
    else
        *ret_ip = ip;
}

static void read_hex(const struct reader *reader, const struct setting *setting,
                     struct setting_bytes *ret_bytes)
{
    const char *text = config_setting_get_string(reader->setting);
    struct setting_bytes bytes = {};

    if (*text == '\0' && setting->default_value)
        return;
    if (strlen(text) != setting->max * 2) {
        refuse(reader, setting, "is of the wrong length");
        return;
    }
    for (; *text; text += 2) {
        int high = OPENSSL_hexchar2int((unsigned char)text[0]),
            low = OPENSSL_hexchar2int((unsigned char)text[1]);

        if (high < 0 || low < 0) {
            refuse(reader, setting, "is not hexadecimal");
            return;
        }
        bytes.bytes[bytes.len++] = (uint8_t)(high << 4 | low);
    }
    *ret_bytes = bytes;
}

static bool parse_cpu(const char **text, unsigned long *ret_cpu)
{
    char *end;

    if (**text < '0' || **text > '9')
        return false;
    *ret_cpu = strtoul(*text, &end, 10);
    *text = end;
    return true;
}

// Returns what is wrong, or NULL.
static const char *add_cpus(struct setting_cpus *cpus, unsigned long first, unsigned long last)
{
    if (last < first)
        return "has a range that ends before it begins";
    if (last > CPU_MAX)
        return "names a CPU above " STRING(CPU_MAX);
    for (; first <= last; first++) {
        for (unsigned i = 0; i < cpus->count; i++) {
            if (cpus->cpus[i] == first)
                return "names a CPU twice";
        }
        if (cpus->count == PORT_SLICE_COUNT)
            return "names more than " STRING(PORT_SLICE_COUNT) " CPUs";
        cpus->cpus[cpus->count++] = (uint16_t)first;
    }
    return NULL;
}

static const char *parse_cpus(const char *text, struct setting_cpus *cpus)
{
    const char *problem = NULL;

    while (*text && !problem) {
        unsigned long first, last;

        if (!parse_cpu(&text, &first))
            return "is no list of CPUs";
        last = first;
        if (*text == '-') {
            text++;
            if (!parse_cpu(&text, &last))
                return "is no list of CPUs";
        }
        problem = add_cpus(cpus, first, last);
        if (*text == ',' && text[1])
            text++;
        else if (*text)
            return "is no list of CPUs";
    }
    return problem;
}

static void read_cpus(const struct reader *reader, const struct setting *setting,
                      struct setting_cpus *ret_cpus)
{
    struct setting_cpus cpus = {};
    const char *problem = parse_cpus(config_setting_get_string(reader->setting), &cpus);

    if (problem)
        refuse(reader, setting, problem);
    else
        *ret_cpus = cpus;
}

// Empties the list and makes room. False when the setting is no array or list.
static bool list_start(const struct reader *reader, const struct setting *setting, size_t item_len,
                       struct setting_list *list)
{
    const config_setting_t *source = reader->setting;
    unsigned len = (unsigned)config_setting_length(source);

    if (!config_setting_is_array(source) && !config_setting_is_list(source)) {
        refuse_type(reader, setting);
        return false;
    }
    if (setting->type == SETTING_GROUPS && len > setting->max) {
        refuse(reader, setting, "has too many groups");
        return false;
    }
    if (setting->type == SETTING_ADDRESSES && len > setting->max) {
        refuse(reader, setting, "has too many addresses");
        return false;
    }
    list->count = 0;
    free(list->items);
    list->items = len > 0 ? calloc(len, item_len) : NULL;
    return len == 0 || list->items;
}

static void read_texts(const struct reader *reader, const struct setting *setting,
                       struct setting_list *ret_list)
{
    if (!list_start(reader, setting, sizeof(char *), ret_list))
        return;
    for (int i = 0; i < config_setting_length(reader->setting); i++) {
        struct reader item = {config_setting_get_elem(reader->setting, (unsigned)i), reader->name,
                              reader->report};
        const char *text = config_setting_get_string(item.setting);

        if (!text)
            refuse_type(&item, setting);
        else if (length_is_allowed(&item, setting, text))
            ((char **)ret_list->items)[ret_list->count++] = strdup(text);
    }
}

static void read_addresses(const struct reader *reader, const struct setting *setting,
                           struct setting_list *ret_list)
{
    if (!list_start(reader, setting, sizeof(struct ip_address), ret_list))
        return;
    for (int i = 0; i < config_setting_length(reader->setting); i++) {
        struct reader item = {config_setting_get_elem(reader->setting, (unsigned)i), reader->name,
                              reader->report};
        const char *text = config_setting_get_string(item.setting);
        struct ip_address *address = (struct ip_address *)ret_list->items + ret_list->count;

        if (!text)
            refuse_type(&item, setting);
        else if (ip_address_parse(text, address) < 0)
            refuse(&item, setting, "is no IP address");
        else
            ret_list->count++;
    }
}

static void read_prefixes(const struct reader *reader, const struct setting *setting,
                          struct setting_list *ret_list)
{
    if (!list_start(reader, setting, sizeof(struct ip_prefix), ret_list))
        return;
    for (int i = 0; i < config_setting_length(reader->setting); i++) {
        struct reader item = {config_setting_get_elem(reader->setting, (unsigned)i), reader->name,
                              reader->report};
        const char *text = config_setting_get_string(item.setting);
        struct ip_prefix *prefix = (struct ip_prefix *)ret_list->items + ret_list->count;

        if (!text)
            refuse_type(&item, setting);
        else if (ip_prefix_parse(text, prefix) < 0)
            refuse(&item, setting, "is no prefix, or has bits set past its length");
        else
            ret_list->count++;
    }
}

static void read_groups(const struct reader *reader, const struct setting *setting,
                        struct setting_list *ret_list)
{
    if (!list_start(reader, setting, setting->item_len, ret_list))
        return;
    for (int i = 0; i < config_setting_length(reader->setting); i++) {
        const config_setting_t *group = config_setting_get_elem(reader->setting, (unsigned)i);
        struct reader item = {group, reader->name, reader->report};
        char prefix[NAME_LEN];

        snprintf(prefix, sizeof(prefix), "%s[%d].", reader->name, i);
        if (!config_setting_is_group(group))
            refuse_type(&item, setting);
        else
            setting_read_group(setting->fields, group, prefix,
                               (char *)ret_list->items + setting->item_len * ret_list->count++,
                               reader->report);
    }
}

static bool is_string_type(enum setting_type type)
{
    return type == SETTING_CHOICE || type == SETTING_TEXT || type == SETTING_ADDRESS ||
           type == SETTING_HEX || type == SETTING_CPUS;
}

static void read_value(const struct reader *reader, const struct setting *setting, void *target)
{
    char prefix[NAME_LEN];

    if (is_string_type(setting->type) &&
        config_setting_type(reader->setting) != CONFIG_TYPE_STRING) {
        refuse_type(reader, setting);
        return;
    }
    switch (setting->type) {
    case SETTING_NUMBER:
    case SETTING_LARGE_NUMBER:
        read_number(reader, setting, target);
        break;
    case SETTING_BOOLEAN:
        read_boolean(reader, setting, target);
        break;
    case SETTING_CHOICE:
        read_choice(reader, setting, target);
        break;
    case SETTING_TEXT:
        read_text(reader, setting, target);
        break;
    case SETTING_ADDRESS:
        read_address(reader, setting, target);
        break;
    case SETTING_HEX:
        read_hex(reader, setting, target);
        break;
    case SETTING_CPUS:
        read_cpus(reader, setting, target);
        break;
    case SETTING_TEXTS:
        read_texts(reader, setting, target);
        break;
    case SETTING_ADDRESSES:
        read_addresses(reader, setting, target);
        break;
    case SETTING_PREFIXES:
        read_prefixes(reader, setting, target);
        break;
    case SETTING_GROUPS:
        read_groups(reader, setting, target);
        break;
    case SETTING_GROUP:
        snprintf(prefix, sizeof(prefix), "%s.", reader->name);
        if (!config_setting_is_group(reader->setting))
            refuse_type(reader, setting);
        else
            setting_read_group(setting->fields, reader->setting, prefix, target, reader->report);
        break;
    }
}

// A default goes through the same reader as a file does, so that it cannot mean anything else.
static void read_default(const struct setting *setting, void *target)
{
    struct setting_report report = {.stream = stderr, .path = "default"};
    char text[SETTING_TEXT_LEN + NAME_LEN];
    struct reader reader = {.name = setting->name, .report = &report};
    config_t config;

    config_init(&config);
    snprintf(text, sizeof(text), "%s = %s;", setting->name, setting->default_value);
    if (!config_read_string(&config, text))
        assert(!"the table has a default that cannot be read");
    reader.setting = config_setting_get_member(config_root_setting(&config), setting->name);
    read_value(&reader, setting, target);
    config_destroy(&config);
    assert(report.error_count == 0);
    setting_report_done(&report);
}

// The edit distance between two names, at most limit + 1.
static unsigned distance(const char *a, const char *b, unsigned limit)
{
    unsigned insertion, removal, change;

    while (*a && *a == *b) {
        a++;
        b++;
    }
    if (!*a && !*b)
        return 0;
    if (limit == 0)
        return 1;
    insertion = *b ? distance(a, b + 1, limit - 1) : limit;
    removal = *a ? distance(a + 1, b, limit - 1) : limit;
    change = *a && *b ? distance(a + 1, b + 1, limit - 1) : limit;
    if (removal < insertion)
        insertion = removal;
    return 1 + (change < insertion ? change : insertion);
}

static const struct setting *find_setting(const struct setting *fields, const char *name)
{
    for (; fields->name; fields++) {
        if (strcmp(fields->name, name) == 0)
            return fields;
    }
    return NULL;
}

static void refuse_unknown(const struct setting *fields, const struct reader *reader)
{
    const char *name = config_setting_name(reader->setting);
    unsigned nearest_distance = SUGGESTION_DISTANCE_MAX + 1;
    const char *nearest = NULL;

    for (; fields->name; fields++) {
        unsigned d = distance(name, fields->name, SUGGESTION_DISTANCE_MAX);

        if (d < nearest_distance) {
            nearest_distance = d;
            nearest = fields->name;
        }
    }
    // A name that has less than half of it in common is no misspelling.
    if (nearest && 2 * nearest_distance < strlen(name))
        setting_error(reader->report, reader->setting, reader->name,
                      "is no setting; did you mean %s?", nearest);
    else
        setting_error(reader->report, reader->setting, reader->name,
                      "is no setting; turnpike.conf(5) lists those there are");
}

static void read_defaults(const struct setting *fields, void *base)
{
    for (; fields->name; fields++) {
        if (fields->type == SETTING_GROUP)
            read_defaults(fields->fields, (char *)base + fields->offset);
        else if (fields->default_value && *fields->default_value)
            read_default(fields, (char *)base + fields->offset);
    }
}

static void require_members(const struct setting *fields, const config_setting_t *group,
                            const char *prefix, struct setting_report *report)
{
    for (; fields->name; fields++) {
        char name[NAME_LEN];

        if (fields->default_value || fields->type == SETTING_GROUP ||
            config_setting_get_member(group, fields->name))
            continue;
        snprintf(name, sizeof(name), "%s%s", prefix, fields->name);
        setting_error(report, group, name, "is missing: %s", fields->help);
    }
}

void setting_read_group(const struct setting *fields, const config_setting_t *group,
                        const char *prefix, void *base, struct setting_report *report)
{
    read_defaults(fields, base);
    require_members(fields, group, prefix, report);
    for (int i = 0; i < config_setting_length(group); i++) {
        const config_setting_t *member = config_setting_get_elem(group, (unsigned)i);
        const struct setting *setting = find_setting(fields, config_setting_name(member));
        char name[NAME_LEN];
        const struct reader reader = {member, name, report};

        snprintf(name, sizeof(name), "%s%s", prefix, config_setting_name(member));
        if (setting)
            read_value(&reader, setting, (char *)base + setting->offset);
        else
            refuse_unknown(fields, &reader);
    }
}

static void free_text(char *text, bool secret)
{
    if (text && secret)
        OPENSSL_cleanse(text, strlen(text));
    free(text);
}

static void done_list(const struct setting *setting, struct setting_list *list)
{
    for (uint32_t i = 0; i < list->count; i++) {
        if (setting->type == SETTING_TEXTS)
            free_text(((char **)list->items)[i], setting->secret);
        else if (setting->type == SETTING_GROUPS)
            setting_done_group(setting->fields, (char *)list->items + setting->item_len * i);
    }
    free(list->items);
    *list = (struct setting_list){};
}

void setting_done_group(const struct setting *fields, void *base)
{
    for (; fields->name; fields++) {
        void *target = (char *)base + fields->offset;

        switch (fields->type) {
        case SETTING_TEXT:
            free_text(*(char **)target, fields->secret);
            *(char **)target = NULL;
            break;
        case SETTING_HEX:
            OPENSSL_cleanse(target, sizeof(struct setting_bytes));
            break;
        case SETTING_TEXTS:
        case SETTING_ADDRESSES:
        case SETTING_PREFIXES:
        case SETTING_GROUPS:
            done_list(fields, target);
            break;
        case SETTING_GROUP:
            setting_done_group(fields->fields, target);
            break;
        default:
            break;
        }
    }
}

static void walk(const struct setting *fields, const char *prefix,
                 void (*visit)(const struct setting *setting, const char *name, void *context),
                 void *context)
{
    for (; fields->name; fields++) {
        char name[NAME_LEN];

        snprintf(name, sizeof(name), "%s%s", prefix, fields->name);
        visit(fields, name, context);
        if (fields->fields) {
            strncat(name, ".", sizeof(name) - strlen(name) - 1);
            walk(fields->fields, name, visit, context);
        }
    }
}

void setting_walk(const struct setting *fields,
                  void (*visit)(const struct setting *setting, const char *name, void *context),
                  void *context)
{
    walk(fields, "", visit, context);
}
