import { notifyManager } from '@tanstack/react-query';
import AsyncStorage from '@react-native-async-storage/async-storage';
import { configure } from '@testing-library/react-native';

jest.mock('@react-native-async-storage/async-storage', () =>
  jest.requireActual('@react-native-async-storage/async-storage/jest/async-storage-mock'),
);

jest.mock('expo-secure-store', () => {
  const items = new Map<string, string>();
  return {
    WHEN_UNLOCKED_THIS_DEVICE_ONLY: 1,
    getItemAsync: async (key: string) => items.get(key) ?? null,
    setItemAsync: async (key: string, value: string) => void items.set(key, value),
    deleteItemAsync: async (key: string) => void items.delete(key),
  };
});

jest.mock('expo-crypto', () => ({
  randomUUID: () => jest.requireActual<typeof import('crypto')>('crypto').randomUUID(),
}));

jest.mock('expo-network', () => ({
  addNetworkStateListener: () => ({ remove: () => undefined }),
  getNetworkStateAsync: async () => ({ isConnected: true, isInternetReachable: true }),
}));

process.env.EXPO_PUBLIC_API_URL = 'https://api.test';

// The first render of a file compiles its modules, which takes longer than a second on a loaded machine.
configure({ asyncUtilTimeout: 30_000 });

// Observers are notified inside of act(), not in a timer after it.
notifyManager.setScheduler(queueMicrotask);

beforeEach(async () => {
  await AsyncStorage.clear();
});
