import { api, conditional, ifNoneMatch, type Schemas } from '@/api/client';
import { cachedPages, cachedQuery } from '@/data';

export type Content = Schemas['Content'];
export type Form = Schemas['Form'];

export const contentsQuery = cachedPages<Content>(['contents'], (cursor, etag) =>
  conditional(
    api.GET('/v1/contents', {
      params: { query: { limit: 20, ...(cursor === null ? {} : { cursor }) } },
      headers: ifNoneMatch(etag),
    }),
  ),
);

export function contentQuery(id: string) {
  return cachedQuery<Content>(['content', id], (etag) =>
    conditional(
      api.GET('/v1/contents/{content_id}', { params: { path: { content_id: id } }, headers: ifNoneMatch(etag) }),
    ),
  );
}
