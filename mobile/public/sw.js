/*
 * The shell of the app without a connection: files of the build from a cache, one cache per build.
 * scripts/finish-web.mjs replaces BUILD and FILES. Requests of the API are never handled here.
 */
const BUILD = '%BUILD%';
const FILES = /* %FILES% */ [];
const NAME = `kingdom-${BUILD}`;
const ROOT = '/app/';

self.addEventListener('install', (event) => {
  event.waitUntil(
    caches
      .open(NAME)
      .then((cache) => cache.addAll([ROOT, ...FILES]))
      .then(() => self.skipWaiting()),
  );
});

self.addEventListener('activate', (event) => {
  event.waitUntil(
    caches
      .keys()
      .then((names) => Promise.all(names.filter((name) => name !== NAME).map((name) => caches.delete(name))))
      .then(() => self.clients.claim()),
  );
});

self.addEventListener('fetch', (event) => {
  const url = new URL(event.request.url);
  if (event.request.method !== 'GET' || url.origin !== location.origin || !url.pathname.startsWith(ROOT)) return;
  const key = event.request.mode === 'navigate' ? ROOT : url.pathname;
  event.respondWith(
    caches
      .open(NAME)
      .then((cache) => cache.match(key))
      .then((cached) => cached ?? fetch(event.request)),
  );
});
