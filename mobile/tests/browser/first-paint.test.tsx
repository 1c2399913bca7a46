/** public/first-paint.js in jsdom: what it displays before the app, what it requests, and how the app takes over. */
import { TIMEOUT_MS } from '@/api/transport';
import { endFirstPaint } from '@/ui/first-paint.web';

const { script } = jest.requireActual<{
  script: (scripts: string[], chunks: string[], environment: Record<string, string>) => string;
}>('../../scripts/first-paint');

const SCRIPTS = ['/app/runtime.js', '/app/entry.js'];
const CHUNKS = ['/app/index.js'];
const item = (id: string, text = `Text ${id}`) => ({
  id,
  text,
  author: { id: 'a', name: 'Grace' },
  image: `/v1/media/${id}/card.webp`,
  form: 'story',
  published_at: '2026-01-01T00:00:00Z',
});
const feed = (...items: unknown[]) => ({ items, next: null });

let requests: string[] = [];
let respond: () => Promise<Response> = async () => new Response(null, { status: 503 });

/** Run the script as a new page at `path` does. */
function run(path = '/app/', environment: Record<string, string> = {}): void {
  document.head.innerHTML = '';
  document.body.innerHTML = '<div id="root"></div>';
  window.history.replaceState(null, '', path);
  new Function(script(SCRIPTS, CHUNKS, environment))();
}

function cache(data: unknown, account = 'public', changes: object = {}): void {
  const key = `${account}:["feed",null]`;
  localStorage.setItem(`kingdom/cache/${key}`, JSON.stringify({ v: 1, k: key, data, etag: null, at: 0, ...changes }));
}

const root = () => document.getElementById('root') as HTMLElement;
const rows = () => [...document.querySelectorAll('#first-paint [role=article]')];
const started = () => [...document.head.querySelectorAll('script')].map((each) => each.getAttribute('src'));
const FEED_SCRIPTS = ['/app/runtime.js', '/app/index.js', '/app/entry.js'];

async function until(condition: () => boolean): Promise<void> {
  for (let attempt = 0; attempt < 200 && !condition(); attempt++) await new Promise((next) => setTimeout(next, 10));
  expect(condition()).toBe(true);
}

beforeEach(() => {
  localStorage.clear();
  requests = [];
  respond = async () => new Response(null, { status: 503 });
  globalThis.fetch = async (input) => {
    requests.push(String(input));
    return respond();
  };
});

describe('with a cached feed', () => {
  it('displays its first rows at once, then starts the app', async () => {
    cache(feed(item('1'), item('2'), item('3'), item('4'), item('5')));
    run();
    expect(rows().map((row) => row.querySelector('.text')?.textContent)).toEqual([
      'Text 1',
      'Text 2',
      'Text 3',
      'Text 4',
    ]);
    expect(rows()[0]?.querySelector('.author')?.textContent).toBe('by Grace');
    expect(rows()[0]?.querySelector('a')?.getAttribute('href')).toBe('/app/item/1');
    expect(rows()[0]?.querySelector('img')?.getAttribute('src')).toBe('/v1/media/1/card.webp');
    expect(started()).toEqual([]);
    await until(() => started().length > 0);
    expect(started()).toEqual(FEED_SCRIPTS);
    expect(requests).toEqual([]);
  });

  it('keeps text as text', () => {
    cache(feed({ ...item('1"><b>', '<img src=x onerror=alert(1)>'), author: { name: '<i>Grace</i>' } }));
    run();
    expect(rows()[0]?.querySelector('.text')?.textContent).toBe('<img src=x onerror=alert(1)>');
    expect(rows()[0]?.querySelector('.author')?.textContent).toBe('by <i>Grace</i>');
    expect(rows()[0]?.querySelectorAll('img')).toHaveLength(1);
    expect(rows()[0]?.querySelector('b, i')).toBeNull();
  });

  it('hides what is behind from assistive technology', () => {
    cache(feed(item('1')));
    run();
    expect(root().inert).toBe(true);
  });

  it('displays the rows of the account that is signed in only', () => {
    cache(feed(item('1')), 'ada');
    run();
    expect(rows()).toEqual([]);
    localStorage.setItem('kingdom.session', JSON.stringify({ account: 'ada' }));
    run();
    expect(rows()).toHaveLength(1);
  });

  it('marks liked items', () => {
    cache(feed(item('1'), item('2')));
    localStorage.setItem('kingdom/preferences', JSON.stringify({ liked: ['2'] }));
    run();
    expect(rows().map((row) => row.querySelector('.liked') !== null)).toEqual([false, true]);
  });

  it.each<[string, () => void]>([
    ['another schema version', () => cache(feed(item('1')), 'public', { v: 0 })],
    ['another key', () => cache(feed(item('1')), 'public', { k: 'public:["other"]' })],
    ['no list', () => cache({ items: 'none' })],
    ['a malformed item', () => cache(feed(item('1'), { id: 2 }))],
    ['an image of another origin', () => cache(feed({ ...item('1'), image: '//example.com/x.webp' }))],
    ['no JSON', () => localStorage.setItem('kingdom/cache/public:["feed",null]', '{')],
  ])('does not display a row with %s, and starts the app', (_what, prepare) => {
    prepare();
    run();
    expect(rows()).toEqual([]);
    expect(started()).toEqual(FEED_SCRIPTS);
  });

  it('leaves other addresses to the app', () => {
    cache(feed(item('1')));
    run('/app/create');
    expect(rows()).toEqual([]);
    expect(requests).toEqual([]);
    expect(started()).toEqual(SCRIPTS);
  });
});

describe('without a cached feed', () => {
  const received = () => Promise.resolve(new Response(JSON.stringify(feed(item('1')))));

  it('requests the feed while the app loads, and displays its rows without images', async () => {
    respond = received;
    run();
    expect(started()).toEqual(FEED_SCRIPTS);
    expect(requests).toEqual(['http://localhost/v1/feed?limit=20']);
    await until(() => rows().length > 0);
    expect(rows()[0]?.querySelector('.text')?.textContent).toBe('Text 1');
    expect(document.querySelector('#first-paint img')).toBeNull();
    // The app reads the same response.
    const response = await globalThis.kingdomFirstPaint?.request?.response;
    expect(await response?.json()).toEqual(feed(item('1')));
  });

  it('displays nothing when the app has taken over', async () => {
    let arrive: (response: Response) => void = () => undefined;
    respond = () => new Promise((resolve) => (arrive = resolve));
    run();
    endFirstPaint();
    arrive(await received());
    await (await globalThis.kingdomFirstPaint?.request?.response)?.clone().json();
    await new Promise((next) => setTimeout(next));
    expect(rows()).toEqual([]);
  });

  it('displays nothing when the request fails', async () => {
    respond = () => Promise.reject(new TypeError('offline'));
    run();
    await expect(globalThis.kingdomFirstPaint?.request?.response).rejects.toThrow('offline');
    expect(rows()).toEqual([]);
    expect(started()).toEqual(FEED_SCRIPTS);
  });

  it('ends a request without a response after the timeout of the app', async () => {
    jest.useFakeTimers();
    try {
      globalThis.fetch = (_input, init) =>
        new Promise((_resolve, reject) => {
          init?.signal?.addEventListener('abort', () => reject(new Error('aborted')));
        });
      run();
      const ended = jest.fn();
      globalThis.kingdomFirstPaint?.request?.response.catch(ended);
      await jest.advanceTimersByTimeAsync(TIMEOUT_MS - 1);
      expect(ended).not.toHaveBeenCalled();
      await jest.advanceTimersByTimeAsync(1);
      expect(ended).toHaveBeenCalled();
      expect(rows()).toEqual([]);
    } finally {
      jest.useRealTimers();
    }
  });

  it('requests nothing with a session, or when requests need App Check', () => {
    run('/app/', { EXPO_PUBLIC_FIREBASE_APP: '1:2:web:3' });
    localStorage.setItem('kingdom.session', JSON.stringify({ account: 'ada' }));
    run();
    expect(requests).toEqual([]);
  });
});

describe('when the app has rendered', () => {
  it('removes the rows and moves the focus to the same link', async () => {
    cache(feed(item('1'), item('2')));
    run();
    root().innerHTML = '<a href="/app/item/1">1</a><a href="/app/item/2">2</a>';
    rows()[1]?.querySelector('a')?.focus();
    endFirstPaint();
    await until(() => document.getElementById('first-paint') === null);
    expect(root().inert).toBe(false);
    expect(document.activeElement).toBe(root().querySelectorAll('a')[1]);
  });

  it('has nothing to do where nothing was displayed', () => {
    run('/app/create');
    expect(endFirstPaint).not.toThrow();
    expect(globalThis.kingdomFirstPaint?.ended).toBe(true);
  });
});
