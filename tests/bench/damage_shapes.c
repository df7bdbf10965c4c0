// SPDX-License-Identifier: BSD-3-Clause
// Tags, a classifier and reassembly that err, linked in the place of the right ones: DAMAGE says
// how, so that a test sees whether the benchmark notices.
#include "dataplane/classify.h"
#include "dataplane/reassembly.h"
#include "dataplane/worker.h"
#include "platform/vlan.h"

#include <rte_mbuf.h>
#include <stdlib.h>
#include <string.h>

int __real_vlan_create(const struct vlan_config *config, struct vlan **ret_vlan);
int __wrap_vlan_create(const struct vlan_config *config, struct vlan **ret_vlan);
unsigned __real_worker_poll(struct worker *worker);
unsigned __wrap_worker_poll(struct worker *worker);
void __real_classify(const struct local_addresses *v4, const struct local_addresses *v6,
                     struct rte_mbuf *frame, struct packet *ret_packet);
void __wrap_classify(const struct local_addresses *v4, const struct local_addresses *v6,
                     struct rte_mbuf *frame, struct packet *ret_packet);
void __real_reassembly_take(struct reassembly *reassembly, const struct packet *fragment,
                            uint64_t now_tsc, struct reassembly_result *ret_result);
void __wrap_reassembly_take(struct reassembly *reassembly, const struct packet *fragment,
                            uint64_t now_tsc, struct reassembly_result *ret_result);
void __real_reassembly_write(struct reassembly *reassembly, uint8_t *frame);
void __wrap_reassembly_write(struct reassembly *reassembly, uint8_t *frame);

static bool is_polling; // the worker, which would only drop what is classified wrong

unsigned __wrap_worker_poll(struct worker *worker)
{
    is_polling = true;
    unsigned work = __real_worker_poll(worker);
    is_polling = false;
    return work;
}

static bool is_damaged(const char *what)
{
    const char *damage = getenv("DAMAGE");
    return damage != NULL && strcmp(damage, what) == 0;
}

int __wrap_vlan_create(const struct vlan_config *config, struct vlan **ret_vlan)
{
    struct vlan_config damaged = *config;
    if (is_damaged("untagged"))
        damaged.device_inserts = !damaged.device_inserts;
    else if (is_damaged("other vlan"))
        damaged.id++;
    return __real_vlan_create(&damaged, ret_vlan);
}

void __wrap_classify(const struct local_addresses *v4, const struct local_addresses *v6,
                     struct rte_mbuf *frame, struct packet *ret_packet)
{
    __real_classify(v4, v6, frame, ret_packet);
    if (is_damaged("kind") && !is_polling && ret_packet->kind == PACKET_CHANNEL_DATA)
        ret_packet->kind = PACKET_STUN;
}

void __wrap_reassembly_take(struct reassembly *reassembly, const struct packet *fragment,
                            uint64_t now_tsc, struct reassembly_result *ret_result)
{
    __real_reassembly_take(reassembly, fragment, now_tsc, ret_result);
    if (ret_result->complete && is_damaged("lost")) {
        __real_reassembly_write(reassembly, NULL);
        ret_result->complete = false;
    } else if (ret_result->complete && is_damaged("uncounted")) {
        ret_result->merged--;
    } else if (!ret_result->complete && is_damaged("kept")) {
        rte_mbuf_refcnt_update(fragment->mbuf, 1);
    } else if (is_damaged("undropped")) {
        ret_result->dropped = 0;
    }
}

void __wrap_reassembly_write(struct reassembly *reassembly, uint8_t *frame)
{
    __real_reassembly_write(reassembly, frame);
    if (frame != NULL && is_damaged("payload"))
        frame[200] ^= 1;
}
