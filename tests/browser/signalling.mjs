// SPDX-License-Identifier: BSD-3-Clause
// The public web server of a call: serves the page, and passes offer, answer and candidates between the two who are in it.
// usage: node signalling.mjs ADDRESS PORT
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { WebSocketServer } from "ws";

const [address, port] = process.argv.slice(2);
const page = await readFile(new URL("call.html", import.meta.url));
const server = createServer((request, response) => {
  response.writeHead(200, { "content-type": "text/html; charset=utf-8" });
  response.end(page);
});
const rooms = new Map(); // path -> the sockets in it

new WebSocketServer({ server }).on("connection", (socket, request) => {
  const room = rooms.get(request.url) ?? new Set();
  rooms.set(request.url, room.add(socket));
  socket.on("message", (data) => {
    for (const other of room) {
      if (other !== socket) other.send(data.toString());
    }
  });
  socket.on("close", () => room.delete(socket));
  if (room.size === 2) {
    for (const member of room) member.send(JSON.stringify({ ready: true }));
  }
});
server.listen(Number(port), address, () => console.log("ready"));
