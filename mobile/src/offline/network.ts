/** Whether the device has a connection, as the system reports it; a request can still fail. */
import * as Network from 'expo-network';

// A browser has the state at the start of the app; a device reports it later.
let online = (globalThis.navigator as Partial<Navigator> | undefined)?.onLine !== false;
const listeners = new Set<(online: boolean) => void>();

export function isOnline(): boolean {
  return online;
}

export function onNetwork(listener: (online: boolean) => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Follow the state of the network; call once at the start. */
export function watchNetwork(): void {
  const update = (state: Network.NetworkState) => {
    const next = state.isConnected !== false && state.isInternetReachable !== false;
    if (next === online) return;
    online = next;
    for (const listener of [...listeners]) listener(online);
  };
  Network.addNetworkStateListener(update);
  void Network.getNetworkStateAsync().then(update, () => undefined);
}
