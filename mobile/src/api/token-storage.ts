/** Tokens in the keychain (iOS) or keystore (Android). */
import * as SecureStore from 'expo-secure-store';

const KEY = 'kingdom.session';

export function readTokens(): Promise<string | null> {
  return SecureStore.getItemAsync(KEY);
}

export function writeTokens(value: string): Promise<void> {
  return SecureStore.setItemAsync(KEY, value, {
    keychainAccessible: SecureStore.WHEN_UNLOCKED_THIS_DEVICE_ONLY,
  });
}

export function deleteTokens(): Promise<void> {
  return SecureStore.deleteItemAsync(KEY);
}

/** Changes by another tab; a device has none. */
export function onTokensChanged(_listener: (value: string | null) => void): () => void {
  return () => undefined;
}

/** Run `task` while no other tab refreshes; a device has one process. */
export function exclusively<T>(_name: string, task: () => Promise<T>): Promise<T> {
  return task();
}
