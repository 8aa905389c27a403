/** Keeps what the page needs in the browser, through the service worker `public/sw.js`. */

import { addresses } from './models';

/**
 * Stores the page, what it has loaded and what it comes with. What was stored because it was
 * chosen on an earlier visit stays.
 *
 * @returns a sentence about whether the page works offline now.
 */
export async function keepForOffline(): Promise<string> {
  if (!('serviceWorker' in navigator)) {
    return 'Offline use needs https or localhost.';
  }
  try {
    await navigator.serviceWorker.register('./sw.js');
    const { active } = await navigator.serviceWorker.ready;
    const loaded = performance
      .getEntriesByType('resource')
      .map(({ name }) => name)
      .filter((url) => url.startsWith(location.origin) && !url.endsWith('/sw.js'));
    const page = new URL('./', document.baseURI).href;
    const script = document.querySelector<HTMLScriptElement>('script[type=module]')!;
    const needed = [...new Set([...loaded, ...absolute(addresses.atOnce)])];
    const failed = await new Promise<string>((resolve) => {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = ({ data }) => resolve(data);
      const welcome = absolute(addresses.whenChosen);
      active!.postMessage({ page, script: script.getAttribute('src'), needed, welcome }, [port2]);
    });
    return failed ? `Not ready for offline use (${failed}).` : 'Works offline from now on.';
  } catch (error) {
    return `Not ready for offline use (${(error as Error).message}).`;
  }
}

function absolute(urls: string[]): string[] {
  return urls
    .map((url) => new URL(url, document.baseURI).href)
    .filter((url) => url.startsWith(location.origin)); // small pictures are in the script
}
