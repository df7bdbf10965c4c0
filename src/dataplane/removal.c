// SPDX-License-Identifier: BSD-3-Clause
// The end of an allocation, in steps, and its report.
#include "dataplane/removal.h"

#include "dataplane/tables.h"

#include <errno.h>
#include <string.h>

// What still has to be told to the control plane about an allocation.
enum removal_report {
    REMOVAL_REPORT_RELAY_V4 = 1 << TABLE_V4,
    REMOVAL_REPORT_RELAY_V6 = 1 << TABLE_V6,
    REMOVAL_REPORT_UNKNOWN_RELAY = 1 << TABLE_FAMILIES, // in place of IPv4's
    REMOVAL_REPORT_ALLOCATION = 2 << TABLE_FAMILIES,
};

void removal_reports_init(struct removal_reports *reports)
{
    reports->first = TABLE_NONE;
    reports->last = TABLE_NONE;
}

static void report_append(struct tables *tables, uint32_t index, enum removal_report report)
{
    struct allocation_record *record = &tables->allocations.records[index];
    bool listed = record->reports != 0;
    record->reports |= report;
    if (listed)
        return;
    if (tables->reports.last == TABLE_NONE)
        tables->reports.first = index;
    else
        tables->allocations.records[tables->reports.last].next_report = index;
    tables->reports.last = index;
}

// What is not there was removed all the same, as far as the control plane is concerned: it waits
// for the answer. An entry of its own keeps the report, and there is one to take: the control plane
// has no more allocations here than there are entries. Should there be none, a report that leaves
// gives one back.
static bool report_nothing_there(struct tables *tables, uint32_t id, enum removal_report report,
                                 struct table_relayed relayed)
{
    uint32_t index = index_pool_take(&tables->allocations.pool);
    if (index == TABLE_NONE)
        return false;
    struct allocation *entry = &tables->allocations.at[index];
    memset(entry, 0, sizeof(*entry));
    tables->allocations.records[index] = (struct allocation_record){.id = id};
    entry->relayed[TABLE_V4] = relayed;
    report_append(tables, index, report);
    return true;
}

// Spend the budget on what the allocation has in one family: each permission after its channels,
// of which the last may take it along. True when all is gone.
static bool belongings_drop(struct tables *tables, uint32_t allocation, enum table_family family,
                            unsigned *budget)
{
    const uint32_t *root = &tables->allocations.at[allocation].permissions[family];
    for (; *root != TABLE_NONE; (*budget)--) {
        if (*budget == 0)
            return false;
        uint32_t channel = tables->permissions.at[*root].channels;
        if (channel != TABLE_NONE)
            channel_table_drop(tables, channel);
        else
            permission_table_drop(tables, *root);
    }
    return true;
}

bool removal_step_allocation(struct tables *tables, const struct command *command, unsigned *budget,
                             int *ret_error)
{
    uint32_t index = allocation_table_find(&tables->allocations, command->allocation);
    if (index == TABLE_NONE) {
        *ret_error = -ENOENT;
        return report_nothing_there(tables, command->allocation, REMOVAL_REPORT_ALLOCATION,
                                    (struct table_relayed){RELAY_NONE, 0});
    }
    for (int family = TABLE_V4; family < TABLE_FAMILIES; family++) {
        allocation_table_clear_relayed(tables, index, (enum table_family)family, false);
        if (!belongings_drop(tables, index, (enum table_family)family, budget))
            return false;
    }
    allocation_table_forget(tables, index);
    report_append(tables, index, REMOVAL_REPORT_ALLOCATION);
    *ret_error = 0;
    return true;
}

bool removal_step_relay(struct tables *tables, const struct command *command, unsigned *budget,
                        int *ret_error)
{
    uint32_t index = allocation_table_find(&tables->allocations, command->allocation);
    int family = -1;
    struct table_relayed wanted = {command->remove_relay.relay,
                                   __builtin_bswap16(command->remove_relay.port)};
    for (int at = TABLE_V4; index != TABLE_NONE && at < TABLE_FAMILIES; at++) {
        const struct table_relayed *has = &tables->allocations.at[index].relayed[at];
        if (has->relay == wanted.relay && has->port_be == wanted.port_be)
            family = at;
    }
    if (family < 0) {
        *ret_error = -ENOENT;
        return report_nothing_there(tables, command->allocation, REMOVAL_REPORT_UNKNOWN_RELAY,
                                    wanted);
    }
    if (!belongings_drop(tables, index, (enum table_family)family, budget))
        return false;
    allocation_table_clear_relayed(tables, index, (enum table_family)family, true);
    report_append(tables, index, (enum removal_report)(1 << family));
    *ret_error = 0;
    return true;
}

// Relays are reported before the allocation they were of.
static enum removal_report report_of(const struct allocation_record *record)
{
    unsigned reports = record->reports;
    return (enum removal_report)(reports & -reports);
}

static enum table_family family_of(enum removal_report report)
{
    return report == REMOVAL_REPORT_RELAY_V6 ? TABLE_V6 : TABLE_V4;
}

bool removal_next_report(const struct tables *tables, struct punt *ret_punt)
{
    if (tables->reports.first == TABLE_NONE)
        return false;
    const struct allocation *entry = &tables->allocations.at[tables->reports.first];
    const struct allocation_record *record = &tables->allocations.records[tables->reports.first];
    enum removal_report report = report_of(record);
    memset(ret_punt, 0, sizeof(*ret_punt));
    ret_punt->kind = PUNT_REMOVED;
    ret_punt->allocation = record->id;
    if (report == REMOVAL_REPORT_ALLOCATION) {
        ret_punt->removed.relay = RELAY_NONE;
        ret_punt->removed.traffic = entry->traffic;
    } else {
        const struct table_relayed *relayed = &entry->relayed[family_of(report)];
        ret_punt->removed.relay = relayed->relay & (uint16_t)~TABLE_RELAYED_WAS;
        ret_punt->removed.port = __builtin_bswap16(relayed->port_be);
    }
    return true;
}

void removal_reported(struct tables *tables)
{
    uint32_t index = tables->reports.first;
    struct allocation_record *record = &tables->allocations.records[index];
    enum removal_report reported = report_of(record);
    if (reported != REMOVAL_REPORT_ALLOCATION)
        tables->allocations.at[index].relayed[family_of(reported)].relay = RELAY_NONE;
    record->reports &= ~reported;
    if (record->reports != 0)
        return;
    if (index == tables->reports.last)
        removal_reports_init(&tables->reports);
    else
        tables->reports.first = record->next_report;
    if (reported == REMOVAL_REPORT_ALLOCATION || reported == REMOVAL_REPORT_UNKNOWN_RELAY)
        index_pool_give(&tables->allocations.pool, index);
}
