/** Images that tests make. */

import type { DecodedImage } from '../src/inputs/decode';

/** Returns an opaque image: Node has no `ImageData`, whose fields this has. */
export function opaque(width: number, height: number, rgb: ArrayLike<number>): DecodedImage {
  const data = new Uint8ClampedArray(width * height * 4).fill(255);
  for (let i = 0; i < width * height; i++) {
    for (let channel = 0; channel < 3; channel++) data[4 * i + channel] = rgb[3 * i + channel]!;
  }
  return { width, height, data, colorSpace: 'srgb' } as DecodedImage;
}

/** Returns an image of one grey level. */
export function grey(level = 100, side = 4): DecodedImage {
  return opaque(side, side, new Uint8Array(side * side * 3).fill(level));
}
