import { QueryClientProvider } from '@tanstack/react-query';
import { Stack } from 'expo-router';
import { use } from 'react';

import { queryClient } from '@/data';
import { start } from '@/start';
import { texts } from '@/texts';
import { useColors } from '@/ui/theme';

export { ErrorBoundary } from '@/ui/ErrorBoundary';

export default function Layout() {
  use(start());
  const colors = useColors();
  return (
    <QueryClientProvider client={queryClient}>
      <Stack
        screenOptions={{
          title: texts.app,
          headerStyle: { backgroundColor: colors.background },
          headerTintColor: colors.text,
          contentStyle: { backgroundColor: colors.background },
        }}
      >
        <Stack.Screen name="(tabs)" options={{ headerShown: false }} />
      </Stack>
    </QueryClientProvider>
  );
}
