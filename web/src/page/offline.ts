/** Keeps the files of the page in the browser, through the service worker `public/sw.js`. */

import { reason } from '../errors';
import { addresses } from '../inputs/shipped';

/**
 * Stores the page, the files it has loaded and those to keep from the start. Models that the user
 * chose on a previous visit stay.
 *
 * @returns a sentence that says whether the page works offline from now on.
 */
export async function keepForOffline(): Promise<string> {
  if (!('serviceWorker' in navigator)) {
    return 'Not available offline: open this page over https or on localhost.';
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
    return failed ? `Not available offline (${failed}).` : 'Works offline from now on.';
  } catch (error) {
    return `Not available offline (${reason(error)}).`;
  }
}

function absolute(urls: string[]): string[] {
  return urls
    .map((url) => new URL(url, document.baseURI).href)
    .filter((url) => url.startsWith(location.origin)); // small images are data URLs in the script
}
