/** State outside of React as hooks: session, network, outbox. */
import { useSyncExternalStore } from 'react';

import { onSession, session, type Session } from '@/api/session';
import { isOnline, onNetwork } from '@/offline/network';
import { onPending, pending, type Write } from '@/offline/outbox';

export function useSession(): Session | null {
  return useSyncExternalStore(onSession, session, session);
}

export function useOnline(): boolean {
  return useSyncExternalStore(onNetwork, isOnline, isOnline);
}

export function usePending(): readonly Write[] {
  return useSyncExternalStore(onPending, pending, pending);
}
