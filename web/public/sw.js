// The service worker. The page names the files it needs, and they then come from the cache.
// The page itself is requested from its server first, so that a new version is used at once.

const CACHE = `edge-classify ${self.registration.scope}`; // one host may serve several copies

self.addEventListener('install', () => self.skipWaiting());
self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()));

self.addEventListener('message', (event) => {
  const [port] = event.ports;
  event.waitUntil(
    keep(event.data).then(
      () => port.postMessage(''),
      (error) => port.postMessage(error.message),
    ),
  );
});

self.addEventListener('fetch', (event) => {
  const { request } = event;
  if (request.method !== 'GET' || !request.url.startsWith(self.location.origin)) return;
  event.respondWith(request.mode === 'navigate' ? newest(request) : stored(request));
});

/**
 * Fills the cache with the page and the URLs that it needs, and deletes all others.
 *
 * URLs in `welcome` stay if they are in the cache, but are not added. The page is stored last, so
 * that the previous version stays complete until the new one is.
 */
async function keep({ page, script, needed, welcome }) {
  const cache = await caches.open(CACHE);
  const there = (await cache.keys()).map(({ url }) => url);
  await cache.addAll(needed.filter((url) => !there.includes(url)));
  const newer = await fetch(page, { cache: 'no-cache' }).catch((error) => {
    if (!there.includes(page)) throw error; // otherwise offline: the cached page stays
  });
  if (newer !== undefined) {
    if (!newer.ok) throw new Error(`status ${newer.status}`);
    if (!(await newer.clone().text()).includes(script)) {
      throw new Error('there is a new version; reload the page');
    }
    await cache.put(page, newer);
  }
  const gone = there.filter((url) => ![page, ...needed, ...welcome].includes(url));
  await Promise.all(gone.map((url) => cache.delete(url)));
}

async function newest(request) {
  try {
    return await fetch(request, { cache: 'no-cache' });
  } catch (error) {
    const response = await (await caches.open(CACHE)).match('./');
    if (response) return response;
    throw error;
  }
}

async function stored(request) {
  return (await (await caches.open(CACHE)).match(request)) ?? fetch(request);
}
