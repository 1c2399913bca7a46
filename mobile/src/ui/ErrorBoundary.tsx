import type { ErrorBoundaryProps } from 'expo-router';
import { useEffect } from 'react';

import { texts } from '@/texts';
import { Button, ErrorMessage, Page } from '@/ui/components';
import { endFirstPaint } from '@/ui/first-paint';

/** Shown in place of a screen that failed to render. */
export function ErrorBoundary({ error, retry }: ErrorBoundaryProps) {
  useEffect(endFirstPaint, []);
  return (
    <Page title={texts.app}>
      <ErrorMessage error={error} />
      <Button label={texts.actions.retry} onPress={() => void retry()} />
    </Page>
  );
}
