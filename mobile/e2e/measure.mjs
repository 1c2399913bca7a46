/**
 * Measure the web build beside the plain version on the platform of `make up`, print docs/mobile.md's tables, and
 * write dist/figures.json. Exits with 1 where a budget of budgets.json is exceeded.
 *
 * VARIANTS=app or VARIANTS=plain measures one of the two, PARTS=times, journeys or renders (or several) one part; the
 * others are taken from dist/figures.json. RUNS is the number of runs behind each median.
 *
 * The builds are dist/web and dist/plain; the server of the local edge serves dist/web, so the two change places.
 */
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { JOURNEYS, STEPS, walk } from './journeys.mjs';
import {
  APP,
  fillFeed,
  idle,
  launch,
  measurements,
  missing,
  newAccount,
  open,
  record,
  reset,
  ROOT,
  slow,
} from './support.mjs';

const BUDGETS = JSON.parse(readFileSync(join(ROOT, 'budgets.json'), 'utf8'));
const RUNS = Number(process.env.RUNS ?? 3);
const DIST = join(ROOT, 'dist');

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
const interactive = async (page) => {
  await page.waitForFunction(() => typeof globalThis.kingdom?.interactive === 'number');
  return (await measurements(page)).interactive;
};

/**
 * Report when the first row of the feed has been painted (Element Timing), in the page. The attribute that Chromium
 * needs for it is set when the row appears, before it is painted.
 */
function watchRows() {
  globalThis.painted = null;
  new PerformanceObserver((list) => {
    globalThis.painted ??= list.getEntries()[0].renderTime;
  }).observe({ type: 'element', buffered: true });
  new MutationObserver((_changes, observer) => {
    const row = document.querySelector('[role=article]');
    if (row === null) return;
    for (const element of row.querySelectorAll('*')) {
      if (element.firstChild?.nodeType === Node.TEXT_NODE) element.setAttribute('elementtiming', 'row');
    }
    observer.disconnect();
  }).observe(document, { childList: true, subtree: true });
}

const painted = async (page) => {
  await page.waitForFunction(() => globalThis.painted !== null);
  return page.evaluate(() => globalThis.painted);
};

/**
 * Times from the start of the navigation in ms, with network and processor throttled: `rows` until the first row of the
 * feed is painted, `app` until the app itself displays the feed and reacts. Cold: nothing stored. Warm: a second visit.
 * Offline: a visit without a connection. Medians.
 */
async function times(browser, plain) {
  const visits = { cold: [], warm: [], offline: [] };
  const take = async (page, visit) => {
    const app = await interactive(page);
    visits[visit].push({ app, rows: await painted(page) });
  };
  for (let run = 0; run < RUNS; run++) {
    const page = await open(browser);
    await page.addInitScript(watchRows);
    await slow(page, BUDGETS.conditions);
    await page.goto(APP);
    await take(page, 'cold');
    if (!plain) {
      await page.waitForFunction(async () => (await navigator.serviceWorker.ready).active?.state === 'activated');
    }
    await idle(page);
    await page.reload();
    await take(page, 'warm');
    if (!plain) {
      await idle(page);
      await page.context().setOffline(true);
      await page.reload();
      await take(page, 'offline');
    }
    await page.context().close();
  }
  const of = (list, figure) => (list.length > 0 ? median(list.map((each) => each[figure])) : null);
  return Object.fromEntries(
    Object.entries(visits).map(([visit, list]) => [visit, { app: of(list, 'app'), rows: of(list, 'rows') }]),
  );
}

/** Requests, bytes and repeated requests of every journey, cold and warm. */
async function journeys(browser) {
  const result = {};
  for (const name of Object.keys(JOURNEYS)) {
    const account = await newAccount();
    const page = await open(browser);
    const log = await record(page);
    const state = { account, log };
    if (name !== 'browse') {
      await walk(page, 'create', state);
      await page.evaluate(() => {
        for (const key of Object.keys(localStorage)) if (key.startsWith('kingdom/cache')) localStorage.removeItem(key);
      });
    }
    const passes = {};
    for (const pass of ['cold', 'warm']) passes[pass] = await once(page, name, state);
    await page.context().close();
    result[name] = passes;
  }
  return result;
}

/** Run a journey once. */
async function once(page, name, state) {
  const urls = [];
  // Counters restart with each load of the page, so the last counts of all loads are added.
  const loads = new Map();
  let bytes = 0;
  for (const step of JOURNEYS[name].steps) {
    reset(state.log);
    await STEPS[name][step.name](page, state);
    bytes += state.log.bytes;
    urls.push(...state.log.urls);
    const { load, cache } = await page.evaluate(() => ({
      load: performance.timeOrigin,
      cache: globalThis.kingdom.cache,
    }));
    loads.set(load, cache);
  }
  const sum = (count) => [...loads.values()].reduce((total, cache) => total + cache[count], 0);
  return {
    requests: urls.length,
    bytes,
    repeated: urls.filter((url, i) => urls.indexOf(url) !== i).length,
    hits: sum('memoryHits'),
    misses: sum('memoryMisses'),
    notModified: sum('notModified'),
    fetched: sum('fetched'),
  };
}

/** Renders of rows for one like, and for an opened item and the way back. */
async function renders(browser) {
  const page = await open(browser);
  await page.goto(APP);
  await page.getByRole('article').first().waitFor();
  await idle(page);
  const rows = async () => Object.values((await measurements(page)).rows).reduce((a, b) => a + b, 0);
  const before = await rows();
  await page.getByRole('button', { name: 'Like', exact: true }).first().click();
  await page.getByRole('button', { name: 'Liked' }).first().waitFor();
  const like = (await rows()) - before;
  await page.getByRole('article').first().getByRole('link').click();
  await page.getByRole('heading', { name: /Story|Caption|Verse/ }).waitFor();
  const opened = await rows();
  await page.goBack();
  await page.getByRole('heading', { name: 'Feed' }).waitFor();
  await idle(page);
  const back = (await rows()) - opened;
  const { commits } = await measurements(page);
  await page.context().close();
  return { like, back, commits: commits.feed?.count ?? 0, commitMs: commits.feed?.ms ?? 0 };
}

const reason = await missing();
if (reason !== null) {
  console.log(`SKIPPED: ${reason}`);
  process.exit(0);
}
const FIGURES = join(DIST, 'figures.json');
const PARTS = { times, journeys, renders };
const parts = process.env.PARTS?.split(',') ?? Object.keys(PARTS);
const variants = (process.env.VARIANTS ?? 'app,plain')
  .split(',')
  .filter((each) => each === 'app' || existsSync(join(DIST, 'plain', 'index.html')));
if (!existsSync(join(DIST, 'plain', 'index.html')))
  console.log('no plain build (npm run build:plain): its column is empty');

const browser = await launch();
await fillFeed(8);
const figures =
  (process.env.VARIANTS || process.env.PARTS) && existsSync(FIGURES) ? JSON.parse(readFileSync(FIGURES, 'utf8')) : {};
const swap = () => {
  renameSync(join(DIST, 'web'), join(DIST, 'swap'));
  renameSync(join(DIST, 'plain'), join(DIST, 'web'));
  renameSync(join(DIST, 'swap'), join(DIST, 'plain'));
};
const isApp = (build) => readFileSync(join(DIST, build, 'index.html'), 'utf8').includes('/first-paint-');
if (variants.includes('plain')) {
  // A measurement that was ended by a signal leaves the two builds swapped.
  if (!isApp('web') && isApp('plain')) swap();
  if (isApp('plain')) throw new Error('dist/plain is not a plain build: run npm run build:plain');
}
if (!isApp('web')) throw new Error('dist/web is not a build of the app: run make mobile');
for (const variant of variants) {
  if (variant === 'plain') swap();
  try {
    figures[variant] ??= {};
    for (const part of parts) figures[variant][part] = await PARTS[part](browser, variant === 'plain');
    writeFileSync(FIGURES, `${JSON.stringify(figures, null, 2)}\n`);
  } finally {
    if (variant === 'plain') swap();
  }
}
await browser.close();

const { app } = figures;
if (!Object.keys(PARTS).every((part) => app?.[part])) process.exit(0);
const plain = Object.keys(PARTS).every((part) => figures.plain?.[part]) ? figures.plain : null;
const ratio = (a, b) => (b > 0 ? (a / b).toFixed(2) : '—');
const row = (what, a, b, unit, budget = '') =>
  `| ${what} | ${a === null ? '—' : `${Math.round(a)}${unit}`} | ${b === null ? '—' : `${Math.round(b)}${unit}`} | ${a !== null && b !== null ? ratio(a, b) : '—'} | ${budget} |`;
const lines = ['| figure | the app | plain version | ratio | budget |', '| --- | --- | --- | --- | --- |'];
const { coldMs, warmMs, offlineFeedMs } = BUDGETS.interactive;
const BUDGETED = [
  ['first row painted, cold', 'cold', 'rows', null],
  ['first row painted, warm', 'warm', 'rows', null],
  ['first row painted, offline', 'offline', 'rows', offlineFeedMs],
  ['app interactive, cold', 'cold', 'app', coldMs],
  ['app interactive, warm', 'warm', 'app', warmMs],
  ['app interactive, offline', 'offline', 'app', null],
];
for (const [what, visit, figure, budget] of BUDGETED) {
  const [a, b] = [app.times[visit][figure], plain?.times[visit][figure] ?? null];
  lines.push(row(what, a, b, ' ms', budget === null ? '' : `< ${budget} ms`));
}
for (const name of Object.keys(JOURNEYS)) {
  for (const pass of ['cold', 'warm']) {
    const [a, b] = [app.journeys[name][pass], plain?.journeys[name][pass] ?? null];
    lines.push(row(`${name}, ${pass}: requests of the API`, a.requests, b?.requests ?? null, ''));
    lines.push(row(`${name}, ${pass}: kB on the wire`, a.bytes / 1000, b === null ? null : b.bytes / 1000, ' kB'));
    const share = (part, rest) => (part + rest > 0 ? `${Math.round((100 * part) / (part + rest))} %` : '—');
    lines.push(`| ${name}, ${pass}: shown from the cache at once | ${share(a.hits, a.misses)} | — | — | |`);
    lines.push(`| ${name}, ${pass}: reads with response 304 | ${share(a.notModified, a.fetched)} | — | — | |`);
    lines.push(
      row(`${name}, ${pass}: requests repeated`, a.repeated, b?.repeated ?? null, '', `${BUDGETS.repeatedRequests}`),
    );
  }
}
lines.push(
  row('row renders for one like', app.renders.like, plain?.renders.like ?? null, '', `${BUDGETS.rendersPerChangedRow}`),
);
lines.push(row('row renders for the way back to the feed', app.renders.back, plain?.renders.back ?? null, ''));
console.log(lines.join('\n'));

const failures = [];
for (const [what, visit, figure, budget] of BUDGETED) {
  const value = app.times[visit][figure];
  if (budget !== null && value >= budget) failures.push(`${what}: ${Math.round(value)} ms`);
}
if (app.renders.like > BUDGETS.rendersPerChangedRow) failures.push(`renders for a like: ${app.renders.like}`);
for (const [name, passes] of Object.entries(app.journeys)) {
  for (const [pass, sum] of Object.entries(passes)) {
    if (sum.repeated > BUDGETS.repeatedRequests) failures.push(`${name}, ${pass}: ${sum.repeated} requests repeated`);
  }
}
for (const failure of failures) console.error(`budget exceeded: ${failure}`);
process.exit(failures.length > 0 ? 1 : 0);
