/** The request of the feed that was sent before the app. */
import { MAX_AGE_MS, takeEarly } from '@/api/early.web';
import { transport } from '@/api/transport';
import { json, Service } from '../support';

// The module of the web build.
jest.mock('@/api/early', () => jest.requireActual<object>('@/api/early.web'));

const URL = 'https://api.test/v1/feed?limit=20';
const response = new Response('{}');

function sent(at = Date.now()): void {
  globalThis.kingdomFirstPaint = { ended: false, request: { url: URL, at, response: Promise.resolve(response) } };
}

afterEach(() => {
  delete globalThis.kingdomFirstPaint;
});

it('is the response to the equal request, once', async () => {
  sent();
  await expect(takeEarly(new Request(URL))).resolves.toBe(response);
  expect(takeEarly(new Request(URL))).toBeNull();
});

it('is displayed by the app that took it', () => {
  sent();
  takeEarly(new Request(URL));
  expect(globalThis.kingdomFirstPaint?.ended).toBe(true);
});

it.each<[string, string, RequestInit]>([
  ['another address', `${URL}&cursor=2`, {}],
  ['another method', URL, { method: 'DELETE' }],
  ['a token', URL, { headers: { authorization: 'Bearer x' } }],
  ['an entity tag', URL, { headers: { 'if-none-match': '"1"' } }],
])('is not the response to a request with %s', (_what, url, init) => {
  sent();
  expect(takeEarly(new Request(url, init))).toBeNull();
  expect(globalThis.kingdomFirstPaint?.request).not.toBeNull();
});

it('is not used when it waited too long', () => {
  sent(Date.now() - MAX_AGE_MS);
  expect(takeEarly(new Request(URL))).toBeNull();
});

it('is the response to the request of the app, which is not sent', async () => {
  const service = new Service();
  sent();
  expect(await (await transport(new Request(URL))).json()).toEqual({});
  expect(service.requests).toEqual([]);
});

it('is followed by the request of the app when it was aborted', async () => {
  const service = new Service();
  service.on('GET /v1/feed', () => json({ items: [] }));
  const aborted = Promise.reject<Response>(new Error('aborted'));
  aborted.catch(() => undefined);
  globalThis.kingdomFirstPaint = { ended: false, request: { url: URL, at: Date.now(), response: aborted } };
  expect(await (await transport(new Request(URL))).json()).toEqual({ items: [] });
  expect(service.requests).toHaveLength(1);
});

it('is absent without a script before the app', () => {
  expect(takeEarly(new Request(URL))).toBeNull();
});
