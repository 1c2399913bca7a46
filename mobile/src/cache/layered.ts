/**
 * Read through three layers: memory (bounded LRU), AsyncStorage (one row per query), the server (entity tags).
 *
 * `peek` is synchronous: a screen whose data is in memory renders it at once. `read` always calls the server, with
 * `If-None-Match` where a row has an entity tag; a 304 returns the cached object itself, so nothing renders again.
 * Without a connection `read` returns the cached row.
 */
import { ByteLru, utf8Bytes } from '@/cache/lru';
import { Rows, type Row } from '@/cache/rows';

export const MEMORY_BYTES = 2_000_000;
const PRELOADED_ROWS = 40;

/** The result of a request to the server: `null` data means "not modified". */
export interface Fetched<T> {
  data: T | null;
  etag: string | null;
}

export interface CacheCounts {
  /** Queries whose data was in memory when they were first shown, and those whose data was not. */
  memoryHits: number;
  memoryMisses: number;
  rowHits: number;
  notModified: number;
  fetched: number;
  offline: number;
}

export class LayeredCache {
  readonly counts: CacheCounts = { memoryHits: 0, memoryMisses: 0, rowHits: 0, notModified: 0, fetched: 0, offline: 0 };
  private readonly memory: ByteLru<Row>;

  constructor(
    private readonly rows: Rows,
    private readonly isOffline: (error: unknown) => boolean,
    memoryBytes: number = MEMORY_BYTES,
  ) {
    this.memory = new ByteLru<Row>(memoryBytes);
  }

  /** Fill the memory from the rows used most recently. */
  async preload(): Promise<void> {
    for (const [key, row] of (await this.rows.load(PRELOADED_ROWS)).reverse()) this.remember(key, row);
  }

  /** Return the row in memory, without a request. */
  peek<T>(key: string): { data: T; at: number } | undefined {
    const row = this.memory.get(key);
    return row === undefined ? undefined : { data: row.data as T, at: row.at };
  }

  /** Like `peek` for the data that a screen shows first; counted as a hit or a miss. */
  show<T>(key: string): T | undefined {
    const row = this.peek<T>(key);
    if (row === undefined) this.counts.memoryMisses += 1;
    else this.counts.memoryHits += 1;
    return row?.data;
  }

  async read<T>(key: string, fetch: (etag: string | null) => Promise<Fetched<T>>): Promise<T> {
    const row = await this.find(key);
    let fetched: Fetched<T>;
    try {
      fetched = await fetch(row?.etag ?? null);
    } catch (error) {
      if (row === null || !this.isOffline(error)) throw error;
      this.counts.offline += 1;
      return row.data as T;
    }
    if (fetched.data === null && row !== null) {
      this.counts.notModified += 1;
      await this.put(key, { ...row, at: Date.now() });
      return row.data as T;
    }
    if (fetched.data === null) throw new Error(`${key}: 304 without a cached response`);
    this.counts.fetched += 1;
    await this.put(key, { data: fetched.data, etag: fetched.etag, at: Date.now() });
    return fetched.data;
  }

  /** Replace the data of a row after a write; its entity tag no longer holds. */
  async write(key: string, data: unknown): Promise<void> {
    await this.put(key, { data, etag: null, at: Date.now() });
  }

  /** Keep a row for use without a connection, but fetch it the next time it is shown. */
  async expire(key: string): Promise<void> {
    const row = await this.find(key);
    if (row !== null) await this.put(key, { ...row, at: 0 });
  }

  async delete(key: string): Promise<void> {
    this.memory.delete(key);
    await this.rows.delete(key);
  }

  /** Remove everything; on sign-out nothing of an account stays on the device. */
  async clear(): Promise<void> {
    this.memory.clear();
    await this.rows.clear();
  }

  private async find(key: string): Promise<Row | null> {
    const row = this.memory.get(key);
    if (row !== undefined) return row;
    const stored = await this.rows.get(key);
    if (stored !== null) {
      this.counts.rowHits += 1;
      this.remember(key, stored);
    }
    return stored;
  }

  private async put(key: string, row: Row): Promise<void> {
    this.remember(key, row);
    await this.rows.set(key, row);
  }

  private remember(key: string, row: Row): void {
    this.memory.set(key, row, utf8Bytes(JSON.stringify(row.data)) + utf8Bytes(key));
  }
}
