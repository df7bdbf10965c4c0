// SPDX-License-Identifier: BSD-3-Clause
// A call between two browsers, each behind its own NAT; prints how it went on both ends as one line of JSON.
// usage: node call.mjs '{"browsers": ["PATH", "PATH"], "page": "http://...", "policies": [...], "iceServers": [...]}'
import { chromium } from "playwright-core";

const CONNECT_MS = 30000; // unless options.connectMs says otherwise
const MEDIA_MS = 3000;
const options = JSON.parse(process.argv[2]);

const launch = (executablePath) =>
  chromium.launch({
    executablePath,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--use-fake-device-for-media-stream",
      "--use-fake-ui-for-media-stream",
      "--autoplay-policy=no-user-gesture-required",
      `--unsafely-treat-insecure-origin-as-secure=${new URL(options.page).origin}`,
    ],
  });

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function call(browsers) {
  const pages = await Promise.all(browsers.map((browser) => browser.newPage()));
  for (const page of pages) {
    page.on("pageerror", (error) => console.error(error));
    await page.goto(options.page);
  }
  const room = `room-${process.pid}`;
  await Promise.all(
    pages.map((page, i) =>
      page.evaluate((end) => window.start(end), {
        room,
        isCaller: i === 0,
        iceServers: options.iceServers,
        iceTransportPolicy: options.policies[i],
      }),
    ),
  );
  const started = Date.now();
  let connected = false;
  while (!connected && Date.now() - started < (options.connectMs ?? CONNECT_MS)) {
    await sleep(100);
    connected = (await Promise.all(pages.map((page) => page.evaluate(() => window.isConnected())))).every(Boolean);
  }
  if (connected) {
    await sleep(MEDIA_MS);
    await Promise.all(pages.map((page) => page.evaluate(() => window.sendData())));
  }
  const report = () => Promise.all(pages.map((page) => page.evaluate(() => window.report())));
  const early = await report();
  if (connected) await sleep(MEDIA_MS);
  return { connected, early, late: await report() };
}

const browsers = await Promise.all(options.browsers.map(launch));
try {
  console.log(JSON.stringify(await call(browsers)));
} finally {
  await Promise.all(browsers.map((browser) => browser.close()));
}
