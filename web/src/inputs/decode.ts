/** Decodes images: from a file or a video frame to pixels. */

import { PageError } from '../errors';

/** Pixels of an image: uint8 RGBA, upright, opaque. */
export type DecodedImage = ImageData;

/**
 * Decodes an image at full size: upright, transparent pixels over white, colours as stored.
 *
 * @throws PageError the file is empty, or the browser cannot decode it.
 */
export async function decode(file: Blob, name: string): Promise<DecodedImage> {
  if (file.size === 0) throw new PageError(`${name} is empty; choose another image.`);
  let bitmap: ImageBitmap;
  try {
    bitmap = await createImageBitmap(file, {
      imageOrientation: 'from-image',
      colorSpaceConversion: 'none', // like Pillow; colour profiles change pixels by a few steps
      premultiplyAlpha: 'none',
    });
  } catch {
    throw new PageError(
      `${name} is damaged, too large or not an image that this browser reads; choose a PNG, ` +
        `JPEG, WebP or GIF, or shrink it first.`,
    );
  }
  try {
    return pixels(bitmap, bitmap.width, bitmap.height);
  } catch {
    throw new PageError(
      `${name} is too large for this browser (${bitmap.width} × ${bitmap.height}); ` +
        `shrink it first.`,
    );
  } finally {
    bitmap.close();
  }
}

/** Returns the pixels of anything that a canvas can draw. */
export function pixels(source: CanvasImageSource, width: number, height: number): DecodedImage {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext('2d', { willReadFrequently: true });
  if (context === null) throw new Error('no canvas has this size');
  context.fillStyle = 'white';
  context.fillRect(0, 0, width, height);
  context.drawImage(source, 0, 0);
  const image = context.getImageData(0, 0, width, height);
  // Beyond their size limit some browsers draw nothing and report no error.
  if (image.data[3] !== 255) throw new Error('no canvas has this size');
  return image;
}
