import AsyncStorage from '@react-native-async-storage/async-storage';

import { isOffline, OfflineError } from '@/api/errors';
import { LayeredCache } from '@/cache/layered';
import { Rows } from '@/cache/rows';

const newCache = () => new LayeredCache(new Rows(), isOffline);

test('the second read sends the entity tag, and 304 returns the same object', async () => {
  const cache = newCache();
  const tags: (string | null)[] = [];
  const fetch = async (etag: string | null) => {
    tags.push(etag);
    return etag === '"1"' ? { data: null, etag } : { data: { n: 1 }, etag: '"1"' };
  };
  const first = await cache.read('a', fetch);
  expect(await cache.read('a', fetch)).toBe(first);
  expect(tags).toEqual([null, '"1"']);
  expect(cache.counts).toMatchObject({ fetched: 1, notModified: 1 });
});

test('after a restart the row is in memory without a request', async () => {
  await newCache().read('a', async () => ({ data: { n: 1 }, etag: '"1"' }));
  const cache = newCache();
  expect(cache.peek('a')).toBeUndefined();
  await cache.preload();
  expect(cache.peek('a')?.data).toEqual({ n: 1 });
});

test('without a connection the row is returned; without a row, the error', async () => {
  const cache = newCache();
  await cache.read('a', async () => ({ data: 1, etag: null }));
  const fail = async () => Promise.reject(new OfflineError());
  expect(await cache.read('a', fail)).toBe(1);
  await expect(cache.read('b', fail)).rejects.toThrow(OfflineError);
});

test('an error of the service is not hidden by the row', async () => {
  const cache = newCache();
  await cache.read('a', async () => ({ data: 1, etag: null }));
  await expect(cache.read('a', async () => Promise.reject(new Error('500')))).rejects.toThrow('500');
});

test('a row that was written locally is fetched without its old entity tag', async () => {
  const cache = newCache();
  await cache.read('a', async () => ({ data: 1, etag: '"1"' }));
  await cache.write('a', 2);
  const tags: (string | null)[] = [];
  await cache.read('a', async (etag) => {
    tags.push(etag);
    return { data: 3, etag: '"2"' };
  });
  expect(tags).toEqual([null]);
});

test('an expired row is shown without a connection and fetched with one', async () => {
  const cache = newCache();
  await cache.read('a', async () => ({ data: 1, etag: '"1"' }));
  await cache.expire('a');
  expect(cache.peek('a')).toEqual({ data: 1, at: 0 });
  const restarted = newCache();
  await restarted.preload();
  expect(restarted.peek('a')).toEqual({ data: 1, at: 0 });
});

test('clear leaves nothing on the device', async () => {
  const cache = newCache();
  await cache.read('a', async () => ({ data: 'secret', etag: null }));
  await cache.clear();
  expect(cache.peek('a')).toBeUndefined();
  expect((await AsyncStorage.getAllKeys()).filter((key) => key.startsWith('kingdom/cache'))).toEqual([]);
});

test('the memory holds at most its bound', async () => {
  const cache = new LayeredCache(new Rows(), isOffline, 1000);
  for (let i = 0; i < 20; i++) await cache.read(`k${i}`, async () => ({ data: 'x'.repeat(200), etag: null }));
  expect(cache.peek('k0')).toBeUndefined();
  expect(cache.peek('k19')).toBeDefined();
  expect(await cache.read('k0', async () => Promise.reject(new OfflineError()))).toBe('x'.repeat(200));
});
