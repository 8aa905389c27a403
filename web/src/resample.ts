/**
 * Antialiased bicubic resizing, to the byte what Pillow's `Image.resize` gives for 8-bit RGB.
 *
 * Browsers shrink pictures with filters of their own choice, and a network of 32 x 32 inputs
 * notices. So this follows Pillow's method: the cubic convolution kernel of Keys (1981) with
 * a = -0.5, stretched by the scale when shrinking, weights normalised and rounded to 22 bits of
 * fraction, first along the rows, then along the columns, each pass rounded to bytes. (Pillow 13
 * begins with the columns of some tall pictures, which moves single bytes by one.)
 */

/** Left, top, right and bottom edges, in pixels, of the part to resize. */
export type Box = readonly [number, number, number, number];

const SUPPORT = 2; // the cubic kernel is zero from here on
const FRACTION_BITS = 22; // weights times bytes, summed, stay inside 32 bits
const HALF = 1 << (FRACTION_BITS - 1);

/** For each output pixel the first input pixel, how many, and their fixed-point weights. */
interface Taps {
  first: Int32Array;
  count: Int32Array;
  weights: Int32Array; // `stride` a pixel
  stride: number;
}

/**
 * Resizes a part of a picture.
 *
 * @param rgba uint8 (height, width, 4); alpha is ignored.
 * @param box the part; pixels around it take part at its edges, as in Pillow.
 * @returns uint8 (outHeight, outWidth, 3), RGB.
 */
export function resize(
  rgba: Uint8ClampedArray,
  width: number,
  height: number,
  box: Box,
  outWidth: number,
  outHeight: number,
): Uint8Array {
  const [left, top, right, bottom] = box.map(Math.fround) as unknown as Box; // Pillow's are float32
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
