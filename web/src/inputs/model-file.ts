/** Model files that the page can load. */

import { PageError, reason } from '../errors';

/** A .tflite file that the user can choose. */
export interface ModelFile {
  name: string;
  network: string;
  precision: string;
  read(): Promise<Uint8Array>;
  readSidecar?(): Promise<string>; // the file beside the model, if there is one
}

/** Returns a shipped model, named `<network>-<precision>` after its file. */
export function shippedModel(name: string, url: string): ModelFile & { url: string } {
  const cut = name.indexOf('-');
  const read = () => download(url, name);
  return { name, network: name.slice(0, cut), precision: name.slice(cut + 1), read, url };
}

/**
 * Returns the model in a file that the user opened.
 *
 * @param sidecar the file beside it, if the user opened that too.
 */
export function openedModel(file: File, sidecar?: File): ModelFile {
  return {
    name: file.name,
    network: file.name,
    precision: 'own file',
    read: async () => new Uint8Array(await readAgain(file, () => file.arrayBuffer())),
    ...(sidecar && { readSidecar: () => readAgain(sidecar, () => sidecar.text()) }),
  };
}

async function readAgain<T>(file: File, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch {
    throw new PageError(`${file.name} cannot be read any more; choose the file again.`);
  }
}

async function download(url: string, name: string): Promise<Uint8Array> {
  try {
    const response = await fetch(url);
    if (!response.ok) throw new Error(`status ${response.status}`);
    return new Uint8Array(await response.arrayBuffer());
  } catch (error) {
    throw new PageError(
      `The model ${name} could not be loaded (${reason(error)}); ` +
        `check the connection and choose it again.`,
    );
  }
}
