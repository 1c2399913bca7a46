/** The request of the feed that public/first-paint.js sent while the app's scripts were loading. */

/** A response that waited longer is not used, in ms: the feed is fetched again. */
export const MAX_AGE_MS = 30_000;

interface FirstPaint {
  /** Set by the app: nothing is displayed before it any more. */
  ended: boolean;
  request: { url: string; at: number; response: Promise<Response> } | null;
}

declare global {
  var kingdomFirstPaint: FirstPaint | undefined;
}

/**
 * Return the response to an equal request without a token, once; null where there is none. The caller displays it: a
 * response that arrives later is not displayed before the app.
 */
export function takeEarly(request: Request): Promise<Response> | null {
  const state = globalThis.kingdomFirstPaint;
  const early = state?.request;
  if (!state || !early || early.url !== request.url || request.method !== 'GET') return null;
  if (request.headers.has('authorization') || request.headers.has('if-none-match')) return null;
  state.request = null;
  state.ended = true;
  return Date.now() - early.at < MAX_AGE_MS ? early.response : null;
}
