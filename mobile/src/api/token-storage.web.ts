/**
 * Tokens in the browser: localStorage, shared by the tabs of this origin.
 *
 * A browser has no store that scripts of the page cannot read. The access token lasts minutes and a refresh
 * token is valid once: a stolen one ends the session when it is used a second time.
 */
const KEY = 'kingdom.session';

export async function readTokens(): Promise<string | null> {
  return localStorage.getItem(KEY);
}

export async function writeTokens(value: string): Promise<void> {
  localStorage.setItem(KEY, value);
}

export async function deleteTokens(): Promise<void> {
  localStorage.removeItem(KEY);
}

/** Call `listener` when another tab signs in, refreshes or signs out; return a function that ends it. */
export function onTokensChanged(listener: (value: string | null) => void): () => void {
  const onStorage = (event: StorageEvent) => {
    if (event.key === KEY || event.key === null) listener(localStorage.getItem(KEY));
  };
  window.addEventListener('storage', onStorage);
  return () => window.removeEventListener('storage', onStorage);
}

/** Run `task` in one tab at a time (Web Locks). */
export function exclusively<T>(name: string, task: () => Promise<T>): Promise<T> {
  // `locks` is absent outside of secure contexts.
  const locks = navigator.locks as LockManager | undefined;
  return locks === undefined ? task() : (locks.request(`kingdom.${name}`, task) as Promise<T>);
}
