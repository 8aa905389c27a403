/** Draws pixels on canvases. */

import type { DecodedImage } from '../inputs/decode';

/** Fills a square canvas with the centre of an image. */
export function drawSquare(canvas: HTMLCanvasElement, image: DecodedImage): void {
  const { width, height } = image;
  const side = Math.min(width, height);
  const source = new OffscreenCanvas(width, height); // drawImage scales, putImageData does not
  source.getContext('2d')!.putImageData(image, 0, 0);
  const context = canvas.getContext('2d')!;
  context.imageSmoothingQuality = 'high';
  context.drawImage(
    source,
    (width - side) / 2,
    (height - side) / 2,
    side,
    side,
    0,
    0,
    canvas.width,
    canvas.height,
  );
}

/**
 * Draws an image pixel by pixel on a canvas of the same size.
 *
 * @param rgb uint8 (height, width, 3), RGB, 0-255.
 */
export function drawPixels(
  canvas: HTMLCanvasElement,
  rgb: Uint8Array,
  width: number,
  height: number,
): void {
  if (canvas.width !== width || canvas.height !== height) {
    [canvas.width, canvas.height] = [width, height];
  }
  const image = new ImageData(width, height);
  for (let from = 0, to = 0; to < image.data.length; to++) {
    image.data[to] = to % 4 === 3 ? 255 : rgb[from++]!;
  }
  canvas.getContext('2d')!.putImageData(image, 0, 0);
}
