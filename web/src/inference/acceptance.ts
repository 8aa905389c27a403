/**
 * Which best classes count: those that score at least a model's threshold.
 *
 * The threshold is in the model's card, or in the file `MODEL.tflite.acceptance.json` that
 * `edge-classify --judge FOLDER --save` writes beside a model.
 */

import { PageError, reason } from '../errors';

/** The name of a model's output that lowers the scores of all classes, but is none itself. */
export const NONE_OF_THESE = 'none-of-these';

/** What follows a model's file name in the name of the file beside it. */
export const SIDECAR = '.acceptance.json';

/** Returns the threshold of `acceptance` in a card; undefined if there is none. */
export function thresholdOf(acceptance: unknown): number | undefined {
  const { threshold } = (acceptance ?? {}) as { threshold?: unknown };
  return typeof threshold === 'number' && Number.isFinite(threshold) ? threshold : undefined;
}

/**
 * Returns the threshold in the file beside a model.
 *
 * @param json the content of that file.
 * @param data the model.
 * @throws PageError the file is damaged, belongs to another model, or was measured with options that
 *   the page lacks.
 */
export async function readSidecar(
  json: string,
  data: Uint8Array,
  name: string,
): Promise<number> {
  const file = name + SIDECAR;
  let sha256: unknown, threshold: number | undefined, options: string[];
  try {
    const content = JSON.parse(json) as { model_sha256?: unknown; acceptance?: unknown } | null;
    sha256 = content?.model_sha256;
    threshold = thresholdOf(content?.acceptance);
    options = optionsOf(content?.acceptance);
    if (threshold === undefined) throw new Error('it has no threshold');
  } catch (error) {
    throw new PageError(
      `${file} is damaged (${reason(error)}); write it again with edge-classify --judge.`,
    );
  }
  if (!globalThis.crypto?.subtle) {
    throw new PageError(
      `Browsers only compare ${file} with its model for secure pages; open this page over https ` +
        `or on localhost, or drop the model alone.`,
    );
  }
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', new Uint8Array(data)));
  const found = Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
  if (sha256 !== found) {
    throw new PageError(
      `${file} belongs to another model; drop ${name} alone, or write that file again with ` +
        `edge-classify --judge.`,
    );
  }
  if (options.length > 0) {
    throw new PageError(
      `${file} was measured with ${options.join(' and ')}, which this page lacks; drop ${name} ` +
        `alone, or write that file again without.`,
    );
  }
  return threshold;
}

/** Returns the options of edge-classify with which `acceptance` was measured. */
function optionsOf(acceptance: unknown): string[] {
  const { options, views } = (acceptance ?? {}) as { options?: object; views?: unknown };
  const names = Object.keys(options ?? {});
  if (typeof views === 'number' && views > 1) names.push('views');
  return names.map((name) => `--${name.replaceAll('_', '-')}`);
}
