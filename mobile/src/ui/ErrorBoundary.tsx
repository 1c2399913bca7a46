import type { ErrorBoundaryProps } from 'expo-router';

import { texts } from '@/texts';
import { Button, ErrorMessage, Page } from '@/ui/components';

/** Shown in place of a screen that failed to render. */
export function ErrorBoundary({ error, retry }: ErrorBoundaryProps) {
  return (
    <Page title={texts.app}>
      <ErrorMessage error={error} />
      <Button label={texts.actions.retry} onPress={() => void retry()} />
    </Page>
  );
}
