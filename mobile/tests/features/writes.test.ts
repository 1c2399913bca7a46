import { endSession, startSession } from '@/api/session';
import { queryClient } from '@/data';
import type { Content } from '@/features/content/queries';
import { followContentWrites, setPublished } from '@/features/content/writes';
import { rename, followAccountWrites, type Account } from '@/features/account/queries';
import { clearOutbox } from '@/offline/outbox';
import { json, problem, Service, signedIn } from '../support';

const CONTENT: Content = {
  id: 'c1',
  state: 'ready',
  prompt: 'a fox',
  form: 'story',
  created_at: '2026-01-01T00:00:00Z',
  published_at: null,
};

let service: Service;
const stops: (() => void)[] = [];

beforeEach(async () => {
  service = new Service();
  await startSession(signedIn('t', 'r'));
  queryClient.setQueryData(['content', 'c1'], CONTENT);
  stops.push(
    followContentWrites(),
    followAccountWrites(() => void queryClient.refetchQueries({ queryKey: ['account'] })),
  );
});
afterEach(async () => {
  for (const stop of stops.splice(0)) stop();
  await clearOutbox();
  await endSession();
  queryClient.clear();
});

const shown = () => queryClient.getQueryData<Content>(['content', 'c1'])?.published_at ?? null;

test('publishing shows at once, before the service responds', async () => {
  let respond: (response: Response) => void = () => undefined;
  service.on('PUT /v1/contents/c1/publication', () => new Promise((resolve) => (respond = resolve)));
  const done = setPublished(CONTENT, true);
  expect(shown()).not.toBeNull();
  while (service.requests.length === 0) await new Promise(setImmediate);
  respond(json({ ...CONTENT, published_at: '2026-01-02T00:00:00Z' }));
  await done;
  expect(shown()).toBe('2026-01-02T00:00:00Z');
});

test('a refused publication is undone', async () => {
  service.on('PUT /v1/contents/c1/publication', () => problem(409, 'conflict'));
  await expect(setPublished(CONTENT, true)).rejects.toThrow('409');
  expect(shown()).toBeNull();
});

test('a refused name is replaced by what the service has', async () => {
  const account: Account = { ...signedIn('t', 'r').account, name: 'Ada' };
  queryClient.setQueryData(['account'], account);
  service.on('PUT /v1/accounts/me/profile', () => problem(422, 'invalid'));
  const undone = new Promise<void>((resolve) => stops.push(followAccountWrites(resolve)));
  const done = rename('x');
  expect(queryClient.getQueryData<Account>(['account'])?.name).toBe('x');
  await expect(done).rejects.toThrow('422');
  await undone;
});
