/** Choices of the user that stay on this device. */
import AsyncStorage from '@react-native-async-storage/async-storage';
import { useSyncExternalStore } from 'react';

const KEY = 'kingdom/preferences';

export interface Preferences {
  /** Whether performance data may be sent. Off until the user turns it on. */
  consent: boolean;
  /** Ids of liked items of the feed, the latest last. */
  liked: readonly string[];
}

const MAX_LIKED = 500;
let current: Preferences = { consent: false, liked: [] };
const listeners = new Set<() => void>();

export function preferences(): Preferences {
  return current;
}

export function usePreference<T>(select: (preferences: Preferences) => T): T {
  return useSyncExternalStore(subscribe, () => select(current));
}

export async function loadPreferences(): Promise<void> {
  try {
    const stored = JSON.parse((await AsyncStorage.getItem(KEY)) ?? '{}') as Partial<Preferences>;
    current = {
      consent: stored.consent === true,
      liked: Array.isArray(stored.liked) ? stored.liked.filter((id) => typeof id === 'string') : [],
    };
  } catch {
    // Unreadable preferences are the defaults.
  }
}

export function setConsent(consent: boolean): void {
  change({ ...current, consent });
}

export function toggleLike(id: string): void {
  const liked = current.liked.includes(id) ? current.liked.filter((each) => each !== id) : [...current.liked, id];
  change({ ...current, liked: liked.slice(-MAX_LIKED) });
}

function change(next: Preferences): void {
  current = next;
  for (const listener of [...listeners]) listener();
  void AsyncStorage.setItem(KEY, JSON.stringify(next)).catch(() => undefined);
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
