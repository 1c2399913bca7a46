import { api, unwrap } from '@/api/client';
import { startSession } from '@/api/session';

export async function signIn(email: string, password: string): Promise<void> {
  await startSession(await unwrap(api.POST('/v1/sessions', { body: { email, password } })));
}

/** Sign up. Returns false when the code of a mail is needed first; otherwise the user is signed in. */
export async function signUp(email: string, password: string, name: string): Promise<boolean> {
  const { confirmation } = await unwrap(api.POST('/v1/accounts', { body: { email, password, name } }));
  if (confirmation === 'mail') return false;
  await signIn(email, password);
  return true;
}

/** Create the account with the code of the mail, and sign in. */
export async function confirm(code: string): Promise<void> {
  await startSession(await unwrap(api.POST('/v1/accounts/confirmation', { body: { code } })));
}
