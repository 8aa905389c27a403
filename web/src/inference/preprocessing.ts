/** Pixels as the network takes them. */

import type { DecodedImage } from '../inputs/decode';
import { resize } from './resample';

/**
 * Cuts out the largest centred part that has the target's shape, and resizes it as `edge_runtime`
 * does. An image that already has the target's size keeps its pixels.
 *
 * @returns uint8 (height, width, 3), RGB, 0-255.
 */
export function fit(image: DecodedImage, width: number, height: number): Uint8Array {
  if (image.width === width && image.height === height) {
    return Uint8Array.from(image.data.filter((_, i) => i % 4 !== 3));
  }
  const scale = Math.min(image.height / height, image.width / width);
  const left = Math.max(0, (image.width - scale * width) / 2);
  const top = Math.max(0, (image.height - scale * height) / 2);
  const right = Math.min(image.width, left + scale * width);
  const bottom = Math.min(image.height, top + scale * height);
  const box = [left, top, right, bottom] as const;
  return resize(image.data, image.width, image.height, box, width, height);
}
