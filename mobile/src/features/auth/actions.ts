import { api, unwrap } from '@/api/client';
import { startSession } from '@/api/session';

export async function signIn(email: string, password: string): Promise<void> {
  await startSession(await unwrap(api.POST('/v1/sessions', { body: { email, password } })));
}

export async function signUp(email: string, password: string, name: string): Promise<void> {
  await startSession(await unwrap(api.POST('/v1/accounts', { body: { email, password, name } })));
}
