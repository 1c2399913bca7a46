/** Tasks of each start of the app, before the first screen. */
import { focusManager, onlineManager } from '@tanstack/react-query';
import { AppState, Platform } from 'react-native';

import { loadSession } from '@/api/session';
import { PLAIN } from '@/config';
import { cache, queryClient } from '@/data';
import { followAccountWrites } from '@/features/account/queries';
import { followContentWrites } from '@/features/content/writes';
import { onNetwork, watchNetwork } from '@/offline/network';
import { drain, loadOutbox } from '@/offline/outbox';
import { flush, record } from '@/performance/events';
import { loadPreferences } from '@/preferences';
import { installShell } from '@/offline/shell';

let started: Promise<void> | null = null;

export function start(): Promise<void> {
  started ??= run();
  return started;
}

async function run(): Promise<void> {
  watchNetwork();
  followContentWrites();
  followAccountWrites(() => void queryClient.invalidateQueries({ queryKey: ['account'] }));
  onNetwork((online) => {
    onlineManager.setOnline(online);
    if (online) void drain();
  });
  AppState.addEventListener('change', (state) => {
    if (Platform.OS !== 'web') focusManager.setFocused(state === 'active');
    if (state !== 'active') void flush();
  });
  await Promise.all([loadSession(), loadPreferences(), PLAIN ? undefined : cache.preload()]);
  void loadOutbox();
  installShell();
  record('app.opened');
}
