/** The files that come with the page: the Python package's models and sample pictures. */

import { PageError } from './errors';

const MODELS = import.meta.glob<string>('../../edge_runtime/models/*.tflite', {
  query: '?url',
  import: 'default',
  eager: true,
});
const SAMPLES = import.meta.glob<string>('../../edge_runtime/samples/*.png', {
  query: '?url',
  import: 'default',
  eager: true,
});

/** A .tflite file to choose: `<network>-<precision>.tflite`. */
export interface ModelFile {
  name: string;
  network: string;
  precision: string;
  read(): Promise<Uint8Array>;
}

export const DEFAULT_MODEL = 'cnn-int8';

/** One test image a class, by the name of its class. */
export const samples = Object.entries(SAMPLES).map(([path, url]) => ({ name: stem(path), url }));

/** The shipped models, by name. */
export const shipped = Object.entries(MODELS).map(([path, url]) => {
  const name = stem(path);
  const cut = name.indexOf('-');
  const read = () => download(url, name);
  return { name, network: name.slice(0, cut), precision: name.slice(cut + 1), read, url };
});

/** What the page keeps for offline use: its first network's files at once, others when chosen. */
export const addresses = {
  atOnce: samples.map(({ url }) => url),
  whenChosen: [] as string[],
};
for (const { network, url } of shipped) {
  const first = DEFAULT_MODEL.startsWith(`${network}-`);
  (first ? addresses.atOnce : addresses.whenChosen).push(url);
}

/** A model that the user opened. */
export function opened(file: File): ModelFile {
  return {
    name: file.name,
    network: file.name,
    precision: 'own file',
    read: async () => {
      try {
        return new Uint8Array(await file.arrayBuffer());
      } catch {
        throw new PageError(`${file.name} cannot be read any more; choose the file again.`);
      }
    },
  };
}

async function download(url: string, name: string): Promise<Uint8Array> {
  try {
    const response = await fetch(url);
    if (!response.ok) throw new Error(`status ${response.status}`);
    return new Uint8Array(await response.arrayBuffer());
  } catch (error) {
    throw new PageError(
      `The model ${name} could not be loaded (${(error as Error).message}); ` +
        `check the connection and choose it again.`,
    );
  }
}

function stem(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1, path.lastIndexOf('.'));
}
