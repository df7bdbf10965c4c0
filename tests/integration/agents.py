# SPDX-License-Identifier: BSD-3-Clause
"""ICE agents of others (aioice), each on a host of the lab's, that reach each other by relayed addresses alone."""

import asyncio
import threading

import aioice


class End:
    """An agent's event loop, in a thread that lives on one of the lab's hosts."""

    def __init__(self, lab, role):
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self._run, args=(lab, role), daemon=True)
        self.thread.start()

    def _run(self, lab, role):
        with lab.inside(role):
            self.loop.run_forever()
            self.loop.close()

    def __call__(self, coroutine, timeout=20):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(timeout)

    def start(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop)

    def stop(self):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()


def relayed_only(candidates):
    return [candidate for candidate in candidates if candidate.type == "relay"]


async def gather(controlling, server):
    connection = aioice.Connection(
        ice_controlling=controlling, turn_username="alice", turn_password="wonderland", **server
    )
    await connection.gather_candidates()
    return connection


async def introduce(connection, candidates, username, password):
    for candidate in candidates:
        await connection.add_remote_candidate(candidate)
    await connection.add_remote_candidate(None)
    connection.remote_username, connection.remote_password = username, password


def connect(ends, server):
    """An agent at each end, connected. server: aioice's options."""
    connections = [end(gather(i == 0, server)) for i, end in enumerate(ends)]
    offers = [relayed_only(connection.local_candidates) for connection in connections]
    # The agents' own addresses reach each other in this lab: only the relayed ones may be used.
    for connection in connections:
        connection._local_candidates = relayed_only(connection._local_candidates)
        connection._protocols = [p for p in connection._protocols if p.local_candidate.type == "relay"]
    for i, end in enumerate(ends):
        other = connections[1 - i]
        end(introduce(connections[i], offers[1 - i], other.local_username, other.local_password))
    connecting = [end.start(connection.connect()) for end, connection in zip(ends, connections)]
    for future in connecting:
        future.result(20)
    return connections
