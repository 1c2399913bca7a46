/**
 * Query results on the device: one AsyncStorage row per query, bounded in bytes, evicted least recently used first.
 *
 * AsyncStorage on Android holds 6 MB in all and 2 MB in a row (react-native#7869), so the budget stays below both.
 * A row that is not JSON, has another schema version or belongs to another key is deleted, never used.
 */
import AsyncStorage from '@react-native-async-storage/async-storage';

import { ByteLru, utf8Bytes } from '@/cache/lru';

/** Increase when the shape of cached data changes: older rows are dropped. */
export const SCHEMA_VERSION = 1;
export const MAX_BYTES = 4_500_000;
export const MAX_ROW_BYTES = 1_000_000;

const PREFIX = 'kingdom/cache/';
const INDEX = 'kingdom/cache-index';

/** A cached response: its data, its entity tag, and when it was fetched (ms since the epoch). */
export interface Row {
  data: unknown;
  etag: string | null;
  at: number;
}

interface StoredRow extends Row {
  v: number;
  k: string;
}

export class Rows {
  private readonly index: ByteLru<true>;
  private indexWrite: Promise<void> | null = null;

  constructor(maxBytes: number = MAX_BYTES) {
    this.index = new ByteLru<true>(maxBytes);
  }

  get bytes(): number {
    return this.index.bytes;
  }

  /** Read the index and up to `limit` rows, the most recently used first; drop those that cannot be used. */
  async load(limit: number): Promise<[string, Row][]> {
    const known = parseIndex(await read(INDEX));
    const stored = (await allKeys()).filter((key) => key.startsWith(PREFIX));
    const present = new Set(stored.map((key) => key.slice(PREFIX.length)));
    for (const [key, bytes] of known) if (present.has(key)) this.index.set(key, true, bytes);
    const unknown = stored.filter((key) => !this.index.keys().includes(key.slice(PREFIX.length)));
    if (unknown.length > 0) await remove(unknown);
    const recent = this.index.keys().reverse().slice(0, limit);
    const rows: [string, Row][] = [];
    for (const [name, text] of await readMany(recent.map((key) => PREFIX + key))) {
      const key = name.slice(PREFIX.length);
      const row = parseRow(key, text);
      if (row === null) await this.delete(key);
      else rows.push([key, row]);
    }
    return rows;
  }

  /** Read a row; null when there is none, or none that can be used. */
  async get(key: string): Promise<Row | null> {
    if (this.index.get(key) === undefined) return null;
    const row = parseRow(key, await read(PREFIX + key));
    if (row === null) await this.delete(key);
    return row;
  }

  /** Write a row and evict older ones that no longer fit. A full or failing store drops the row without an error. */
  async set(key: string, row: Row): Promise<void> {
    const stored: StoredRow = { v: SCHEMA_VERSION, k: key, data: row.data, etag: row.etag, at: row.at };
    const text = JSON.stringify(stored);
    const bytes = utf8Bytes(PREFIX + key) + utf8Bytes(text);
    if (bytes > Math.min(MAX_ROW_BYTES, this.index.maxBytes)) {
      await this.delete(key);
      return;
    }
    const evicted = this.index.set(key, true, bytes);
    try {
      if (evicted.length > 0) await AsyncStorage.multiRemove(evicted.map((each) => PREFIX + each));
      await AsyncStorage.setItem(PREFIX + key, text);
    } catch {
      this.index.delete(key);
    }
    await this.writeIndex();
  }

  async delete(key: string): Promise<void> {
    this.index.delete(key);
    await remove([PREFIX + key]);
    await this.writeIndex();
  }

  async clear(): Promise<void> {
    this.index.clear();
    await remove([...(await allKeys()).filter((key) => key.startsWith(PREFIX)), INDEX]);
  }

  /** Write the index once for all changes of this turn. */
  private writeIndex(): Promise<void> {
    this.indexWrite ??= Promise.resolve().then(async () => {
      this.indexWrite = null;
      const entries = this.index.keys().map((key) => [key, this.index.bytesOf(key)]);
      try {
        await AsyncStorage.setItem(INDEX, JSON.stringify({ v: SCHEMA_VERSION, entries }));
      } catch {
        // Rows without an index entry are deleted at the next start.
      }
    });
    return this.indexWrite;
  }
}

function parseIndex(text: string | null): [string, number][] {
  const value = parse(text);
  if (!isObject(value) || value.v !== SCHEMA_VERSION || !Array.isArray(value.entries)) return [];
  return value.entries.filter(
    (entry): entry is [string, number] =>
      Array.isArray(entry) && typeof entry[0] === 'string' && Number.isFinite(entry[1]) && entry[1] >= 0,
  );
}

function parseRow(key: string, text: string | null): Row | null {
  const value = parse(text);
  if (!isObject(value) || value.v !== SCHEMA_VERSION || value.k !== key) return null;
  if (value.data === undefined || value.data === null || typeof value.at !== 'number') return null;
  if (value.etag !== null && typeof value.etag !== 'string') return null;
  return { data: value.data, etag: value.etag, at: value.at };
}

function parse(text: string | null): unknown {
  if (text === null) return null;
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

// A store that fails (full disk, private mode) is an empty store.

async function allKeys(): Promise<readonly string[]> {
  try {
    return await AsyncStorage.getAllKeys();
  } catch {
    return [];
  }
}

async function read(key: string): Promise<string | null> {
  try {
    return await AsyncStorage.getItem(key);
  } catch {
    return null;
  }
}

async function readMany(keys: string[]): Promise<readonly [string, string | null][]> {
  try {
    return await AsyncStorage.multiGet(keys);
  } catch {
    return [];
  }
}

async function remove(keys: string[]): Promise<void> {
  try {
    await AsyncStorage.multiRemove(keys);
  } catch {
    // A row that cannot be deleted now is dropped when it is read.
  }
}
