// SPDX-License-Identifier: BSD-3-Clause
// See control/metric.h. Prometheus' text format:
// https://prometheus.io/docs/instrumenting/exposition_formats/; OpenMetrics:
// https://github.com/prometheus/OpenMetrics/blob/v1.0.0/specification/OpenMetrics.md
#include "control/metric.h"

#include <assert.h>
#include <event2/buffer.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct metric_row {
    const char *family;
    const char *name; // of its samples
    enum metric_type type;
    const char *unit;
    const char *labels;
    const char *help;
};

#define SUFFIX_COUNTER   "_total"
#define SUFFIX_GAUGE     ""
#define SUFFIX_INFO      "_info"
#define SUFFIX_HISTOGRAM ""
#define SUFFIX_UNKNOWN   ""

static const struct metric_row rows[METRIC_COUNT] = {
#define X(id, name, type, unit, labels, help)                                                      \
    [METRIC_##id] = {name, name SUFFIX_##type, METRIC_##type, unit, labels, help},
    METRIC_LIST(X)
#undef X
};

const char *metric_name(enum metric metric)
{
    assert(metric < METRIC_COUNT);
    return rows[metric].name;
}

const char *metric_labels(enum metric metric)
{
    assert(metric < METRIC_COUNT);
    return rows[metric].labels;
}

const char *metric_help(enum metric metric)
{
    assert(metric < METRIC_COUNT);
    return rows[metric].help;
}

enum metric_type metric_type(enum metric metric)
{
    assert(metric < METRIC_COUNT);
    return rows[metric].type;
}

// The text format has no infos.
static const char *type_name(enum metric_type type, enum metric_format format)
{
    if (type == METRIC_COUNTER)
        return "counter";
    if (type == METRIC_HISTOGRAM)
        return "histogram";
    if (type == METRIC_UNKNOWN)
        return format == METRIC_FORMAT_OPENMETRICS ? "unknown" : "untyped";
    return type == METRIC_INFO && format == METRIC_FORMAT_OPENMETRICS ? "info" : "gauge";
}

void metric_head(const struct metric_page *page, enum metric metric)
{
    const struct metric_row *row = &rows[metric];
    bool is_open = page->format == METRIC_FORMAT_OPENMETRICS;
    const char *name = is_open ? row->family : row->name;

    evbuffer_add_printf(page->text, "# TYPE %s %s\n", name, type_name(row->type, page->format));
    if (is_open && *row->unit)
        evbuffer_add_printf(page->text, "# UNIT %s %s\n", name, row->unit);
    evbuffer_add_printf(page->text, "# HELP %s %s\n", name, row->help);
}

static void add_name(const struct metric_page *page, enum metric metric, const char *labels)
{
    if (*labels)
        evbuffer_add_printf(page->text, "%s{%s} ", rows[metric].name, labels);
    else
        evbuffer_add_printf(page->text, "%s ", rows[metric].name);
}

void metric_sample(const struct metric_page *page, enum metric metric, const char *labels,
                   uint64_t value)
{
    add_name(page, metric, labels);
    evbuffer_add_printf(page->text, "%" PRIu64 "\n", value);
}

void metric_sample_real(const struct metric_page *page, enum metric metric, const char *labels,
                        double value)
{
    add_name(page, metric, labels);
    evbuffer_add_printf(page->text, "%.3f\n", value);
}

void metric_add(const struct metric_page *page, enum metric metric, uint64_t value)
{
    metric_head(page, metric);
    metric_sample(page, metric, "", value);
}

// One of a histogram's samples, up to its value.
static void add_part(const struct metric_page *page, enum metric metric, const char *suffix,
                     const char *labels)
{
    evbuffer_add_printf(page->text, "%s_%s", rows[metric].name, suffix);
    if (*labels)
        evbuffer_add_printf(page->text, "{%s}", labels);
}

void metric_histogram(const struct metric_page *page, enum metric metric, const char *labels,
                      const struct metric_histogram *histogram)
{
    const char *name = rows[metric].name;
    uint64_t below = 0;

    for (unsigned i = 0; i <= histogram->bound_count; i++) {
        below += histogram->counts[i];
        evbuffer_add_printf(page->text, "%s_bucket{%s%sle=\"%s\"} %" PRIu64 "\n", name, labels,
                            *labels ? "," : "",
                            i < histogram->bound_count ? histogram->bounds[i] : "+Inf", below);
    }
    add_part(page, metric, "sum", labels);
    evbuffer_add_printf(page->text, " %.6f\n", histogram->sum);
    add_part(page, metric, "count", labels);
    evbuffer_add_printf(page->text, " %" PRIu64 "\n", below);
}

void metric_page_end(const struct metric_page *page)
{
    if (page->format == METRIC_FORMAT_OPENMETRICS)
        evbuffer_add_printf(page->text, "# EOF\n");
}

const char *metric_format_type(enum metric_format format)
{
    return format == METRIC_FORMAT_OPENMETRICS
               ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
               : "text/plain; version=0.0.4; charset=utf-8";
}

// One element of the list: its media type and parameters, without blanks around it.
struct accepted {
    const char *text;
    size_t len;
};

static bool next_accepted(const char **rest, struct accepted *ret_accepted)
{
    const char *text = *rest + strspn(*rest, " \t,");
    size_t len = strcspn(text, ",");

    if (len == 0)
        return false;
    *rest = text + len;
    *ret_accepted = (struct accepted){text, len};
    return true;
}

static bool is_of_type(const struct accepted *accepted, const char *type)
{
    size_t len = strcspn(accepted->text, "; \t,");

    return len == strlen(type) && len <= accepted->len &&
           strncasecmp(accepted->text, type, len) == 0;
}

// The value of a parameter; NULL: there is none of that name.
static const char *parameter(const struct accepted *accepted, const char *name)
{
    const char *end = accepted->text + accepted->len;

    for (const char *at = memchr(accepted->text, ';', accepted->len); at && at < end;
         at = memchr(at, ';', (size_t)(end - at))) {
        at += 1 + strspn(at + 1, " \t");
        if (strncasecmp(at, name, strlen(name)) == 0 && at[strlen(name)] == '=')
            return at + strlen(name) + 1;
    }
    return NULL;
}

// RFC 9110 section 12.4.2: 1 unless it says otherwise. In thousandths.
static unsigned weight(const struct accepted *accepted)
{
    const char *value = parameter(accepted, "q");
    unsigned thousandths = 0;

    if (!value || *value != '0')
        return 1000;
    value += value[1] == '.' ? 2 : 1;
    for (unsigned unit = 100; unit > 0 && *value >= '0' && *value <= '9'; unit /= 10)
        thousandths += unit * (unsigned)(*value++ - '0');
    return thousandths;
}

static bool is_our_version(const struct accepted *accepted)
{
    const char *version = parameter(accepted, "version");

    return !version || strncmp(version, "1.0.0", 5) == 0 || strncmp(version, "\"1.0.0\"", 7) == 0;
}

enum metric_format metric_format_choose(const char *accept)
{
    unsigned text_weight = 0, open_weight = 0;
    struct accepted accepted;

    while (accept && next_accepted(&accept, &accepted)) {
        unsigned its_weight = weight(&accepted);

        if (is_of_type(&accepted, "application/openmetrics-text") && is_our_version(&accepted) &&
            its_weight > open_weight)
            open_weight = its_weight;
        if (is_of_type(&accepted, "text/plain") && its_weight > text_weight)
            text_weight = its_weight;
    }
    return open_weight > 0 && open_weight >= text_weight ? METRIC_FORMAT_OPENMETRICS
                                                         : METRIC_FORMAT_TEXT;
}
