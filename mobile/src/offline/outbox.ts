/**
 * Writes that survive a lost connection: stored first, then sent in order, each under its idempotency key.
 *
 * A write leaves the outbox after the service has responded. The response can be lost; the write is then
 * sent again under the same key, and the service executes it once. A write that the service refuses leaves
 * the outbox too, and its `settled` listeners undo what the app showed in advance.
 */
import AsyncStorage from '@react-native-async-storage/async-storage';
import { randomUUID } from 'expo-crypto';

import { ApiError, isTransient, problemOf } from '@/api/errors';
import { session } from '@/api/session';
import { exclusively } from '@/api/token-storage';
import { backoff, transport } from '@/api/transport';
import { absolute } from '@/api/client';

const KEY = 'kingdom/outbox';
const VERSION = 1;
/** Writes older than this are dropped: the service remembers idempotency keys for a limited time. */
const MAX_AGE_MS = 7 * 24 * 3600 * 1000;
const MAX_ENTRIES = 200;

export type Kind = 'create' | 'publish' | 'withdraw' | 'profile' | 'events';

export interface Write {
  /** Idempotency key. */
  id: string;
  kind: Kind;
  method: 'POST' | 'PUT' | 'DELETE';
  path: string;
  body: unknown;
  account: string;
  /** In ms since the epoch. */
  createdAt: number;
}

export type Settled = { write: Write; data: unknown; error: null } | { write: Write; data: null; error: ApiError };

let entries: Write[] = [];
let draining: Promise<void> | null = null;
let failures = 0;
let timer: ReturnType<typeof setTimeout> | null = null;
const changeListeners = new Set<() => void>();
const settledListeners = new Set<(settled: Settled) => void>();

/** Writes that wait, the oldest first. The array is replaced on every change. */
export function pending(): readonly Write[] {
  return entries;
}

export function onPending(listener: () => void): () => void {
  changeListeners.add(listener);
  return () => changeListeners.delete(listener);
}

export function onSettled(listener: (settled: Settled) => void): () => void {
  settledListeners.add(listener);
  return () => settledListeners.delete(listener);
}

/** Read the stored writes; call once at the start. Malformed entries are dropped. */
export async function loadOutbox(): Promise<void> {
  await restore();
  void drain();
}

/**
 * Store a write and send it. Resolves to the response's data, or to `undefined` when the write waits for a
 * connection; throws ApiError when the service refuses it.
 */
export async function submit(write: Pick<Write, 'kind' | 'method' | 'path' | 'body'>): Promise<unknown> {
  const account = session()?.account;
  if (account === undefined) throw new ApiError(unauthenticated());
  const entry: Write = { ...write, id: randomUUID(), account, createdAt: Date.now() };
  let outcome: Settled | undefined;
  const stop = onSettled((settled) => {
    if (settled.write.id === entry.id) outcome = settled;
  });
  try {
    await change((stored) => [...stored, entry].slice(-MAX_ENTRIES));
    await drain();
  } finally {
    stop();
  }
  if (outcome?.error) throw outcome.error;
  return outcome?.data;
}

/** Send the pending writes in order, in one tab at a time; stop at the first write that cannot be sent now. */
export function drain(): Promise<void> {
  // A write added while a drain runs is sent by the drain that follows it.
  const next = (draining ?? Promise.resolve()).then(() => exclusively('outbox', sendAll));
  draining = next.catch(() => undefined);
  return draining;
}

/** Remove the writes of all accounts; for tests. */
export async function clearOutbox(): Promise<void> {
  if (timer !== null) clearTimeout(timer);
  timer = null;
  failures = 0;
  await change(() => []);
}

async function sendAll(): Promise<void> {
  if (timer !== null) clearTimeout(timer);
  timer = null;
  await restore();
  for (;;) {
    const account = session()?.account;
    const write = entries.find((each) => each.account === account);
    if (write === undefined) return;
    if (Date.now() - write.createdAt > MAX_AGE_MS) {
      await change((stored) => stored.filter((each) => each.id !== write.id));
      continue;
    }
    let settled: Settled;
    try {
      settled = { write, data: await send(write), error: null };
    } catch (error) {
      const refused = error instanceof ApiError && !isTransient(error) && error.status !== 401;
      if (!refused) {
        retryLater(error instanceof ApiError ? error.retryAfter : null);
        return;
      }
      settled = { write, data: null, error };
    }
    failures = 0;
    await change((stored) => stored.filter((each) => each.id !== write.id));
    for (const listener of [...settledListeners]) listener(settled);
  }
}

async function send(write: Write): Promise<unknown> {
  const headers: Record<string, string> = { 'Idempotency-Key': write.id };
  if (write.body !== undefined && write.body !== null) headers['Content-Type'] = 'application/json';
  const body = write.body === undefined || write.body === null ? undefined : JSON.stringify(write.body);
  const init: RequestInit =
    body === undefined ? { method: write.method, headers } : { method: write.method, headers, body };
  const response = await transport(new Request(absolute(write.path), init));
  if (!response.ok) throw await problemOf(response);
  if (response.status === 204) return null;
  return response.json();
}

function retryLater(retryAfter: number | null): void {
  failures += 1;
  timer = setTimeout(() => void drain(), backoff(Math.min(failures + 2, 9), retryAfter));
}

async function restore(): Promise<void> {
  let text: string | null = null;
  try {
    text = await AsyncStorage.getItem(KEY);
  } catch {
    return;
  }
  publish(parse(text));
}

async function change(update: (stored: Write[]) => Write[]): Promise<void> {
  // Read first, under a lock: another tab may have added writes.
  await exclusively('outbox-row', async () => {
    const next = update(parse(await AsyncStorage.getItem(KEY)));
    await AsyncStorage.setItem(KEY, JSON.stringify({ v: VERSION, entries: next }));
    publish(next);
  });
}

function publish(next: Write[]): void {
  entries = next;
  for (const listener of [...changeListeners]) listener();
}

function parse(text: string | null): Write[] {
  if (text === null) return [];
  try {
    const value = JSON.parse(text) as { v?: unknown; entries?: unknown };
    if (value.v !== VERSION || !Array.isArray(value.entries)) return [];
    return value.entries.filter(isWrite);
  } catch {
    return [];
  }
}

function isWrite(value: unknown): value is Write {
  if (typeof value !== 'object' || value === null) return false;
  const write = value as Partial<Write>;
  return (
    typeof write.id === 'string' &&
    typeof write.kind === 'string' &&
    typeof write.method === 'string' &&
    typeof write.path === 'string' &&
    typeof write.account === 'string' &&
    typeof write.createdAt === 'number'
  );
}

function unauthenticated(): ApiError['problem'] {
  return { type: 'about:blank#unauthenticated', title: '', status: 401, detail: '', request_id: '', errors: [] };
}
