// SPDX-License-Identifier: BSD-3-Clause
// Whether there are instructions for AES.
#include "dataplane/aes.h"

#include <rte_cpuflags.h>

bool aes_is_usable(void)
{
#ifdef AES_IS_KNOWN
    return rte_cpu_get_flag_enabled(RTE_CPUFLAG_AES) == 1;
#else
    return false;
#endif
}
