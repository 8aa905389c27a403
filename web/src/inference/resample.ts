/**
 * Resizes images with an antialiased bicubic filter, byte for byte as Pillow's `Image.resize` does.
 *
 * Each browser shrinks images with a filter of its own, which changes the scores of a network with
 * 32 x 32 inputs. So this follows Pillow's method for 8-bit RGB. The kernel is the cubic
 * convolution of Keys (1981) with a = -0.5, stretched by the scale if the image shrinks. Weights
 * are normalised and rounded to 22 bits of fraction. The first pass goes along the rows, the second
 * along the columns, and each rounds to bytes. (Pillow 13 starts with the columns for some tall
 * images, which changes a few bytes by one.)
 */

/** Left, top, right and bottom edges, in pixels, of the part to resize. */
export type Box = readonly [number, number, number, number];

const SUPPORT = 2; // the cubic kernel is zero at and beyond this distance
const FRACTION_BITS = 22; // a sum of weights times bytes fits into 32 bits
const HALF = 1 << (FRACTION_BITS - 1);

/** The input pixels of each output pixel: the first, their number, and fixed-point weights. */
interface Taps {
  first: Int32Array;
  count: Int32Array;
  weights: Int32Array; // `stride` of them per output pixel
  stride: number;
}

/**
 * Resizes a part of an image.
 *
 * @param rgba uint8 (height, width, 4); alpha is ignored.
 * @param box the part; as in Pillow, pixels outside it contribute at its edges.
 * @returns uint8 (outHeight, outWidth, 3), RGB, 0-255.
 */
export function resize(
  rgba: Uint8ClampedArray,
  width: number,
  height: number,
  box: Box,
  outWidth: number,
  outHeight: number,
): Uint8Array {
  // Pillow keeps the edges as float32.
  const [left, top, right, bottom] = box.map(Math.fround) as unknown as Box;
  const columns = taps(width, left, right, outWidth);
  const rows = taps(height, top, bottom, outHeight);

  const firstRow = rows.first[0]!;
  const lastRow = rows.first[outHeight - 1]! + rows.count[outHeight - 1]!;
  const narrow = new Uint8Array((lastRow - firstRow) * outWidth * 3);
  let to = 0;
  for (let y = firstRow; y < lastRow; y++) {
    for (let x = 0; x < outWidth; x++) {
      let r = HALF, g = HALF, b = HALF;
      let from = (y * width + columns.first[x]!) * 4;
      const end = x * columns.stride + columns.count[x]!;
      for (let k = x * columns.stride; k < end; k++, from += 4) {
        const weight = columns.weights[k]!;
        r += Math.imul(rgba[from]!, weight);
        g += Math.imul(rgba[from + 1]!, weight);
        b += Math.imul(rgba[from + 2]!, weight);
      }
      narrow[to++] = clip(r);
      narrow[to++] = clip(g);
      narrow[to++] = clip(b);
    }
  }

  const out = new Uint8Array(outHeight * outWidth * 3);
  const line = outWidth * 3;
  for (let y = 0; y < outHeight; y++) {
    for (let i = 0; i < line; i++) {
      let sum = HALF;
      let from = (rows.first[y]! - firstRow) * line + i;
      const end = y * rows.stride + rows.count[y]!;
      for (let k = y * rows.stride; k < end; k++, from += line) {
        sum += Math.imul(narrow[from]!, rows.weights[k]!);
      }
      out[y * line + i] = clip(sum);
    }
  }
  return out;
}

function taps(size: number, start: number, end: number, outSize: number): Taps {
  const scale = Math.fround(end - start) / outSize;
  const stretch = Math.max(scale, 1);
  const support = SUPPORT * stretch;
  const stride = Math.ceil(support) * 2 + 1;
  const first = new Int32Array(outSize);
  const count = new Int32Array(outSize);
  const weights = new Int32Array(outSize * stride);
  for (let out = 0; out < outSize; out++) {
    const centre = start + (out + 0.5) * scale;
    const from = Math.max(0, Math.trunc(centre - support + 0.5));
    const to = Math.min(size, Math.trunc(centre + support + 0.5));
    const real = Array.from({ length: to - from }, (_, k) =>
      cubic((k + from - centre + 0.5) / stretch),
    );
    const sum = real.reduce((total, weight) => total + weight, 0);
    first[out] = from;
    count[out] = to - from;
    real.forEach((weight, k) => {
      const fixed = (weight / sum) * (1 << FRACTION_BITS);
      weights[out * stride + k] = Math.trunc(fixed + (fixed < 0 ? -0.5 : 0.5));
    });
  }
  return { first, count, weights, stride };
}

function cubic(x: number): number {
  const a = -0.5;
  x = Math.abs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}

function clip(fixed: number): number {
  return Math.min(255, Math.max(0, fixed >> FRACTION_BITS));
}
