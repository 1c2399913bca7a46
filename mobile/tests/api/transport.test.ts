import { parseRetryAfter } from '@/api/errors';
import { endSession, startSession } from '@/api/session';
import { ATTEMPTS, backoff, transport } from '@/api/transport';
import { json, offline, problem, Service, signedIn } from '../support';

const URL_A = 'https://api.test/v1/a';

beforeEach(() => {
  // Waits end at once; their length is tested on `backoff`.
  jest.spyOn(globalThis, 'setTimeout').mockImplementation(((task: () => void, ms?: number) => {
    if (ms !== undefined && ms < 15_000) queueMicrotask(task);
    return 0;
  }) as unknown as typeof setTimeout);
});
afterEach(async () => {
  jest.restoreAllMocks();
  await endSession();
});

test('a read is repeated after a failure of the service or of the connection', async () => {
  const service = new Service();
  let count = 0;
  service.on('GET /v1/a', () => {
    count += 1;
    if (count === 1) return problem(503, 'unavailable');
    if (count === 2) return offline();
    return json({ ok: true });
  });
  expect((await transport(new Request(URL_A))).status).toBe(200);
  expect(count).toBe(3);
});

test('a request is attempted a limited number of times', async () => {
  const service = new Service();
  service.on('GET /v1/a', () => problem(503, 'unavailable'));
  expect((await transport(new Request(URL_A))).status).toBe(503);
  expect(service.requests).toHaveLength(ATTEMPTS);
});

test('a write without an idempotency key is sent once, one with a key is repeated under the same key', async () => {
  const service = new Service();
  service.on('POST /v1/a', () => problem(503, 'unavailable'));
  await transport(new Request(URL_A, { method: 'POST', body: '{}' }));
  expect(service.requests).toHaveLength(1);
  await transport(new Request(URL_A, { method: 'POST', body: '{}', headers: { 'Idempotency-Key': 'k-1' } }));
  const keys = service.requests.slice(1).map((sent) => sent.headers.get('idempotency-key'));
  expect(keys).toEqual(Array(ATTEMPTS).fill('k-1'));
});

test('equal reads at the same time are one request', async () => {
  const service = new Service();
  service.on('GET /v1/a', () => json({ n: 1 }));
  const responses = await Promise.all([1, 2, 3].map(() => transport(new Request(URL_A))));
  expect(await Promise.all(responses.map((response) => response.json()))).toEqual([{ n: 1 }, { n: 1 }, { n: 1 }]);
  expect(service.requests).toHaveLength(1);
});

test('a 401 refreshes once and repeats the request with the new token', async () => {
  const service = new Service();
  await startSession(signedIn('old', 'r1'));
  service.on('GET /v1/a', (sent) =>
    sent.headers.get('authorization') === 'Bearer new' ? json({}) : problem(401, 'unauthenticated'),
  );
  service.on('POST /v1/sessions/refresh', () => json(signedIn('new', 'r2')));
  expect((await transport(new Request(URL_A))).status).toBe(200);
  expect(service.requests.map((sent) => `${sent.method} ${sent.path}`)).toEqual([
    'GET /v1/a',
    'POST /v1/sessions/refresh',
    'GET /v1/a',
  ]);
});

test('a Retry-After that is too long is left to the caller', async () => {
  const service = new Service();
  service.on('GET /v1/a', () => problem(429, 'too-many-requests', { 'Retry-After': '60' }));
  expect((await transport(new Request(URL_A))).status).toBe(429);
  expect(service.requests).toHaveLength(1);
});

test('the delay grows, has full jitter, and is never below Retry-After', () => {
  expect(backoff(1, null, () => 1)).toBe(500);
  expect(backoff(3, null, () => 1)).toBe(2000);
  expect(backoff(30, null, () => 1)).toBe(8000);
  expect(backoff(3, null, () => 0)).toBe(0);
  expect(backoff(1, 2, () => 0.5)).toBe(2250);
});

test('Retry-After is seconds or a date', () => {
  expect(parseRetryAfter('3')).toBe(3);
  expect(parseRetryAfter('Wed, 25 Nov 2026 10:00:05 GMT', Date.parse('2026-11-25T10:00:00Z'))).toBe(5);
  expect(parseRetryAfter('soon')).toBeNull();
  expect(parseRetryAfter(null)).toBeNull();
});
