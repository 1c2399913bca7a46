/** Server-sent events over fetch: EventSource cannot send the Authorization header. */
import { fetch } from 'expo/fetch';

import { ApiError, OfflineError, problemOf } from '@/api/errors';
import { accessToken, refresh } from '@/api/session';

export interface ServerEvent {
  id: string;
  name: string;
  data: string;
}

/** Parse a stream of text as the WHATWG HTML standard specifies (section 9.2.6). */
export class EventParser {
  private buffer = '';
  private name = '';
  private data: string[] = [];
  private id = '';
  /** Delay before a reconnect that the server requests, in ms. */
  retry = 1_000;

  push(chunk: string): ServerEvent[] {
    this.buffer += chunk;
    const events: ServerEvent[] = [];
    for (;;) {
      const end = /\r\n|\n|\r(?=[^\n])/.exec(this.buffer);
      if (end === null) return events;
      const line = this.buffer.slice(0, end.index);
      this.buffer = this.buffer.slice(end.index + end[0].length);
      const event = this.line(line);
      if (event !== null) events.push(event);
    }
  }

  private line(line: string): ServerEvent | null {
    if (line === '') {
      const event =
        this.data.length > 0 ? { id: this.id, name: this.name || 'message', data: this.data.join('\n') } : null;
      this.name = '';
      this.data = [];
      return event;
    }
    const colon = line.indexOf(':');
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (field === 'event') this.name = value;
    else if (field === 'data') this.data.push(value);
    else if (field === 'id') this.id = value;
    else if (field === 'retry' && /^\d+$/.test(value)) this.retry = Number(value);
    return null;
  }
}

/**
 * Yield the events of `url` until the server responds with 204, reconnecting with Last-Event-ID.
 * Throws ApiError when the service refuses, OfflineError after `maxFailures` connections without an event.
 */
export async function* follow(url: string, signal: AbortSignal, maxFailures = 5): AsyncGenerator<ServerEvent> {
  const parser = { current: new EventParser() };
  let lastId = '';
  let failures = 0;
  while (!signal.aborted) {
    try {
      for await (const event of connect(url, lastId, signal, parser)) {
        failures = 0;
        if (event.id !== '') lastId = event.id;
        yield event;
      }
    } catch (error) {
      if (signal.aborted || error instanceof Ended) return;
      if (error instanceof ApiError && error.status !== 429 && error.status < 500) throw error;
      failures += 1;
      if (failures >= maxFailures) throw error instanceof ApiError ? error : new OfflineError(error);
    }
    await wait(parser.current.retry * 2 ** failures, signal);
  }
}

class Ended extends Error {}

async function* connect(
  url: string,
  lastId: string,
  signal: AbortSignal,
  parser: { current: EventParser },
): AsyncGenerator<ServerEvent> {
  const token = await accessToken();
  let response = await open(url, lastId, token, signal);
  if (response.status === 401 && token !== null) {
    const renewed = await refresh(token);
    if (renewed !== null) response = await open(url, lastId, renewed.token, signal);
  }
  if (response.status === 204) throw new Ended();
  if (!response.ok || response.body === null) throw await problemOf(response as unknown as Response);
  const retry = parser.current.retry;
  parser.current = new EventParser();
  parser.current.retry = retry;
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield* parser.current.push(decoder.decode(value, { stream: true }));
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

function open(url: string, lastId: string, token: string | null, signal: AbortSignal) {
  const headers: Record<string, string> = { Accept: 'text/event-stream' };
  if (token !== null) headers.Authorization = `Bearer ${token}`;
  if (lastId !== '') headers['Last-Event-ID'] = lastId;
  return fetch(url, { headers, signal });
}

function wait(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
