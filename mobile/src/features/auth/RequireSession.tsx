import { useRouter } from 'expo-router';
import type { ReactNode } from 'react';

import { useSession } from '@/hooks';
import { texts } from '@/texts';
import { Body, Button, Page } from '@/ui/components';

/** Show the content to a signed-in user, otherwise the sign-in. */
export function RequireSession({ children }: { children: ReactNode }) {
  const session = useSession();
  const router = useRouter();
  if (session !== null) return children;
  return (
    <Page title={texts.app}>
      <Body>{texts.auth.welcome}</Body>
      <Button label={texts.actions.signIn} onPress={() => router.push('/sign-in')} />
      <Button kind="secondary" label={texts.actions.signUp} onPress={() => router.push('/sign-up')} />
    </Page>
  );
}
