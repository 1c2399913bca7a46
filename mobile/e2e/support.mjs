/** Chromium against the platform of `make up`: the browser, the service as a client sees it, and recordings. */
import { existsSync, readFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

export const ROOT = fileURLToPath(new URL('..', import.meta.url));
export const ORIGIN = process.env.KINGDOM_ORIGIN ?? 'https://localhost:8443';
export const APP = `${ORIGIN}/app/`;
export const PASSWORD = 'correct horse battery';
const AUTHORITY = join(ROOT, '..', '.rehearsal', 'ca', 'ca.pem');
const BROWSERS = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/** Path of Chromium, or null where there is none. */
export function browserPath() {
  return BROWSERS.find((path) => path && existsSync(path)) ?? null;
}

/** Why the tests cannot run here, or null. */
export async function missing() {
  if (browserPath() === null) return 'Chromium is absent: install the package chromium, or set CHROMIUM';
  if (!existsSync(AUTHORITY)) return 'the platform is not up: run `make mobile`';
  try {
    const response = await call('GET', '/app/');
    return response.status === 200 ? null : 'the web build is absent: run `make mobile`';
  } catch {
    return `${ORIGIN} does not respond: run \`make mobile\``;
  }
}

export function launch() {
  // The local authority is not in Chromium's store; a service worker needs a certificate without errors.
  return chromium.launch({ executablePath: browserPath(), args: ['--no-sandbox', '--ignore-certificate-errors'] });
}

/** A request from outside of the browser. */
export function call(method, path, { body, token } = {}) {
  const data = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
  const headers = {
    ...(data ? { 'content-type': 'application/json', 'content-length': data.length } : {}),
    ...(token ? { authorization: `Bearer ${token}` } : {}),
  };
  return new Promise((resolve, reject) => {
    const sent = request(`${ORIGIN}${path}`, { method, ca: readFileSync(AUTHORITY), headers }, (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        const isJson = /json/.test(response.headers['content-type'] ?? '');
        resolve({ status: response.statusCode, json: isJson ? JSON.parse(text) : null, text });
      });
    });
    sent.on('error', reject);
    sent.end(data);
  });
}

let serial = 0;

/** A new account. */
export async function newAccount(name = 'Ada') {
  serial += 1;
  const email = `e2e-${process.pid}-${Date.now()}-${serial}@example.com`;
  const signedUp = await call('POST', '/v1/accounts', { body: { email, password: PASSWORD, name } });
  if (signedUp.status !== 202) throw new Error(`no account: ${signedUp.status} ${signedUp.text}`);
  const { status, json } = await call('POST', '/v1/sessions', { body: { email, password: PASSWORD } });
  if (status !== 201) throw new Error(`no account: ${status} ${JSON.stringify(json)}`);
  return { email, token: json.token, id: json.account.id };
}

/** Wait until `condition` returns something truthy. */
export async function until(condition, what, seconds = 60) {
  const ends = Date.now() + seconds * 1000;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > ends) throw new Error(`not within ${seconds} s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Publish pieces of a new account, so that the feed has items. */
export async function fillFeed(count) {
  const author = await newAccount('Eve');
  const ids = [];
  for (let i = 0; i < count; i++) {
    const body = { prompt: `a lighthouse, number ${i}`, form: 'caption' };
    ids.push((await call('POST', '/v1/contents', { body, token: author.token })).json.id);
  }
  for (const id of ids) {
    const path = `/v1/contents/${id}`;
    const ready = async () => (await call('GET', path, { token: author.token })).json.state === 'ready';
    await until(ready, `content ${id} is ready`);
    await call('PUT', `${path}/publication`, { token: author.token });
  }
  return ids;
}

const TEMPLATES = Object.keys(JSON.parse(readFileSync(join(ROOT, 'openapi.json'), 'utf8')).paths)
  .sort((a, b) => a.split('{').length - b.split('{').length)
  .map((path) => [new RegExp(`^${path.replace(/\{[^}]+\}/g, '[^/]+')}$`), path]);

/** `GET /v1/contents/0192…` as `GET /v1/contents/{content_id}`, by the paths of the OpenAPI document. */
export function operation(method, url) {
  const path = new URL(url).pathname;
  return `${method} ${TEMPLATES.find(([pattern]) => pattern.test(path))?.[1] ?? path}`;
}

/** Requests of a page: those of the API by operation and by address, and the bytes on the wire of everything. */
export async function record(page) {
  const log = { requests: [], urls: [], files: 0, bytes: 0, fromCache: 0 };
  const client = await page.context().newCDPSession(page);
  await client.send('Network.enable');
  const seen = new Set();
  client.on('Network.requestWillBeSent', ({ requestId, request: sent, redirectResponse }) => {
    // Reported again, with the same id, when the service worker leaves the request to the browser.
    if (seen.has(requestId) && !redirectResponse) return;
    seen.add(requestId);
    const path = new URL(sent.url).pathname;
    if (path.startsWith('/v1/') && sent.method !== 'OPTIONS') {
      log.requests.push(operation(sent.method, sent.url));
      log.urls.push(`${sent.method} ${sent.url}`);
    } else if (path.startsWith('/app/')) log.files += 1;
  });
  client.on('Network.requestServedFromCache', () => (log.fromCache += 1));
  client.on('Network.loadingFinished', ({ encodedDataLength }) => (log.bytes += encodedDataLength));
  return log;
}

export function reset(log) {
  Object.assign(log, { files: 0, bytes: 0, fromCache: 0 });
  log.requests.length = 0;
  log.urls.length = 0;
}

const QUIET_MS = 500;
const traffic = new WeakMap();

/** A page in a context of its own: nothing stored, nothing cached. */
export async function open(browser, options = {}) {
  const viewport = { width: 390, height: 844 };
  const context = await browser.newContext({ ignoreHTTPSErrors: true, viewport, locale: 'en-US', ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(60_000);
  const pending = new Set();
  const state = { pending, changed: Date.now() };
  traffic.set(page, state);
  const change = (apply) => (sent) => {
    apply(sent);
    state.changed = Date.now();
  };
  page.on(
    'request',
    // A stream of events stays open.
    change((sent) => sent.url().endsWith('/events') || pending.add(sent)),
  );
  for (const event of ['requestfinished', 'requestfailed']) {
    page.on(
      event,
      change((sent) => pending.delete(sent)),
    );
  }
  return page;
}

/**
 * Wait until the app displays its own screen (not the rows before it, public/first-paint.js), a page of `open` has sent
 * no request for half a second and none is pending. Unlike the load state `networkidle` it also holds after a navigation
 * inside of the app, which loads no document.
 */
export async function idle(page) {
  await taken(page);
  const state = traffic.get(page);
  state.changed = Date.now();
  await until(() => state.pending.size === 0 && Date.now() - state.changed > QUIET_MS, 'no request is pending');
}

/** Wait until the app displays its own screen. */
export async function taken(page) {
  await page.waitForFunction(() => globalThis.kingdom !== undefined && !document.getElementById('first-paint'));
}

/** Throttle the network and the processor of a page. */
export async function slow(page, { cpuSlowdown, bitsPerSecond, latencyMs }) {
  const client = await page.context().newCDPSession(page);
  const bytesPerSecond = bitsPerSecond / 8;
  await client.send('Network.enable');
  await client.send('Network.emulateNetworkConditions', {
    offline: false,
    latency: latencyMs,
    downloadThroughput: bytesPerSecond,
    uploadThroughput: bytesPerSecond,
  });
  await client.send('Emulation.setCPUThrottlingRate', { rate: cpuSlowdown });
}

/** Violations of WCAG 2.1 A and AA on a page, as `rule: element`. */
export async function axe(page) {
  await page.evaluate(readFileSync(join(ROOT, 'node_modules', 'axe-core', 'axe.min.js'), 'utf8'));
  return page.evaluate(async () => {
    const values = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'];
    const { violations } = await globalThis.axe.run(document, { runOnly: { type: 'tag', values } });
    return violations.flatMap((each) => each.nodes.map((node) => `${each.id}: ${node.html.slice(0, 160)}`));
  });
}

/** The app's own measurements. */
export function measurements(page) {
  return page.evaluate(() => globalThis.kingdom);
}

export async function signIn(page, account) {
  await page.goto(`${APP}sign-in`);
  await page.getByLabel('Email').fill(account.email);
  await page.getByLabel('Password').fill(PASSWORD);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await page.getByRole('article').first().waitFor();
}
