/**
 * App Check: a token that proves that a request comes from this app.
 *
 * Builds with Firebase settings attach it; local builds have none and send nothing. A failed attestation sends the
 * request without a token: the server decides whether one is required.
 */
import { attest } from '@/api/attestation';
import { APP_CHECK } from '@/config';

const MARGIN_MS = 60_000;
/** After a failure, wait this long before the next attempt: attestation services limit calls. */
const FAILURE_MS = 30_000;

let cached: { token: string | null; until: number } | null = null;
let running: Promise<string | null> | null = null;

export async function appCheckToken(): Promise<string | null> {
  if (APP_CHECK === null) return null;
  if (cached !== null && Date.now() < cached.until) return cached.token;
  running ??= attest(APP_CHECK)
    .then(
      ({ token, seconds }) => {
        cached = { token, until: Date.now() + seconds * 1000 - MARGIN_MS };
        return token;
      },
      () => {
        cached = { token: null, until: Date.now() + FAILURE_MS };
        return null;
      },
    )
    .finally(() => {
      running = null;
    });
  return running;
}
