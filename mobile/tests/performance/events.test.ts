import { waitFor } from '@testing-library/react-native';

import { endSession, startSession } from '@/api/session';
import { clearOutbox } from '@/offline/outbox';
import { BATCH, flush, record, setSampled } from '@/performance/events';
import { setConsent } from '@/preferences';
import { json, Service, signedIn } from '../support';

let service: Service;

beforeEach(async () => {
  service = new Service();
  service.on('POST /v1/events', () => json({ accepted: 1, known: 0 }, 202));
  setSampled(true);
  setConsent(true);
  await startSession(signedIn('t', 'r'));
});
afterEach(async () => {
  setSampled(false);
  await clearOutbox();
  await endSession();
});

const events = () => service.requests.flatMap((sent) => (sent.body as { events: Record<string, unknown>[] }).events);

test('events are sent in batches', async () => {
  for (let i = 0; i < BATCH; i++) record('screen.viewed', { screen: 'feed', seconds: 1 });
  await waitFor(() => expect(events()).toHaveLength(BATCH));
  expect(service.requests).toHaveLength(1);
});

test('without consent nothing is sent', async () => {
  setConsent(false);
  record('app.opened');
  await flush();
  expect(service.requests).toEqual([]);
});

test('a start that is not sampled records nothing', async () => {
  setSampled(false);
  record('app.opened');
  await flush();
  expect(service.requests).toEqual([]);
});

test('an event carries a name, a time, a screen and a duration, and nothing else', async () => {
  record('screen.rendered', { screen: 'feed', seconds: 0.02 });
  await flush();
  const keys = events().flatMap((event) => Object.keys(event));
  expect(new Set(keys)).toEqual(new Set(['id', 'name', 'at', 'screen', 'seconds']));
});
