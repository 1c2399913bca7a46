/** The typed client, generated from the service's OpenAPI document (`npm run client`). */
import createClient, { type FetchResponse } from 'openapi-fetch';
import type { MediaType } from 'openapi-typescript-helpers';

import { problemFrom } from '@/api/errors';
import type { components, paths } from '@/api/schema';
import { transport } from '@/api/transport';
import type { Fetched } from '@/cache/layered';
import { API_URL } from '@/config';

export type Schemas = components['schemas'];

export const api = createClient<paths>({ baseUrl: API_URL || origin(), fetch: transport });

/** Return the data of a response; throw ApiError for any other. */
export async function unwrap<T extends Record<string | number, unknown>, O, M extends MediaType>(
  response: Promise<FetchResponse<T, O, M>>,
): Promise<NonNullable<FetchResponse<T, O, M>['data']>> {
  const result = await response;
  if (result.error !== undefined || !result.response.ok) throw problemFrom(result.error, result.response);
  return result.data as NonNullable<FetchResponse<T, O, M>['data']>;
}

/** Like `unwrap` for a conditional read: data is null for 304. */
export async function conditional<T extends Record<string | number, unknown>, O, M extends MediaType>(
  response: Promise<FetchResponse<T, O, M>>,
): Promise<Fetched<NonNullable<FetchResponse<T, O, M>['data']>>> {
  const result = await response;
  const etag = result.response.headers.get('etag');
  if (result.response.status === 304) return { data: null, etag };
  if (result.error !== undefined || !result.response.ok) throw problemFrom(result.error, result.response);
  return { data: result.data as NonNullable<FetchResponse<T, O, M>['data']>, etag };
}

/** Header of a conditional read. */
export function ifNoneMatch(etag: string | null): Record<string, string> {
  return etag === null ? {} : { 'If-None-Match': etag };
}

/** Address of a path that the service returned. */
export function absolute(path: string): string {
  return `${API_URL || origin()}${path}`;
}

function origin(): string {
  return typeof window !== 'undefined' && window.location ? window.location.origin : '';
}
