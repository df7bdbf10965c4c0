// SPDX-License-Identifier: BSD-3-Clause
// The one signal that every thread of the process takes, whatever else it blocks: by it a thread is told to give up
// what nobody else can give up for it, its capabilities (platform/privileges.h).
#pragma once

#include <signal.h>

#define THREAD_SIGNAL SIGRTMIN
