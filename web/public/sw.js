// The service worker: once the page says what it needs, all of it is answered from the cache.
// The page itself is asked for first at its server, so that a new version is taken at once.

const CACHE = `edge-classify ${self.registration.scope}`; // a host may have several copies

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
 * Makes the cache hold the page and the addresses that it needs, and no others but those that are
 * welcome. The page comes last: until all is there, the version before stays whole.
 */
async function keep({ page, script, needed, welcome }) {
  const cache = await caches.open(CACHE);
  const there = (await cache.keys()).map(({ url }) => url);
  await cache.addAll(needed.filter((url) => !there.includes(url)));
  const newer = await fetch(page, { cache: 'no-cache' }).catch((error) => {
    if (!there.includes(page)) throw error; // else offline, with what is kept
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
