import type { SignedIn } from '@/api/session';

/** A stand-in for the service: responses by method and path, every request recorded. */

export interface Sent {
  method: string;
  path: string;
  headers: Headers;
  body: unknown;
}

type Handler = (sent: Sent) => Response | Promise<Response>;

export class Service {
  readonly requests: Sent[] = [];
  private readonly handlers = new Map<string, Handler>();

  constructor() {
    globalThis.fetch = (async (input: RequestInfo | URL, init?: RequestInit) => {
      const request = input instanceof Request ? input : new Request(input, init);
      const url = new URL(request.url);
      const text = request.method === 'GET' ? '' : await request.clone().text();
      const sent: Sent = {
        method: request.method,
        path: url.pathname + url.search,
        headers: request.headers,
        body: text === '' ? undefined : JSON.parse(text),
      };
      this.requests.push(sent);
      const handler = this.handlers.get(`${sent.method} ${url.pathname}`);
      if (handler === undefined) return problem(404, 'not-found');
      return handler(sent);
    }) as typeof fetch;
  }

  on(route: string, handler: Handler): void {
    this.handlers.set(route, handler);
  }

  sent(route: string): Sent[] {
    return this.requests.filter((sent) => `${sent.method} ${sent.path}` === route);
  }
}

export function json(body: unknown, status = 200, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify(body), { status, headers: { 'Content-Type': 'application/json', ...headers } });
}

export function problem(status: number, slug: string, headers: Record<string, string> = {}): Response {
  const body = {
    type: `https://api.test/docs#${slug}`,
    title: slug,
    status,
    detail: '',
    request_id: 'r-1',
    errors: [],
  };
  return json(body, status, headers);
}

export function signedIn(token: string, refreshToken: string, seconds = 600) {
  return {
    token,
    token_type: 'Bearer',
    expires_in: seconds,
    refresh_token: refreshToken,
    account: {
      id: 'ada',
      email: 'ada@example.com',
      name: 'Ada',
      plan: 'free',
      roles: [],
      balance: 0,
      created_at: '2026-01-01T00:00:00Z',
    },
  } satisfies SignedIn;
}

export function offline(): never {
  throw new TypeError('Network request failed');
}
