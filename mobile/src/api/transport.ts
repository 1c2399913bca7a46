/**
 * How a request is sent: token, App Check, retries with jitter, one refresh after a 401, one request for equal reads.
 */
import { isTransient, OfflineError, problemOf } from '@/api/errors';
import { accessToken, refresh, session } from '@/api/session';
import { appCheckToken } from '@/api/app-check';
import { takeEarly } from '@/api/early';

/** Attempts of a request in all. */
export const ATTEMPTS = 3;
const BASE_DELAY_MS = 250;
const MAX_DELAY_MS = 8_000;
/** A wait above this is left to the caller: a user does not wait a minute for a screen. */
const MAX_RETRY_AFTER_S = 10;
/** Maximum wait for a response; that of the request before the app too (scripts/first-paint.js). */
export const TIMEOUT_MS = 20_000;

const inFlight = new Map<string, Promise<Response>>();

/** Delay before attempt `attempt` + 1, in ms: full jitter (AWS, "Exponential Backoff And Jitter"). */
export function backoff(attempt: number, retryAfter: number | null, random: () => number = Math.random): number {
  const jittered = random() * Math.min(MAX_DELAY_MS, BASE_DELAY_MS * 2 ** attempt);
  return retryAfter === null ? jittered : retryAfter * 1000 + jittered;
}

/** `fetch` for the API. Throws OfflineError without a connection; every response of the service is returned. */
export function transport(request: Request): Promise<Response> {
  if (request.method !== 'GET') return attempts(request);
  // Responses differ by account and entity tag.
  const key = `${session()?.account ?? ''} ${request.url} ${request.headers.get('if-none-match') ?? ''}`;
  const running = inFlight.get(key) ?? attempts(request).finally(() => inFlight.delete(key));
  inFlight.set(key, running);
  return running.then((response) => response.clone());
}

async function attempts(request: Request): Promise<Response> {
  for (let attempt = 1; ; attempt++) {
    const last = attempt >= ATTEMPTS || !isRepeatable(request);
    let retryAfter: number | null = null;
    try {
      const response = await authorized(request);
      if (response.status !== 429 && response.status < 500) return response;
      const problem = await problemOf(response.clone());
      retryAfter = problem.retryAfter;
      if (last || !isTransient(problem) || (retryAfter ?? 0) > MAX_RETRY_AFTER_S) return response;
    } catch (error) {
      if (last || !(error instanceof OfflineError)) throw error;
    }
    await delay(backoff(attempt, retryAfter));
  }
}

/** Whether sending the request again cannot execute it twice. */
export function isRepeatable(request: Request): boolean {
  return request.method !== 'POST' || request.headers.has('idempotency-key');
}

async function authorized(request: Request): Promise<Response> {
  const token = await accessToken();
  const response = await send(request, token);
  if (response.status !== 401 || token === null) return response;
  const renewed = await refresh(token);
  return renewed === null ? response : send(request, renewed.token);
}

async function send(request: Request, token: string | null): Promise<Response> {
  const headers = new Headers(request.headers);
  if (token !== null) headers.set('authorization', `Bearer ${token}`);
  const attestation = await appCheckToken();
  if (attestation !== null) headers.set('x-firebase-appcheck', attestation);
  const early = takeEarly(new Request(request.clone(), { headers }));
  if (early !== null) {
    // It has a timeout of its own (public/first-paint.js).
    const response = await early.catch(() => null);
    if (response !== null) return response;
  }
  const aborter = new AbortController();
  const timer = setTimeout(() => aborter.abort(), TIMEOUT_MS);
  try {
    return await fetch(new Request(request.clone(), { headers, signal: aborter.signal }));
  } catch (error) {
    throw new OfflineError(error);
  } finally {
    clearTimeout(timer);
  }
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
