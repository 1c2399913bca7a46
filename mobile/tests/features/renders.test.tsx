/** Render counts of list rows: one change renders one row once. */
import { QueryClientProvider } from '@tanstack/react-query';
import { act, render, screen, waitFor } from '@testing-library/react-native';

import { cache, expirePages, queryClient, setItems } from '@/data';
import { FeedScreen } from '@/features/feed/FeedScreen';
import type { FeedItem } from '@/features/feed/queries';
import { LibraryScreen } from '@/features/content/LibraryScreen';
import type { Content } from '@/features/content/queries';
import { toggleLike } from '@/preferences';
import { endSession, startSession } from '@/api/session';
import { json, Service, signedIn } from '../support';

jest.mock('@shopify/flash-list', () => {
  const { FlatList } = jest.requireActual<typeof import('react-native')>('react-native');
  return { FlashList: FlatList };
});
let mockFocused = true;
jest.mock('expo-router', () => ({
  useIsFocused: () => mockFocused,
  Link: ({ children }: { children: React.ReactNode }) => children,
  useRouter: () => ({ push: () => undefined }),
}));
jest.mock('expo-image', () => ({ Image: () => null }));

interface Counters {
  kingdom: { rows: Record<string, number> };
}
const rows = () => (globalThis as unknown as Counters).kingdom.rows;

const item = (id: string): FeedItem => ({
  id,
  author: { id: 'eve', name: 'Eve' },
  form: 'story',
  text: `text of ${id}`,
  image: `/v1/media/${id}/poster.webp`,
  published_at: '2026-01-01T00:00:00Z',
});
const IDS = ['a', 'b', 'c', 'd', 'e'];

/** Renders by row since the last call. */
function since(before: Record<string, number>): Record<string, number> {
  const changed = Object.entries(rows()).map(([key, count]) => [key, count - (before[key] ?? 0)] as const);
  return Object.fromEntries(changed.filter(([, count]) => count > 0));
}

let service: Service;

beforeEach(() => {
  mockFocused = true;
  service = new Service();
});
afterEach(async () => {
  await endSession();
  queryClient.clear();
  await cache.clear();
});

const feedScreen = () => (
  <QueryClientProvider client={queryClient}>
    <FeedScreen />
  </QueryClientProvider>
);

async function showFeed(): Promise<void> {
  service.on('GET /v1/feed', () => json({ items: IDS.map(item) }, 200, { ETag: '"1"' }));
  render(feedScreen());
  await waitFor(() => expect(screen.getByText('text of e')).toBeTruthy());
}

test('a like renders its row once and no other', async () => {
  await showFeed();
  const before = { ...rows() };
  await act(async () => toggleLike('b'));
  expect(since(before)).toEqual({ 'feed:b': 1 });
  await act(async () => toggleLike('b'));
});

test('a changed item renders its row once and no other', async () => {
  await showFeed();
  const before = { ...rows() };
  await act(async () =>
    setItems<FeedItem>(['feed'], (each) => (each.id === 'c' ? { ...each, text: 'new text' } : each)),
  );
  expect(screen.getByText('new text')).toBeTruthy();
  expect(since(before)).toEqual({ 'feed:c': 1 });
});

test('a refetch that returns the same items renders no row', async () => {
  await showFeed();
  const before = { ...rows() };
  await act(async () => queryClient.refetchQueries({ queryKey: ['feed'] }));
  expect(service.requests).toHaveLength(2);
  expect(since(before)).toEqual({});
});

test('a feed that a write expired is fetched when its screen is shown again, not before', async () => {
  await showFeed();
  mockFocused = false;
  screen.rerender(feedScreen());
  await act(async () => expirePages(['feed']));
  expect(service.requests).toHaveLength(1);
  mockFocused = true;
  screen.rerender(feedScreen());
  await waitFor(() => expect(service.requests).toHaveLength(2));
});

test('a published piece renders its row in the library once', async () => {
  const content = (id: string): Content => ({
    id,
    state: 'ready',
    prompt: `prompt ${id}`,
    form: 'story',
    created_at: '2026-01-01T00:00:00Z',
  });
  await startSession(signedIn('t', 'r'));
  service.on('GET /v1/contents', () => json({ items: IDS.map(content) }));
  render(
    <QueryClientProvider client={queryClient}>
      <LibraryScreen />
    </QueryClientProvider>,
  );
  await waitFor(() => expect(screen.getByText('prompt e')).toBeTruthy());
  const before = { ...rows() };
  await act(async () =>
    setItems<Content>(['contents'], (each) =>
      each.id === 'd' ? { ...each, published_at: '2026-01-02T00:00:00Z' } : each,
    ),
  );
  expect(since(before)).toEqual({ 'library:d': 1 });
});
