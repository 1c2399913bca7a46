/** Errors of requests: problem details (RFC 9457) of the service, and the absence of a connection. */
import type { components } from '@/api/schema';

export type ProblemDetails = components['schemas']['ProblemDetails'];

/** The service refused the request. */
export class ApiError extends Error {
  override readonly name = 'ApiError';

  constructor(
    readonly problem: ProblemDetails,
    /** Seconds to wait before a retry, where the service gave them. */
    readonly retryAfter: number | null = null,
  ) {
    super(`${problem.status} ${problem.title}`);
  }

  get status(): number {
    return this.problem.status;
  }

  /** Name of the kind of problem: the fragment of its type. */
  get slug(): string {
    return this.problem.type.split('#').pop() ?? '';
  }

  /** Errors by field: `$.email` is `email`. */
  get fields(): Record<string, string> {
    const errors = this.problem.errors ?? [];
    return Object.fromEntries(errors.map((error) => [error.at.replace(/^\$\.?/, ''), error.detail]));
  }
}

/** The request did not reach the service, or its response did not arrive. */
export class OfflineError extends Error {
  override readonly name = 'OfflineError';

  constructor(cause?: unknown) {
    super('no connection', { cause });
  }
}

export function isOffline(error: unknown): boolean {
  return error instanceof OfflineError;
}

/** Whether the same request can succeed later: no connection, overload, a failure of the service. */
export function isTransient(error: unknown): boolean {
  if (isOffline(error)) return true;
  return error instanceof ApiError && (error.status === 429 || error.status >= 500);
}

/** Read a response that is not a success. */
export async function problemOf(response: Response): Promise<ApiError> {
  return problemFrom(await response.json().catch(() => null), response);
}

/** The error of a decoded response; a body that is not problem details (a proxy's page) becomes them. */
export function problemFrom(body: unknown, response: Response): ApiError {
  const retryAfter = parseRetryAfter(response.headers.get('retry-after'));
  const given = body as Partial<ProblemDetails> | null | undefined;
  if (typeof given?.type === 'string' && typeof given.title === 'string') {
    return new ApiError({ ...given, status: response.status } as ProblemDetails, retryAfter);
  }
  const problem = {
    type: 'about:blank',
    title: response.statusText,
    status: response.status,
    detail: '',
    request_id: '',
    errors: [],
  };
  return new ApiError(problem, retryAfter);
}

/** Seconds of a Retry-After header: a number, or a date; null without either. */
export function parseRetryAfter(value: string | null, now: number = Date.now()): number | null {
  if (value === null || value.trim() === '') return null;
  const seconds = Number(value);
  if (Number.isFinite(seconds)) return Math.max(0, seconds);
  const date = Date.parse(value);
  return Number.isNaN(date) ? null : Math.max(0, (date - now) / 1000);
}
