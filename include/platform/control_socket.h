// SPDX-License-Identifier: BSD-3-Clause
// Where DPDK's telemetry socket is, and who may connect to it. DPDK makes it in the runtime
// directory, $RUNTIME_DIRECTORY/dpdk/rte; that is /run/turnpike unless the environment says
// otherwise (systemd's RuntimeDirectory=). A second relay there gets a number behind the name.
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#define CONTROL_SOCKET_DIRECTORY "/run/turnpike"
#define CONTROL_SOCKET_PATH_LEN  108 // a Unix socket's, with the NUL

// name "": the group that the process runs as. 0; -ENOENT, logged: there is none of this name.
int control_socket_find_group(const char *name, gid_t *ret_group);

// Before the EAL starts: makes the directories, for nobody else yet. False, logged: there can be no
// socket, and the relay does without.
bool control_socket_prepare(void);

// The EAL has made the socket, under a umask that lets nobody else in: from here on the group may
// connect. Logs where it is.
void control_socket_grant(gid_t group);

// DPDK takes no more questions and no more clients. No thread may be answering for DPDK itself
// when what it asks about goes.
void control_socket_close(void);
