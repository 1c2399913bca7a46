import { useRouter } from 'expo-router';

import { texts } from '@/texts';
import { Body, Button, Page } from '@/ui/components';

/** Shown for an address that no route has. */
export function NotFoundScreen() {
  const router = useRouter();
  return (
    <Page title={texts.notFound.title}>
      <Body>{texts.notFound.hint}</Body>
      <Button label={texts.tabs.feed} onPress={() => router.replace('/')} />
    </Page>
  );
}
