/**
 * Performance and usage events: sampled per start of the app, sent in batches through the outbox, with consent only.
 *
 * An event has a name of the service's closed list, a time, the name of a screen (a route, never its parameters) and
 * a duration. It contains no data about the user or the device, and no content.
 */
import { randomUUID } from 'expo-crypto';

import type { Schemas } from '@/api/client';
import { session } from '@/api/session';
import { SAMPLE_RATE } from '@/config';
import { submit } from '@/offline/outbox';
import { preferences } from '@/preferences';

type Event = Schemas['Event'];
export type EventName = Event['name'];

export const BATCH = 25;
export const FLUSH_MS = 20_000;
/** Events that wait for a sign-in or for consent; older ones are dropped. */
const MAX_WAITING = 200;

let sampled = Math.random() < SAMPLE_RATE;
let waiting: Event[] = [];
let timer: ReturnType<typeof setTimeout> | null = null;

/** Replace the sampling decision of this start; for tests. */
export function setSampled(value: boolean): void {
  sampled = value;
  waiting = [];
  if (timer !== null) clearTimeout(timer);
  timer = null;
}

export function record(name: EventName, details: { screen?: string; seconds?: number; content?: string } = {}): void {
  if (!sampled) return;
  waiting.push({ id: randomUUID(), name, at: new Date().toISOString(), ...details });
  if (waiting.length > MAX_WAITING) waiting.shift();
  if (waiting.length >= BATCH) void flush();
  else timer ??= setTimeout(() => void flush(), FLUSH_MS);
}

/** Send the pending events. Without consent or a session they remain, up to the bound. */
export async function flush(): Promise<void> {
  if (timer !== null) clearTimeout(timer);
  timer = null;
  if (waiting.length === 0 || !preferences().consent || session() === null) return;
  const events = waiting.splice(0, 100);
  try {
    await submit({ kind: 'events', method: 'POST', path: '/v1/events', body: { events } });
  } catch {
    // A refused batch is dropped without an error message: measurements are optional.
  }
}
