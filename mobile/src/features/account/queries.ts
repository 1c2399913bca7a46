import { api, conditional, ifNoneMatch, unwrap, type Schemas } from '@/api/client';
import { endSession, session } from '@/api/session';
import { cachedQuery, setQuery } from '@/data';
import { onSettled, submit } from '@/offline/outbox';

export type Account = Schemas['Account'];

export const accountQuery = cachedQuery<Account>(['account'], (etag) =>
  conditional(api.GET('/v1/accounts/me', { headers: ifNoneMatch(etag) })),
);

export const devicesQuery = cachedQuery<Schemas['SignIns']>(['devices'], (etag) =>
  conditional(api.GET('/v1/sessions', { headers: ifNoneMatch(etag) })),
);

export async function rename(name: string): Promise<void> {
  setQuery<Account>(['account'], (old) => ({ ...old, name }));
  await submit({ kind: 'profile', method: 'PUT', path: '/v1/accounts/me/profile', body: { name } });
}

/** End the session here even when the service cannot be reached: its refresh token is deleted. */
export async function signOut(): Promise<void> {
  try {
    if (session() !== null) await unwrap(api.DELETE('/v1/sessions/current'));
  } finally {
    await endSession();
  }
}

/** End every session of the account, this one last. */
export async function signOutEverywhere(): Promise<void> {
  const { items } = await unwrap(api.GET('/v1/sessions'));
  for (const device of items.filter((each) => !each.current)) {
    await unwrap(api.DELETE('/v1/sessions/{session_id}', { params: { path: { session_id: device.id } } }));
  }
  await signOut();
}

/** Update the profile from the service after a write; call once at the start. */
export function followAccountWrites(refetch: () => void): () => void {
  return onSettled(({ write, data, error }) => {
    if (write.kind !== 'profile') return;
    if (error !== null) refetch();
    else setQuery<Account>(['account'], () => data as Account);
  });
}
