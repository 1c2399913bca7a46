import { ByteLru, utf8Bytes } from '@/cache/lru';

test('the entry used least recently is evicted when the bound is exceeded', () => {
  const lru = new ByteLru<string>(30);
  lru.set('a', 'A', 10);
  lru.set('b', 'B', 10);
  lru.set('c', 'C', 10);
  lru.get('a');
  expect(lru.set('d', 'D', 10)).toEqual(['b']);
  expect(lru.keys()).toEqual(['c', 'a', 'd']);
  expect(lru.bytes).toBe(30);
});

test('a replaced value is counted once', () => {
  const lru = new ByteLru<number>(100);
  lru.set('a', 1, 60);
  lru.set('a', 2, 70);
  expect(lru.bytes).toBe(70);
  expect(lru.get('a')).toBe(2);
});

test('a value above the bound is not stored and evicts nothing', () => {
  const lru = new ByteLru<number>(100);
  lru.set('a', 1, 60);
  expect(lru.set('big', 2, 101)).toEqual([]);
  expect(lru.get('big')).toBeUndefined();
  expect(lru.get('a')).toBe(1);
});

test('the sum of the entries never exceeds the bound, for any sequence of operations', () => {
  let seed = 7;
  const random = (n: number) => (seed = (seed * 48271) % 2147483647) % n;
  const lru = new ByteLru<number>(500);
  for (let i = 0; i < 5000; i++) {
    const key = `k${random(40)}`;
    if (random(4) === 0) lru.delete(key);
    else if (random(3) === 0) lru.get(key);
    else lru.set(key, i, random(200));
    const sum = lru.keys().reduce((total, each) => total + lru.bytesOf(each), 0);
    expect(sum).toBe(lru.bytes);
    expect(lru.bytes).toBeLessThanOrEqual(500);
  }
});

test.each(['', 'abc', 'äöü', '€uro', '😀 smile', 'a\u{10348}b'])('the size of %j is its size in UTF-8', (text) => {
  expect(utf8Bytes(text)).toBe(Buffer.byteLength(text, 'utf8'));
});
