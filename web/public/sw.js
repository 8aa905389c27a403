// The service worker: once the page says what it needs, all of it is answered from the cache.
// The page itself is asked for first at its server, so that a new version is taken at once.

const CACHE = 'edge-classify';

self.addEventListener('install', () => self.skipWaiting());
self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()));

self.addEventListener('message', ({ data: { needed, welcome }, ports: [port] }) => {
  keep(needed, welcome).then(
    () => port.postMessage(''),
    (error) => port.postMessage(error.message),
  );
});

self.addEventListener('fetch', (event) => {
  const { request } = event;
  if (request.method !== 'GET' || !request.url.startsWith(self.location.origin)) return;
  event.respondWith(request.mode === 'navigate' ? newest(request) : stored(request));
});

/** Makes the cache hold the needed addresses, and no others but those that are welcome. */
async function keep(needed, welcome) {
  const cache = await caches.open(CACHE);
  const there = (await cache.keys()).map(({ url }) => url);
  const gone = there.filter((url) => !needed.includes(url) && !welcome.includes(url));
  await cache.addAll(needed.filter((url) => !there.includes(url)));
  await Promise.all(gone.map((url) => cache.delete(url)));
}

async function newest(request) {
  try {
    const response = await fetch(request);
    if (response.ok) await (await caches.open(CACHE)).put(request, response.clone());
    return response;
  } catch (error) {
    const response = (await caches.match(request)) ?? (await caches.match('./'));
    if (response) return response;
    throw error;
  }
}

async function stored(request) {
  return (await caches.match(request)) ?? fetch(request);
}
