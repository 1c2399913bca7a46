import { api, conditional, ifNoneMatch, type Schemas } from '@/api/client';
import { cachedPages, cachedQuery } from '@/data';

export type FeedItem = Schemas['FeedItem'];

export const feedQuery = cachedPages<FeedItem>(['feed'], (cursor, etag) =>
  conditional(
    api.GET('/v1/feed', {
      params: { query: { limit: 20, ...(cursor === null ? {} : { cursor }) } },
      headers: ifNoneMatch(etag),
    }),
  ),
);

export function feedItemQuery(id: string) {
  return cachedQuery<FeedItem>(['feed-item', id], (etag) =>
    conditional(api.GET('/v1/feed/{content_id}', { params: { path: { content_id: id } }, headers: ifNoneMatch(etag) })),
  );
}
