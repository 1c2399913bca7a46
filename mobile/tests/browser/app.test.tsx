/** The whole app in jsdom, with the modules of the web build: routes, tabs, stack, lists. */
import { ExpoRoot } from 'expo-router/build/ExpoRoot';
import type { ReactNode } from 'react';

// The types of React DOM are not installed: its one use outside of the libraries is here.
const { createRoot } = jest.requireActual<{
  createRoot(element: Element): { render(node: ReactNode): void; unmount(): void };
}>('react-dom/client');

jest.mock('expo-constants', () => ({
  __esModule: true,
  default: { expoConfig: { name: 'app', slug: 'app', extra: { router: {} }, experiments: {} } },
  ExecutionEnvironment: {},
}));

const ROUTES: Record<string, () => unknown> = {
  './_layout.tsx': () => jest.requireActual('../../src/app/_layout'),
  './(tabs)/_layout.tsx': () => jest.requireActual('../../src/app/(tabs)/_layout'),
  './(tabs)/index.tsx': () => jest.requireActual('../../src/app/(tabs)/index'),
  './(tabs)/create.tsx': () => jest.requireActual('../../src/app/(tabs)/create'),
  './(tabs)/library.tsx': () => jest.requireActual('../../src/app/(tabs)/library'),
  './(tabs)/account.tsx': () => jest.requireActual('../../src/app/(tabs)/account'),
  './item/[id].tsx': () => jest.requireActual('../../src/app/item/[id]'),
  './sign-in.tsx': () => jest.requireActual('../../src/app/sign-in'),
  './+not-found.tsx': () => jest.requireActual('../../src/app/+not-found'),
};
const context = Object.assign((id: string) => ROUTES[id]?.(), {
  keys: () => Object.keys(ROUTES),
  resolve: (id: string) => id,
  id: 'routes',
});

const ITEM = {
  id: '1',
  text: 'A lighthouse in the snow.',
  author: { id: 'a', name: 'Grace' },
  image: '/v1/media/1/card.webp',
  form: 'story',
  published_at: '2026-01-01T00:00:00Z',
};

const requests: string[] = [];
globalThis.fetch = async (input) => {
  const { pathname } = new URL((input as Request).url);
  requests.push(pathname);
  const body = pathname === '/v1/feed' ? { items: [ITEM], next: null } : ITEM;
  return new Response(JSON.stringify(body), { headers: { 'content-type': 'application/json' } });
};

/** Wait until `find` returns an element that is displayed. */
async function shown(find: () => Element | null | undefined, what: string): Promise<HTMLElement> {
  for (let attempt = 0; attempt < 400; attempt++) {
    const element = find();
    if (element && isDisplayed(element)) return element as HTMLElement;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`not displayed: ${what}; the page has: ${document.body.textContent}`);
}

function isDisplayed(element: Element): boolean {
  for (let each: Element | null = element; each; each = each.parentElement) {
    if (getComputedStyle(each).display === 'none') return false;
  }
  return true;
}

const byText = (selector: string, text: string) => () =>
  [...document.querySelectorAll(selector)].find((each) => each.textContent?.includes(text) && isDisplayed(each));
const back = () => [...document.querySelectorAll('[aria-label="Back"]')].find(isDisplayed);

/** The events of a mouse press: react-native-web reacts to the sequence, not on the click alone. */
function press(element: Element): void {
  for (const type of ['mousedown', 'mouseup', 'click']) {
    element.dispatchEvent(new MouseEvent(type, { bubbles: true, cancelable: true, button: 0 }));
  }
}

function start(path: string): () => void {
  document.body.innerHTML = '<div id="root"></div>';
  window.history.replaceState(null, '', path);
  const root = createRoot(document.getElementById('root') as HTMLElement);
  root.render(<ExpoRoot context={context as never} location={path} />);
  return () => root.unmount();
}

// One start in ten records events. Here every start does, so that all runs take the same path.
beforeEach(() =>
  jest.requireActual<typeof import('@/performance/events')>('../../src/performance/events').setSampled(true),
);

it('shows the feed, switches tabs, opens a screen above them and leads back', async () => {
  const stop = start('/');
  await shown(byText('h1', 'Feed'), 'the feed');
  expect(document.title).toBe('Feed · Kingdom Studios');
  expect(requests).toEqual(['/v1/feed']);
  press(await shown(byText('[role=tab]', 'Create'), 'the tab bar'));
  await shown(byText('h1', 'Kingdom Studios'), 'the way to sign in');
  press(await shown(byText('[role=button]', 'Sign in'), 'the button'));
  await shown(byText('h1', 'Sign in'), 'the form');
  expect(document.querySelector('[aria-label="Email"]')).not.toBeNull();
  press(await shown(back, 'the way back'));
  await shown(byText('[role=tab]', 'Create'), 'the tab bar');
  expect(back()).toBeUndefined();
  stop();
});

it('opens a screen by its address, and leads from there to the feed', async () => {
  const stop = start('/item/1');
  await shown(byText('h1', 'Story'), 'the item');
  press(await shown(back, 'the way back'));
  await shown(byText('[role=tab]', 'Feed'), 'the tab bar');
  stop();
});

it('has a page for an unknown address', async () => {
  const stop = start('/nowhere/at/all');
  await shown(byText('h1', 'Page not found'), 'the page');
  stop();
});
