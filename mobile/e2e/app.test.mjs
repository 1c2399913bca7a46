/** Every screen, offline and back, token expiry, two tabs, a slow network, errors of the API; in Chromium. */
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { collapse, JOURNEYS, save, STEPS, walk } from './journeys.mjs';
import { png } from './png.mjs';
import {
  APP,
  axe,
  call,
  fillFeed,
  idle,
  launch,
  missing,
  newAccount,
  open,
  operation,
  record,
  ROOT,
  signIn,
  slow,
  taken,
  until,
} from './support.mjs';

const reason = await missing();
const PICTURES = join(ROOT, '..', 'docs', 'mobile');
if (reason !== null) console.log(`SKIPPED: ${reason}`);

let browser;
let account;

const shot = (page, name) => page.screenshot({ path: join(PICTURES, `${name}.png`) });
const tab = (page, name) => page.getByRole('tab', { name }).click();
const session = (page) => page.evaluate(() => JSON.parse(localStorage.getItem('kingdom.session')));

/** Hold the requests of `pattern` back until the returned function is called. */
async function hold(page, pattern) {
  let release;
  const released = new Promise((resolve) => (release = resolve));
  await page.route(pattern, async (route) => {
    await released;
    await route.continue();
  });
  return release;
}

/** Positions, sizes and styles of what the feed displays within an element. */
function look(page, within) {
  return page.evaluate((selector) => {
    const all = (name) => [...document.querySelectorAll(`${selector} ${name}`)];
    // The element of a text: the parent of its text node.
    const owner = (text) => {
      const walker = document.createTreeWalker(document.querySelector(selector), NodeFilter.SHOW_TEXT);
      while (walker.nextNode()) if (walker.currentNode.data === text) return walker.currentNode.parentElement;
      return null;
    };
    const styled = (element) => {
      const { x, y, width, height } = element.getBoundingClientRect();
      const { color, fontSize, fontWeight, lineHeight } = getComputedStyle(element);
      const box = Object.fromEntries(
        Object.entries({ x, y, width, height }).map(([key, size]) => [key, Math.round(size)]),
      );
      return { ...box, color, fontSize, fontWeight, lineHeight };
    };
    const box = (element) => {
      const { x, y, width, height } = element.getBoundingClientRect();
      return [x, y, width, height].map(Math.round);
    };
    const rows = all('[role=article]').slice(0, 2);
    const texts = rows.flatMap((row) => row.innerText.split('\n').filter((line) => line !== ''));
    return {
      heading: styled(all('h1')[0]),
      rows: rows.map((row) => [box(row), getComputedStyle(row).backgroundColor]),
      images: rows.map((row) => [row.querySelector('img').src, box(row.querySelector('img'))]),
      links: rows.map((row) => row.querySelector('a').getAttribute('href')),
      texts: texts.map((text) => [text, styled(owner(text))]),
      hearts: rows.map((row) => [box(row.querySelector('svg')), getComputedStyle(row.querySelector('path')).fill]),
      tabs: all('[role=tab]').map((tab) => [tab.getAttribute('href'), box(tab), box(tab.querySelector('svg'))]),
    };
  }, within);
}

describe('the app in Chromium', { skip: reason ?? false, concurrency: false, timeout: 540_000 }, () => {
  before(async () => {
    browser = await launch();
    await fillFeed(8);
    account = await newAccount();
    mkdirSync(PICTURES, { recursive: true });
  });
  after(async () => browser.close());

  test('sign up, create with live progress, publish, and find it in the feed', async () => {
    const page = await open(browser);
    await page.goto(`${APP}sign-up`);
    await page.getByLabel('Name').fill('Grace');
    await page.getByLabel('Email').fill(`grace-${Date.now()}@example.com`);
    await page.getByLabel('Password').fill('correct horse battery');
    await shot(page, 'sign-up');
    await page.getByRole('button', { name: 'Create account' }).click();
    await page.getByRole('article').first().waitFor();
    const streams = [];
    page.on('request', (sent) => streams.push(operation(sent.method(), sent.url())));
    await tab(page, 'Create');
    await page.getByLabel('What should it be about?').fill('two old friends');
    await page.getByRole('radio', { name: 'Verse' }).press('Space');
    await page.getByRole('radio', { name: 'Verse', checked: true }).waitFor();
    await page.getByRole('radio', { name: 'Story' }).press('Enter');
    await page.getByRole('radio', { name: 'Story', checked: true }).waitFor();
    await shot(page, 'create');
    await page.getByRole('button', { name: 'Generate' }).click();
    await page.getByRole('button', { name: 'Publish' }).waitFor();
    assert.ok(streams.includes('GET /v1/contents/{content_id}/events'), 'progress came over server-sent events');
    await idle(page);
    await shot(page, 'content');
    await page.getByRole('button', { name: 'Publish' }).click();
    await page.getByRole('button', { name: 'Withdraw' }).waitFor();
    await idle(page);
    const first = page.getByRole('article').first();
    // The feed is cached for all accounts, so a new item appears after the invalidation has arrived.
    await until(async () => {
      await page.goto(APP);
      await first.waitFor();
      await idle(page);
      return first.getByText('by Grace').isVisible();
    }, 'the feed begins with the new piece');
    await shot(page, 'feed');
    await page.getByRole('article').first().getByRole('link').click();
    await page.getByRole('heading', { name: 'Story' }).waitFor();
    await idle(page);
    await shot(page, 'item');
    await page.goto(`${APP}library`);
    await page.getByText('Published').waitFor();
    await shot(page, 'library');
    await page.getByRole('article').first().getByRole('link').click();
    await page.getByRole('button', { name: 'Withdraw' }).click();
    await page.getByRole('button', { name: 'Publish' }).waitFor();
    await page.context().close();
  });

  test('profile, devices, plans; an order without credits is refused in words', async () => {
    const page = await open(browser);
    await signIn(page, account);
    await tab(page, 'Account');
    await page.getByLabel('Name').fill('Ada L.');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByRole('heading', { name: 'Ada L.' }).waitFor();
    await shot(page, 'account');
    const stored = async () => (await call('GET', '/v1/accounts/me', { token: account.token })).json.name === 'Ada L.';
    await until(stored, 'the service has the new name');
    await page.getByRole('button', { name: 'Credits and orders' }).click();
    await page.getByRole('button', { name: /Buy/ }).first().click();
    await page.getByText('Your credits do not cover it.').waitFor();
    await shot(page, 'orders');
    await page.goto(`${APP}devices`);
    await page.getByText('This device').waitFor();
    await shot(page, 'devices');
    await page.context().close();
  });

  test('an image is reduced before the upload, and a variant of the right width is shown', async () => {
    const page = await open(browser);
    await signIn(page, account);
    await page.goto(`${APP}uploads`);
    let sent = null;
    page.on('request', (request) => {
      if (operation(request.method(), request.url()) === 'POST /v1/uploads') sent = request;
    });
    const chooser = page.waitForEvent('filechooser');
    await page.getByRole('button', { name: 'Upload an image' }).click();
    await (await chooser).setFiles({ name: 'photo.png', mimeType: 'image/png', buffer: png(3200, 1600) });
    await page.getByText('Ready · 2560 × 1280').waitFor();
    assert.equal(await sent.headerValue('content-type'), 'image/webp');
    await page.getByText(/Reduced from .* before the upload/).waitFor();
    await idle(page);
    const shown = await page.locator('img').first().getAttribute('src');
    assert.match(shown, /\/(320|1280)\.(avif|webp)\?/);
    await shot(page, 'uploads');
    await page.context().close();
  });

  test('without a connection the app starts and shows the feed; a write waits and is sent once', async () => {
    const page = await open(browser);
    await signIn(page, account);
    await page.waitForFunction(async () => (await navigator.serviceWorker.ready).active?.state === 'activated');
    await page.reload();
    await page.getByRole('article').first().waitFor();
    await idle(page);
    await page.context().setOffline(true);
    await page.reload();
    await page.getByRole('article').first().waitFor();
    await page.getByText('No connection.').first().waitFor();
    await shot(page, 'offline');
    await tab(page, 'Create');
    const prompt = `offline ${Date.now()}`;
    await page.getByLabel('What should it be about?').fill(prompt);
    await page.getByRole('button', { name: 'Generate' }).click();
    await page.getByText('Waiting for a connection.').waitFor();
    await tab(page, 'My content');
    await page.getByText('Waiting to be sent').waitFor();
    await shot(page, 'outbox');
    // A restart in between must not lose the write.
    await page.reload();
    await page.getByText('Waiting to be sent').waitFor();
    await page.context().setOffline(false);
    const { token } = await session(page);
    const mine = async () =>
      (await call('GET', '/v1/contents', { token })).json.items.filter((item) => item.prompt === prompt);
    await until(async () => (await mine()).length > 0, 'the write has arrived');
    await page.getByText('Waiting to be sent').waitFor({ state: 'detached' });
    assert.equal((await mine()).length, 1);
    await page.context().close();
  });

  test('an expired token is refreshed once, in two tabs together, and a rejected one too', async () => {
    const page = await open(browser);
    await signIn(page, account);
    const refreshes = [];
    page.context().on('request', (sent) => {
      if (sent.url().endsWith('/v1/sessions/refresh')) refreshes.push(sent);
    });
    const change = (changes) =>
      page.evaluate((changed) => {
        const stored = JSON.parse(localStorage.getItem('kingdom.session'));
        localStorage.setItem('kingdom.session', JSON.stringify({ ...stored, ...changed }));
      }, changes);
    await change({ expiresAt: 0 });
    const second = await page.context().newPage();
    await Promise.all([page.goto(`${APP}account`), second.goto(`${APP}library`)]);
    await page.getByRole('button', { name: 'Credits and orders' }).waitFor();
    await second.getByRole('heading', { name: 'My content' }).waitFor();
    assert.equal(refreshes.length, 1);
    await change({ token: 'rejected' });
    await page.goto(`${APP}devices`);
    await page.getByText('This device').waitFor();
    await until(() => refreshes.length === 2, 'the rejected token is refreshed');
    await page.goto(`${APP}account`);
    await page.getByRole('button', { name: 'Sign out', exact: true }).click();
    await page.getByRole('button', { name: 'Sign in' }).waitFor();
    await second.getByRole('button', { name: 'Sign in' }).waitFor();
    assert.equal(await page.evaluate(() => localStorage.getItem('kingdom.session')), null);
    await page.context().close();
  });

  test('sign out on all devices ends the other session', async () => {
    const own = await newAccount();
    const [phone, laptop] = [await open(browser), await open(browser)];
    await signIn(phone, own);
    await signIn(laptop, own);
    await tab(laptop, 'Account');
    await laptop.getByRole('button', { name: 'Sign out on all devices' }).click();
    await laptop.getByRole('button', { name: 'Sign in' }).waitFor();
    const { token } = await session(phone);
    await until(async () => (await call('GET', '/v1/accounts/me', { token })).status === 401, 'the session has ended');
    await phone.goto(`${APP}account`);
    await phone.getByRole('button', { name: 'Sign in' }).waitFor();
    await phone.context().close();
    await laptop.context().close();
  });

  test('errors of the API: retried when they pass, else shown in words with a way to try again', async () => {
    const problem = (status, slug, headers = {}) => ({
      status,
      headers: { 'content-type': 'application/problem+json', ...headers },
      body: JSON.stringify({ type: `x#${slug}`, title: slug, status, detail: '', request_id: 'r-42', errors: [] }),
    });
    const page = await open(browser, { serviceWorkers: 'block' });
    let count = 0;
    // The first page only: the list fetches the next one near its end.
    await page.route(/\/v1\/feed\?limit=20$/, (route) => {
      count += 1;
      return count === 1 ? route.fulfill(problem(503, 'unavailable', { 'retry-after': '1' })) : route.continue();
    });
    await page.goto(APP);
    await page.getByRole('article').first().waitFor();
    assert.equal(count, 2);
    await page.context().close();
    const other = await open(browser, { serviceWorkers: 'block' });
    let broken = true;
    await other.route('**/v1/feed?*', (route) => (broken ? route.fulfill(problem(500, 'internal')) : route.continue()));
    await other.goto(APP);
    await other.getByText('Something went wrong on our side.').waitFor();
    await other.getByText('Reference r-42').waitFor();
    await shot(other, 'error');
    broken = false;
    await other.getByRole('button', { name: 'Try again' }).click();
    await other.getByRole('article').first().waitFor();
    await other.context().close();
  });

  test('an unknown address, and a screen opened by its address, lead to the feed', async () => {
    const page = await open(browser);
    await page.goto(`${APP}nowhere/at/all`);
    await page.getByText('There is nothing at this address.').waitFor();
    await page.getByRole('button', { name: 'Feed' }).click();
    await page.getByRole('article').first().waitFor();
    assert.equal(await page.title(), 'Feed · Kingdom Studios');
    await page.goto(`${APP}sign-in`);
    await page.getByRole('button', { name: 'Back' }).click();
    await page.getByRole('article').first().waitFor();
    await page.context().close();
  });

  test('every screen meets WCAG 2.1 AA by axe, in both schemes, and fits 320 px', async () => {
    const violations = [];
    for (const colorScheme of ['light', 'dark']) {
      const page = await open(browser, { colorScheme, viewport: { width: 320, height: 640 } });
      const check = async (name) => {
        violations.push(...(await axe(page)).map((each) => `${name}, ${colorScheme}: ${each}`));
        const width = await page.evaluate(() => document.documentElement.scrollWidth);
        if (width > 320) violations.push(`${name}: ${width} px wide at 320 px`);
      };
      const heading = (name) => page.getByRole('heading', { name, level: 1, exact: true }).waitFor();
      await page.goto(`${APP}sign-up`);
      await heading('Create account');
      await check('sign up');
      await page.goto(`${APP}sign-in`);
      await heading('Sign in');
      await check('sign in');
      await signIn(page, account);
      await idle(page);
      await check('feed');
      await page.getByRole('article').first().getByRole('link').click();
      await page.getByRole('heading', { name: /Story|Caption|Verse/ }).waitFor();
      await check('item');
      for (const [path, title] of Object.entries({
        create: 'Create',
        library: 'My content',
        uploads: 'Images',
        orders: 'Credits and orders',
        devices: 'Signed-in devices',
      })) {
        await page.goto(APP + path);
        await heading(title);
        await idle(page);
        await check(path);
      }
      await page.goto(`${APP}account`);
      await page.getByRole('button', { name: 'Credits and orders' }).waitFor();
      await check('account');
      await page.context().close();
    }
    assert.deepEqual(violations, []);
  });

  test('a wrong password is reported in words', async () => {
    const page = await open(browser);
    await page.goto(`${APP}sign-in`);
    await page.getByLabel('Email').fill(account.email);
    await page.getByLabel('Password').fill('not the password');
    await page.getByRole('button', { name: 'Sign in', exact: true }).click();
    await page.getByText('The email or the password is wrong.').waitFor();
    await shot(page, 'sign-in');
    await page.context().close();
  });

  test('on a slow network the rows of the feed come before the app, and are requested once', async () => {
    const page = await open(browser);
    await slow(page, { cpuSlowdown: 4, bitsPerSecond: 400_000, latencyMs: 400 });
    const log = await record(page);
    await page.goto(APP, { waitUntil: 'commit' });
    await page.getByRole('article').first().waitFor();
    assert.equal(await page.evaluate(() => typeof globalThis.kingdom), 'undefined', 'the app has not started');
    await taken(page);
    await page.getByRole('article').first().waitFor();
    assert.equal(log.requests.filter((each) => each === 'GET /v1/feed').length, 1);
    await page.context().close();
  });

  test('a slow feed is preceded by the loading state', async () => {
    const page = await open(browser, { serviceWorkers: 'block' });
    const release = await hold(page, '**/v1/feed?*');
    await page.goto(APP);
    await page.getByLabel('Loading').waitFor();
    release();
    await page.getByRole('article').first().waitFor();
    await page.context().close();
  });

  test('cached rows are displayed before the app, where the app displays them, and handed over', async () => {
    for (const colorScheme of ['light', 'dark']) {
      const page = await open(browser, { colorScheme, serviceWorkers: 'block' });
      await page.goto(APP);
      await page.getByRole('article').nth(1).waitFor();
      await idle(page);
      await page.getByRole('button', { name: 'Like', exact: true }).first().click();
      const own = await look(page, '#root');
      const release = await hold(page, '**/entry-*.js');
      await page.reload({ waitUntil: 'commit' });
      await page.locator('#first-paint [role=article]').nth(1).waitFor();
      assert.equal(await page.evaluate(() => typeof globalThis.kingdom), 'undefined', 'the app has not started');
      assert.equal(await page.getByRole('heading', { name: 'Feed' }).count(), 1);
      await page.waitForFunction(() => [...document.images].every((image) => image.complete));
      assert.deepEqual(await look(page, '#first-paint'), own);
      assert.deepEqual(await axe(page), []);
      await page.locator('#first-paint .feed').evaluate((feed) => (feed.scrollTop = 120));
      await page.locator('#first-paint [role=article] a').nth(1).focus();
      const focused = () => page.evaluate(() => document.activeElement.getAttribute('href'));
      const href = await focused();
      release();
      await idle(page);
      assert.equal(await focused(), href);
      const heading = page.getByRole('heading', { name: 'Feed' });
      assert.equal(await heading.count(), 1);
      assert.ok(own.heading.y - (await heading.boundingBox()).y > 100, 'the position in the list is the same');
      await page.context().close();
    }
  });

  test('without scripts of the app, a cached row leads to its page', async () => {
    const page = await open(browser, { serviceWorkers: 'block' });
    await page.goto(APP);
    await idle(page);
    await page.route('**/entry-*.js', (route) => route.abort());
    await page.reload();
    await page.locator('#first-paint [role=article] a').first().click();
    await page.waitForURL(/\/app\/item\//);
    await page.unroute('**/entry-*.js');
    await page.reload();
    await page.getByRole('heading', { name: /Story|Caption|Verse/ }).waitFor();
    await page.context().close();
  });

  test('nothing of an account is displayed before the app after a sign-out', async () => {
    const page = await open(browser, { serviceWorkers: 'block' });
    // The feed is the same for every account, so the rows of this one are marked.
    const own = 'Received by the account';
    await page.route('**/v1/feed?*', async (route) => {
      const response = await route.fetch();
      if (response.status() !== 200 || !route.request().headers().authorization) return route.fulfill({ response });
      const { items, ...rest } = await response.json();
      return route.fulfill({ response, json: { ...rest, items: items.map((item) => ({ ...item, text: own })) } });
    });
    const openBeforeApp = async () => {
      const release = await hold(page, '**/entry-*.js');
      await page.goto(APP, { waitUntil: 'commit' });
      await page.locator('#first-paint [role=article]').first().waitFor();
      const texts = await page.locator('#first-paint [role=article] .text').allInnerTexts();
      release();
      await idle(page);
      return texts;
    };
    await signIn(page, await newAccount());
    await idle(page);
    assert.ok((await openBeforeApp()).includes(own), 'displayed while the account is signed in');
    const cached = () =>
      page.evaluate(() => Object.keys(localStorage).filter((key) => key.startsWith('kingdom/cache/')));
    assert.ok((await cached()).some((key) => !key.includes('public')));
    await page.goto(`${APP}account`);
    await page.getByRole('button', { name: 'Sign out', exact: true }).click();
    await page.getByRole('button', { name: 'Sign in' }).waitFor();
    await until(async () => (await cached()).every((key) => key.startsWith('kingdom/cache/public')), 'no row is left');
    assert.ok(!(await openBeforeApp()).includes(own), 'not displayed after the sign-out');
    await page.context().close();
  });

  test('the dark scheme follows the system', async () => {
    const page = await open(browser, { colorScheme: 'dark' });
    await page.goto(APP);
    await page.getByRole('article').first().waitFor();
    await idle(page);
    await shot(page, 'dark');
    const heading = page.getByRole('heading', { name: 'Feed' });
    assert.equal(await heading.evaluate((node) => getComputedStyle(node).color), 'rgb(242, 238, 232)');
    await page.context().close();
  });

  test('the journeys send the requests of journeys.json, and none twice', async () => {
    const recorded = {};
    const own = await newAccount();
    const page = await open(browser);
    const state = { account: own };
    for (const name of Object.keys(JOURNEYS)) {
      assert.deepEqual(
        Object.keys(STEPS[name]),
        JOURNEYS[name].steps.map((step) => step.name),
      );
      recorded[name] = await walk(page, name, state);
    }
    await page.context().close();
    if (process.env.RECORD) save(recorded);
    for (const [name, { steps, repeated }] of Object.entries(recorded)) {
      assert.deepEqual(repeated, [], `${name}: requested twice`);
      for (const [i, step] of steps.entries()) {
        // Requests sent together arrive in any order.
        const stored = [...JOURNEYS[name].steps[i].requests].sort();
        assert.deepEqual(collapse(step.requests).sort(), stored, `${name}: ${step.name}`);
      }
    }
  });
});
