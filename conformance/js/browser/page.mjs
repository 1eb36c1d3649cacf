// Chromium for the browser suites.

import fs from 'node:fs';
import { chromium } from 'playwright-core';

/** The browser's program, or undefined where there is none. */
export const executablePath = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((path) => path && fs.existsSync(path));

export const skip = executablePath === undefined && 'no Chromium: install the package chromium, or name the program in CHROMIUM';

export function launch() {
  return chromium.launch({
    executablePath,
    args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  });
}

/** A page that writes down every request, WebSocket and error. */
export async function open(context, url) {
  const page = await context.newPage();
  const seen = { requests: [], sockets: [], errors: [] };
  page.on('request', (request) => seen.requests.push({ method: request.method(), url: request.url() }));
  page.on('websocket', (socket) => seen.sockets.push(socket.url()));
  page.on('pageerror', (error) => seen.errors.push(error.message));
  page.on('console', (message) => { if (message.type() === 'error' && !message.location().url.endsWith('/favicon.ico')) seen.errors.push(`${message.text()} ${message.location().url}`); });
  await page.goto(url);
  return { page, seen };
}
