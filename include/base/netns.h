// SPDX-License-Identifier: BSD-3-Clause
// Another network namespace, for the sockets that belong there: a socket stays in the namespace of the thread that
// opens it, whoever uses it. A thread of its own has entered it, and does there what is asked for, so that
// CAP_SYS_ADMIN is needed no longer than it takes to open one.
#pragma once

struct netns;

// name: below /run/netns, as of 'ip netns', or an absolute path. Logs what went wrong. 0 or -errno.
int netns_open(const char *name, struct netns **ret_netns);
// Nobody calls any more. What was opened there stays.
void netns_close(struct netns *netns);

// The result of call(context), there; the caller waits. NULL: here. Any thread, but not from within a call.
int netns_call(struct netns *netns, int (*call)(void *context), void *context);
