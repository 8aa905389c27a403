/** From a file or a camera's frame to the pixels that a network takes. */

import { PageError } from './errors';
import { resize } from './resample';

/** Upright RGBA pixels without transparency. */
export type Picture = ImageData;

/**
 * Decodes a picture at full size: turned upright, transparency laid over white, colours as stored.
 *
 * @throws PageError the browser cannot read it.
 */
export async function decode(file: Blob, name: string): Promise<Picture> {
  if (file.size === 0) throw new PageError(`${name} is empty; choose another picture.`);
  let bitmap: ImageBitmap;
  try {
    bitmap = await createImageBitmap(file, {
      imageOrientation: 'from-image',
      colorSpaceConversion: 'none', // as Pillow; colour profiles move pixels by a few steps
      premultiplyAlpha: 'none',
    });
  } catch {
    throw new PageError(
      `${name} is damaged, too large or not a picture that this browser reads; choose a PNG, ` +
        `JPEG, WebP or GIF, or shrink it first.`,
    );
  }
  try {
    return pixels(bitmap, bitmap.width, bitmap.height);
  } catch {
    throw new PageError(
      `${name} is too large for this browser (${bitmap.width} × ${bitmap.height}); shrink it first.`,
    );
  } finally {
    bitmap.close();
  }
}

/** Reads the pixels of anything that a canvas can draw. */
export function pixels(source: CanvasImageSource, width: number, height: number): Picture {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext('2d', { willReadFrequently: true });
  if (context === null) throw new Error('no canvas of this size');
  context.fillStyle = 'white';
  context.fillRect(0, 0, width, height);
  context.drawImage(source, 0, 0);
  const image = context.getImageData(0, 0, width, height);
  // Beyond their limit some browsers draw nothing and say nothing.
  if (image.data[3] !== 255) throw new Error('no canvas of this size');
  return image;
}

/**
 * Cuts the largest centred part with the target's shape and resizes it, as `edge_runtime` does.
 *
 * @returns uint8 (height, width, 3), RGB; the very pixels where the picture has this size already.
 */
export function fit(picture: Picture, width: number, height: number): Uint8Array {
  if (picture.width === width && picture.height === height) {
    return picture.data.filter((_, i) => i % 4 !== 3) as unknown as Uint8Array;
  }
  const scale = Math.min(picture.height / height, picture.width / width);
  const left = Math.max(0, (picture.width - scale * width) / 2);
  const top = Math.max(0, (picture.height - scale * height) / 2);
  const right = Math.min(picture.width, left + scale * width);
  const bottom = Math.min(picture.height, top + scale * height);
  const box = [left, top, right, bottom] as const;
  return resize(picture.data, picture.width, picture.height, box, width, height);
}
