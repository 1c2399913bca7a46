import AsyncStorage from '@react-native-async-storage/async-storage';

import { ApiError } from '@/api/errors';
import { endSession, startSession } from '@/api/session';
import { clearOutbox, drain, loadOutbox, onSettled, pending, submit, type Settled } from '@/offline/outbox';
import { json, offline, problem, Service, signedIn } from '../support';

const WRITE = { kind: 'create', method: 'POST', path: '/v1/contents', body: { prompt: 'a fox' } } as const;

let service: Service;

beforeEach(async () => {
  service = new Service();
  await startSession(signedIn('t', 'r'));
});
afterEach(async () => {
  await clearOutbox();
  await endSession();
});

function goOffline(): void {
  service.on('POST /v1/contents', offline);
}

test('a write with a connection is sent at once', async () => {
  service.on('POST /v1/contents', () => json({ id: 'c1' }, 202));
  expect(await submit(WRITE)).toEqual({ id: 'c1' });
  expect(pending()).toEqual([]);
});

test('writes without a connection wait, and are sent once and in order when it returns', async () => {
  goOffline();
  expect(await submit(WRITE)).toBeUndefined();
  expect(await submit({ ...WRITE, body: { prompt: 'a bear' } })).toBeUndefined();
  expect(pending()).toHaveLength(2);
  const before = service.requests.length;
  service.on('POST /v1/contents', () => json({ id: 'c' }, 202));
  await Promise.all([drain(), drain(), drain()]);
  const sent = service.requests.slice(before);
  expect(sent.map((each) => each.body)).toEqual([{ prompt: 'a fox' }, { prompt: 'a bear' }]);
  expect(new Set(sent.map((each) => each.headers.get('idempotency-key'))).size).toBe(2);
  expect(pending()).toEqual([]);
}, 15_000);

test('a write survives a restart under the same idempotency key', async () => {
  goOffline();
  await submit(WRITE);
  const key = pending()[0]?.id;
  expect(JSON.parse((await AsyncStorage.getItem('kingdom/outbox')) ?? '').entries[0].id).toBe(key);
  service.on('POST /v1/contents', () => json({ id: 'c1' }, 202));
  await loadOutbox();
  await drain();
  expect(service.requests.at(-1)?.headers.get('idempotency-key')).toBe(key);
  expect(pending()).toEqual([]);
}, 15_000);

test('a refused write leaves the outbox and is reported', async () => {
  const settled: Settled[] = [];
  const stop = onSettled((each) => settled.push(each));
  service.on('POST /v1/contents', () => problem(403, 'quota-exceeded'));
  await expect(submit(WRITE)).rejects.toThrow(ApiError);
  stop();
  expect(settled.map((each) => each.error?.slug)).toEqual(['quota-exceeded']);
  expect(pending()).toEqual([]);
});

test('the writes of another account are not sent', async () => {
  goOffline();
  await submit(WRITE);
  await endSession();
  const other = signedIn('t2', 'r2');
  await startSession({ ...other, account: { ...other.account, id: 'eve' } });
  const before = service.requests.length;
  service.on('POST /v1/contents', () => json({ id: 'c1' }, 202));
  await drain();
  expect(service.requests).toHaveLength(before);
}, 15_000);

test('a stored outbox that cannot be read is empty', async () => {
  await AsyncStorage.setItem('kingdom/outbox', '{"v":1,"entries":[{"id":7},');
  await loadOutbox();
  expect(pending()).toEqual([]);
});
