import { accessToken, endSession, loadSession, onSession, refresh, session, startSession } from '@/api/session';
import { json, offline, problem, Service, signedIn } from '../support';

afterEach(endSession);

test('many callers with an expired token refresh once', async () => {
  const service = new Service();
  await startSession(signedIn('old', 'r1', 0));
  service.on('POST /v1/sessions/refresh', () => json(signedIn('new', 'r2')));
  expect(await Promise.all([accessToken(), accessToken(), accessToken()])).toEqual(['new', 'new', 'new']);
  expect(service.requests.map((sent) => sent.body)).toEqual([{ refresh_token: 'r1' }]);
});

test('a token that is valid for longer is not refreshed', async () => {
  const service = new Service();
  await startSession(signedIn('good', 'r1', 600));
  expect(await accessToken()).toBe('good');
  expect(service.requests).toEqual([]);
});

test('a caller whose token was replaced meanwhile gets the new one without a request', async () => {
  const service = new Service();
  await startSession(signedIn('second', 'r2'));
  expect((await refresh('first'))?.token).toBe('second');
  expect(service.requests).toEqual([]);
});

test('a refused refresh ends the session; a lost connection does not', async () => {
  const service = new Service();
  await startSession(signedIn('old', 'r1', 0));
  service.on('POST /v1/sessions/refresh', offline);
  await expect(accessToken()).rejects.toThrow('no connection');
  expect(session()).not.toBeNull();
  service.on('POST /v1/sessions/refresh', () => problem(503, 'unavailable'));
  await expect(accessToken()).rejects.toThrow('503');
  expect(session()).not.toBeNull();
  service.on('POST /v1/sessions/refresh', () => problem(401, 'session-expired'));
  expect(await accessToken()).toBeNull();
  expect(session()).toBeNull();
});

test('listeners are called on sign-in and sign-out, not on refresh', async () => {
  const accounts: (string | undefined)[] = [];
  const stop = onSession((next) => accounts.push(next?.account));
  await startSession(signedIn('a', 'r1'));
  await startSession(signedIn('b', 'r2'));
  await endSession();
  stop();
  expect(accounts).toEqual(['ada', undefined]);
});

test('the session survives a restart', async () => {
  await startSession(signedIn('a', 'r1'));
  expect((await loadSession())?.token).toBe('a');
});
