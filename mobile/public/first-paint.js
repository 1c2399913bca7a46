/*
 * Display the feed while the app's own scripts load, on the address of the feed only.
 *
 * With a cached feed, its first rows are displayed at once. With neither a cached feed nor a session, the feed is
 * requested while the scripts load, and its rows are displayed when it arrives; the app uses the same response
 * (src/api/early.web.ts). The app removes the rows when its own are displayed (src/ui/first-paint.web.ts); until then
 * the links lead to their pages. Data becomes text and attributes of elements, never markup.
 * scripts/finish-web.mjs replaces SETTINGS (scripts/first-paint.js).
 */
(function () {
  const SETTINGS = /* %SETTINGS% */ null;
  const MAX_ROWS = 4;
  const PAINT_MS = 200;
  const state = { ended: false, request: null };
  globalThis.kingdomFirstPaint = state;

  const language = navigator.language.split('-')[0];
  const texts = SETTINGS.texts[language] ?? SETTINGS.texts.en;

  /** An object of localStorage; empty where it is absent or malformed, or the store is unavailable. */
  function stored(key) {
    try {
      const value = JSON.parse(localStorage.getItem(key));
      return typeof value === 'object' && value !== null ? value : {};
    } catch {
      return {};
    }
  }

  function isItem(item) {
    return (
      typeof item?.id === 'string' &&
      typeof item.text === 'string' &&
      typeof item.author?.name === 'string' &&
      typeof item.image === 'string' &&
      /^\/[^/]/.test(item.image)
    );
  }

  /** Items of a response of the feed; null where it is not one. */
  function itemsOf(data) {
    return Array.isArray(data?.items) && data.items.every(isItem) ? data.items.slice(0, MAX_ROWS) : null;
  }

  function cachedItems(account) {
    const key = `${account ?? 'public'}:["feed",null]`;
    const row = stored(`kingdom/cache/${key}`);
    return row.v === SETTINGS.version && row.k === key ? itemsOf(row.data) : null;
  }

  function element(name, attributes, children = []) {
    const created = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) created.setAttribute(key, value);
    created.append(...children);
    return created;
  }

  function icon(name) {
    const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
    const path = document.createElementNS('http://www.w3.org/2000/svg', 'path');
    for (const [key, value] of Object.entries({ width: 24, height: 24, viewBox: '0 0 24 24', 'aria-hidden': true }))
      svg.setAttribute(key, value);
    path.setAttribute('d', SETTINGS.icons[name]);
    svg.append(path);
    return svg;
  }

  function row(item, images, liked) {
    const label = texts.image.replace('{name}', item.author.name);
    // Images of a first start would delay the app's scripts: the app requests them.
    const image = images
      ? element('img', { class: 'image', alt: label, src: SETTINGS.api + item.image })
      : element('span', { class: 'image', role: 'img', 'aria-label': label });
    return element('div', { role: 'article', class: 'row' }, [
      element('a', { href: `${SETTINGS.base}/item/${encodeURIComponent(item.id)}` }, [
        image,
        element('span', { class: 'author' }, [texts.by.replace('{name}', item.author.name)]),
        element('span', { class: 'text' }, [item.text]),
      ]),
      element('span', { class: liked.includes(item.id) ? 'like liked' : 'like' }, [icon('heart')]),
    ]);
  }

  function tab([name, path]) {
    const current = name === 'feed';
    return element('a', { role: 'tab', 'aria-selected': current, href: SETTINGS.base + path }, [
      icon(name),
      element('span', {}, [texts.tabs[name]]),
    ]);
  }

  function display(items, images) {
    const root = document.getElementById('root');
    const { liked } = stored('kingdom/preferences');
    const rows = items.map((item) => row(item, images, Array.isArray(liked) ? liked : []));
    const notice = navigator.onLine ? [] : [element('div', { class: 'notice' }, [texts.offline])];
    const heading = element('h1', {}, [texts.tabs.feed]);
    document.documentElement.lang = language in SETTINGS.texts ? language : 'en';
    // The content behind is neither reachable nor read by screen readers: there is one feed, not two.
    root.inert = true;
    document.body.append(
      element('div', { id: 'first-paint' }, [
        element('div', { class: 'feed', role: 'main' }, [heading, ...notice, ...rows]),
        element('div', { class: 'tabs', role: 'tablist' }, SETTINGS.tabs.map(tab)),
      ]),
    );
  }

  function startApp() {
    for (const src of scripts) {
      const script = element('script', { src });
      script.async = false;
      document.head.append(script);
    }
  }

  /** Call `then` when what is displayed has been painted; a hidden page is not painted. */
  function afterPaint(then) {
    let called = false;
    const once = () => {
      if (!called) then();
      called = true;
    };
    if (document.hidden) return once();
    requestAnimationFrame(() => setTimeout(once));
    setTimeout(once, PAINT_MS);
  }

  function requestFeed() {
    const url = `${SETTINGS.api || location.origin}/v1/feed?limit=20`;
    // Without a timeout, the app would wait for a stalled connection until the page is closed.
    const aborter = new AbortController();
    setTimeout(() => aborter.abort(), SETTINGS.timeoutMs);
    const response = fetch(url, { signal: aborter.signal });
    state.request = { url, at: Date.now(), response };
    response
      .then((received) => (received.ok ? received.clone().json() : null))
      .then((data) => {
        const items = itemsOf(data);
        if (!state.ended && items !== null && items.length > 0) display(items, false);
      })
      // The app sends the request again.
      .catch(() => undefined);
  }

  const isFeed = location.pathname.replace(/\/$/, '') === SETTINGS.base;
  const scripts = isFeed ? SETTINGS.feedScripts : SETTINGS.scripts;
  if (!isFeed) return startApp();
  const { account } = stored('kingdom.session');
  const items = cachedItems(account);
  if (items !== null && items.length > 0) {
    display(items, true);
    afterPaint(startApp);
  } else {
    if (account === undefined && SETTINGS.early) requestFeed();
    startApp();
  }
})();
