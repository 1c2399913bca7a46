import AsyncStorage from '@react-native-async-storage/async-storage';

import { MAX_BYTES, Rows } from '@/cache/rows';

const row = (data: unknown) => ({ data, etag: '"1"', at: 1 });
const name = (key: string) => `kingdom/cache/${key}`;

test('a row survives a restart', async () => {
  await new Rows().set('a', row({ n: 1 }));
  const rows = new Rows();
  expect(await rows.load(10)).toEqual([['a', row({ n: 1 })]]);
  expect(await rows.get('a')).toEqual(row({ n: 1 }));
});

test.each([
  ['not JSON', '{"v":1,'],
  ['of another schema version', JSON.stringify({ v: 0, k: 'a', data: 1, etag: null, at: 1 })],
  ['of another key', JSON.stringify({ v: 1, k: 'b', data: 1, etag: null, at: 1 })],
  ['without data', JSON.stringify({ v: 1, k: 'a', etag: null, at: 1 })],
  ['a list', '[]'],
  ['null', 'null'],
  ['with an entity tag that is a number', JSON.stringify({ v: 1, k: 'a', data: 1, etag: 4, at: 1 })],
])('a row that is %s is dropped', async (_what, text) => {
  await new Rows().set('a', row(1));
  await AsyncStorage.setItem(name('a'), text);
  const rows = new Rows();
  expect(await rows.load(10)).toEqual([]);
  expect(await rows.get('a')).toBeNull();
  expect(await AsyncStorage.getItem(name('a'))).toBeNull();
});

test.each([
  ['not JSON', '{'],
  ['of another shape', '{"v":1,"entries":[["a"],7,{"b":1}]}'],
])('with an index that is %s the rows are dropped, and writing goes on', async (_what, text) => {
  await new Rows().set('a', row(1));
  await AsyncStorage.setItem('kingdom/cache-index', text);
  const rows = new Rows();
  expect(await rows.load(10)).toEqual([]);
  expect(await AsyncStorage.getItem(name('a'))).toBeNull();
  await rows.set('b', row(2));
  expect(await new Rows().load(10)).toEqual([['b', row(2)]]);
});

test('the rows used least recently are evicted to stay in the budget', async () => {
  const rows = new Rows(1000);
  for (const key of ['a', 'b', 'c']) await rows.set(key, row('x'.repeat(250)));
  await rows.get('a');
  await rows.set('d', row('x'.repeat(250)));
  expect(await AsyncStorage.getItem(name('b'))).toBeNull();
  expect(await rows.get('a')).not.toBeNull();
  const stored = (await AsyncStorage.getAllKeys()).filter((key) => key.startsWith('kingdom/cache/'));
  const texts = await AsyncStorage.multiGet(stored);
  const bytes = texts.reduce((sum, [key, text]) => sum + Buffer.byteLength(key) + Buffer.byteLength(text ?? ''), 0);
  expect(bytes).toBeLessThanOrEqual(1000);
  expect(rows.bytes).toBe(bytes);
});

test("the budget is below the 6 MB of AsyncStorage on Android, and a row is below SQLite's 2 MB", async () => {
  expect(MAX_BYTES).toBeLessThan(6_000_000);
  const rows = new Rows();
  await rows.set('big', row('x'.repeat(2_000_000)));
  expect(await rows.get('big')).toBeNull();
});

test('a store that fails loses rows and nothing else', async () => {
  const rows = new Rows();
  jest.mocked(AsyncStorage.setItem).mockRejectedValueOnce(new Error('database or disk is full'));
  await rows.set('a', row(1));
  expect(await rows.get('a')).toBeNull();
  await rows.set('b', row(2));
  expect(await rows.get('b')).toEqual(row(2));
});
