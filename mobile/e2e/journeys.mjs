/** The journeys of journeys.json, step by step, as a user does them. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { APP, idle, PASSWORD, record, reset, ROOT } from './support.mjs';

export const FILE = join(ROOT, 'journeys.json');
export const JOURNEYS = JSON.parse(readFileSync(FILE, 'utf8'));

/** Steps by journey and name. `state` has the account and the log of the page. */
export const STEPS = {
  browse: {
    open: async (page) => {
      await page.goto(APP);
      await page.getByRole('article').first().waitFor();
      await idle(page);
    },
    item: async (page) => {
      await page.getByRole('article').first().getByRole('link').click();
      await page.getByRole('heading', { name: /Story|Caption|Verse/ }).waitFor();
      await idle(page);
    },
    return: async (page) => {
      await page.goBack();
      await page.getByRole('heading', { name: 'Feed' }).waitFor();
      await idle(page);
    },
  },
  create: {
    'sign in': async (page, state) => {
      await page.goto(`${APP}sign-in`);
      await page.getByLabel('Email').fill(state.account.email);
      await page.getByLabel('Password').fill(PASSWORD);
      await page.getByRole('button', { name: 'Sign in', exact: true }).click();
      await page.getByRole('article').first().waitFor();
      await idle(page);
    },
    create: async (page) => {
      await page.getByRole('tab', { name: 'Create' }).click();
      await page.getByLabel('What should it be about?').fill('a fox in the snow');
      await page.getByRole('button', { name: 'Generate' }).click();
      await page.getByRole('button', { name: 'Publish' }).waitFor();
      await idle(page);
    },
    publish: async (page) => {
      const sent = page.waitForResponse((response) => response.url().endsWith('/publication'));
      await page.getByRole('button', { name: 'Publish' }).click();
      await sent;
      await page.getByRole('button', { name: 'Withdraw' }).waitFor();
      await idle(page);
    },
  },
  library: {
    library: async (page) => {
      await page.goto(`${APP}library`);
      await page.getByRole('article').first().waitFor();
      await idle(page);
    },
    piece: async (page) => {
      await page.getByRole('article').first().getByRole('link').click();
      await page.getByRole('button', { name: /Publish|Withdraw/ }).waitFor();
      await idle(page);
    },
  },
  account: {
    account: async (page) => {
      await page.goto(`${APP}account`);
      await page.getByRole('button', { name: 'Credits and orders' }).waitFor();
      await idle(page);
    },
    orders: async (page) => {
      await page.getByRole('button', { name: 'Credits and orders' }).click();
      await page.getByRole('heading', { name: 'Plans' }).waitFor();
      await idle(page);
    },
  },
};

/** Run one journey. Returns each step's operations in order, and the addresses requested more than once. */
export async function walk(page, name, state) {
  state.log ??= await record(page);
  const urls = [];
  const steps = [];
  for (const step of JOURNEYS[name].steps) {
    reset(state.log);
    await STEPS[name][step.name](page, state);
    urls.push(...state.log.urls);
    steps.push({ name: step.name, requests: [...state.log.requests] });
  }
  return { steps, repeated: urls.filter((url, i) => urls.indexOf(url) !== i) };
}

/** Each operation once, in order: how many images are visible depends on the screen. */
export function collapse(requests) {
  return [...new Set(requests)];
}

/** Write what was recorded; think times and weights are unchanged. */
export function save(recorded) {
  for (const [name, { steps }] of Object.entries(recorded)) {
    for (const step of steps) {
      JOURNEYS[name].steps.find((each) => each.name === step.name).requests = collapse(step.requests);
    }
  }
  writeFileSync(FILE, `${JSON.stringify(JOURNEYS, null, 2)}\n`);
}
