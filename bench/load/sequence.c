// SPDX-License-Identifier: BSD-3-Clause
// The window slides to the newest number.
#include "sequence.h"

static void count(uint16_t *counter)
{
    if (*counter < UINT16_MAX)
        ++*counter;
}

static enum sequence_verdict receive_old(struct sequence *sequence, uint32_t age)
{
    if (age < SEQUENCE_WINDOW) {
        if (sequence->window >> age & 1) {
            count(&sequence->duplicates);
            return SEQUENCE_DUPLICATE;
        }
        sequence->window |= 1u << age;
    }
    sequence->received++;
    count(&sequence->reordered);
    return SEQUENCE_REORDERED;
}

enum sequence_verdict sequence_receive(struct sequence *sequence, uint32_t number)
{
    uint32_t step = number + 1 - sequence->next;

    if (step == 0 || step > UINT32_MAX / 2)
        return receive_old(sequence, sequence->next - 1 - number);
    sequence->window = step < SEQUENCE_WINDOW ? sequence->window << step | 1 : 1;
    sequence->next = number + 1;
    sequence->received++;
    return SEQUENCE_NEXT;
}
