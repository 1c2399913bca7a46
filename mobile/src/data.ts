/**
 * Query client and cache of the app.
 *
 * TanStack Query holds what screens show; `cachedQuery` fills it from memory at once and from the server through the
 * layered cache. Queries run without a connection too: they then return the cached row.
 */
import { QueryClient, type InfiniteData, type QueryKey } from '@tanstack/react-query';

import { isOffline } from '@/api/errors';
import { onSession, session } from '@/api/session';
import { LayeredCache, type Fetched } from '@/cache/layered';
import { Rows } from '@/cache/rows';
import { PLAIN } from '@/config';

/** A screen visited again within this time makes no request, in ms. */
const STALE_MS = PLAIN ? 0 : 30_000;
/** Pages of a list that are restored from the cache. */
const RESTORED_PAGES = 3;

export const cache = new LayeredCache(new Rows(), isOffline);

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: STALE_MS,
      gcTime: PLAIN ? 0 : 24 * 3600 * 1000,
      networkMode: 'always',
      refetchOnReconnect: 'always',
      // The transport has retried already.
      retry: false,
    },
    mutations: { networkMode: 'always', retry: false },
  },
});

/** A page of a list and the cursor of the next one. */
export interface Paged<T> {
  items: T[];
  next?: string | null;
}

function rowKey(key: QueryKey): string {
  return `${session()?.account ?? 'public'}:${JSON.stringify(key)}`;
}

function show<T>(key: QueryKey): T | undefined {
  return PLAIN ? undefined : cache.show<T>(rowKey(key));
}

function peek<T>(key: QueryKey): { data: T; at: number } | undefined {
  return PLAIN ? undefined : cache.peek<T>(rowKey(key));
}

async function read<T>(key: QueryKey, fetch: (etag: string | null) => Promise<Fetched<T>>): Promise<T> {
  if (!PLAIN) return cache.read(rowKey(key), fetch);
  const { data } = await fetch(null);
  if (data === null) throw new Error(`${rowKey(key)}: 304 to an unconditional request`);
  return data;
}

/** Options of `useQuery` for one resource. */
export function cachedQuery<T>(key: QueryKey, fetch: (etag: string | null) => Promise<Fetched<T>>) {
  return {
    queryKey: key,
    queryFn: () => read(key, fetch),
    initialData: () => show<T>(key),
    initialDataUpdatedAt: () => peek<T>(key)?.at,
  };
}

/** Options of `useInfiniteQuery` for a list in pages. */
export function cachedPages<T>(
  key: QueryKey,
  fetch: (cursor: string | null, etag: string | null) => Promise<Fetched<Paged<T>>>,
) {
  const pageKey = (cursor: string | null) => [...key, cursor];
  return {
    queryKey: key,
    queryFn: ({ pageParam }: { pageParam: string | null }) =>
      read(pageKey(pageParam), (etag) => fetch(pageParam, etag)),
    initialPageParam: null as string | null,
    getNextPageParam: (last: Paged<T>) => last.next ?? null,
    initialData: (): InfiniteData<Paged<T>, string | null> | undefined => {
      const pages: Paged<T>[] = [];
      const pageParams: (string | null)[] = [];
      for (let cursor: string | null = null; pages.length < RESTORED_PAGES;) {
        const key = pageKey(cursor);
        const page: Paged<T> | undefined = cursor === null ? show<Paged<T>>(key) : peek<Paged<T>>(key)?.data;
        if (page === undefined) break;
        pages.push(page);
        pageParams.push(cursor);
        if (!page.next) break;
        cursor = page.next;
      }
      return pages.length > 0 ? { pages, pageParams } : undefined;
    },
    initialDataUpdatedAt: () => peek(pageKey(null))?.at,
  };
}

/** Replace the data of a query, and its row, after a write. */
export function setQuery<T>(key: QueryKey, update: (old: T) => T): void {
  const old = queryClient.getQueryData<T>(key);
  if (old === undefined) return;
  const next = update(old);
  queryClient.setQueryData(key, next);
  if (!PLAIN) void cache.write(rowKey(key), next);
}

/** Fetch a list again the next time it is shown, also after a restart. */
export function expirePages(key: QueryKey): void {
  void queryClient.invalidateQueries({ queryKey: key });
  if (!PLAIN) void cache.expire(rowKey([...key, null]));
}

/** Replace items of a list in pages; unchanged items stay the same objects, so their rows do not render. */
export function setItems<T>(key: QueryKey, update: (item: T) => T): void {
  queryClient.setQueryData<InfiniteData<Paged<T>, string | null>>(key, (old) => {
    if (old === undefined) return old;
    const pages = old.pages.map((page) => {
      const items = page.items.map(update);
      return items.every((item, i) => item === page.items[i]) ? page : { ...page, items };
    });
    return { ...old, pages };
  });
}

/** Delete the account's data from the device when its session ends. */
onSession((next) => {
  if (next !== null) return;
  queryClient.clear();
  void cache.clear();
});
