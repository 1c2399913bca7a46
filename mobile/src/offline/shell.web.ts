/** Install the service worker (public/sw.js): the web build then starts without a connection. */
import { PLAIN } from '@/config';

/** Wait for the first screen: the worker's downloads must not compete with it, in ms. */
const DELAY_MS = 3_000;

export function installShell(): void {
  // Absent in private windows of some browsers, and outside of secure contexts.
  const workers = navigator.serviceWorker as ServiceWorkerContainer | undefined;
  if (PLAIN || workers === undefined) return;
  setTimeout(() => void workers.register('/app/sw.js', { scope: '/app/' }).catch(() => undefined), DELAY_MS);
}
