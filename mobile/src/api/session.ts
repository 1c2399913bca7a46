/**
 * The session: tokens, their refresh, sign-out.
 *
 * A refresh token is valid once, so a refresh runs once at a time: in this process through a shared promise, across
 * tabs through a lock. A tab that waited for the lock uses the tokens that the other tab stored.
 */
import type { components } from '@/api/schema';
import { OfflineError, problemOf } from '@/api/errors';
import { deleteTokens, exclusively, onTokensChanged, readTokens, writeTokens } from '@/api/token-storage';
import { API_URL } from '@/config';

export type SignedIn = components['schemas']['SignedIn'];

export interface Session {
  token: string;
  refreshToken: string;
  /** When the access token expires, in ms since the epoch, by this device's clock. */
  expiresAt: number;
  account: string;
}

/** Refresh this long before the token expires, in ms: a request must not arrive after it. */
const MARGIN_MS = 30_000;

type Listener = (session: Session | null) => void;

let current: Session | null = null;
let refreshing: Promise<Session | null> | null = null;
const listeners = new Set<Listener>();

export function session(): Session | null {
  return current;
}

/** Call `listener` when the account signs in or out; return a function that ends it. */
export function onSession(listener: Listener): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Read the stored session; call once at the start. */
export async function loadSession(): Promise<Session | null> {
  onTokensChanged((value) => adopt(parse(value)));
  let stored: string | null = null;
  try {
    stored = await readTokens();
  } catch {
    // A keystore that cannot be read (restored backup, changed lock) holds no session.
  }
  adopt(parse(stored));
  return current;
}

export async function startSession(signedIn: SignedIn): Promise<Session> {
  const next: Session = {
    token: signedIn.token,
    refreshToken: signedIn.refresh_token,
    expiresAt: Date.now() + signedIn.expires_in * 1000,
    account: signedIn.account.id,
  };
  await writeTokens(JSON.stringify(next));
  adopt(next);
  return next;
}

export async function endSession(): Promise<void> {
  await deleteTokens();
  adopt(null);
}

/** Return a token that is still valid, refreshed where necessary; null without a session. */
export async function accessToken(): Promise<string | null> {
  if (current === null) return null;
  if (Date.now() < current.expiresAt - MARGIN_MS) return current.token;
  return (await refresh(current.token))?.token ?? null;
}

/**
 * Exchange the refresh token, once for all callers. `rejected` is the access token that no longer works: when the
 * session has another one by now, that is the result. Returns null, and ends the session, when the service refuses.
 */
export function refresh(rejected: string): Promise<Session | null> {
  refreshing ??= exclusively('refresh', () => exchange(rejected)).finally(() => {
    refreshing = null;
  });
  return refreshing;
}

async function exchange(rejected: string): Promise<Session | null> {
  const stored = parse(await readTokens());
  if (stored !== null && stored.token !== rejected) {
    adopt(stored);
    return stored;
  }
  const refreshToken = stored?.refreshToken ?? current?.refreshToken;
  if (refreshToken === undefined) return null;
  let response: Response;
  try {
    response = await fetch(`${API_URL}/v1/sessions/refresh`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ refresh_token: refreshToken }),
    });
  } catch (error) {
    throw new OfflineError(error);
  }
  if (response.ok) return startSession((await response.json()) as SignedIn);
  const problem = await problemOf(response);
  if (problem.status === 401) {
    await endSession();
    return null;
  }
  throw problem;
}

function adopt(next: Session | null): void {
  const changed = current?.account !== next?.account;
  current = next;
  if (changed) for (const listener of [...listeners]) listener(next);
}

function parse(text: string | null): Session | null {
  if (text === null) return null;
  try {
    const value = JSON.parse(text) as Partial<Session>;
    const valid =
      typeof value.token === 'string' &&
      typeof value.refreshToken === 'string' &&
      typeof value.expiresAt === 'number' &&
      typeof value.account === 'string';
    return valid ? (value as Session) : null;
  } catch {
    return null;
  }
}
