/**
 * Affine quantization: real = scale * (q - zeroPoint).
 *
 * The formula is that of LiteRT's quantization specification
 * (https://ai.google.dev/edge/litert/models/quantization_spec).
 */

/** Scale and zero point of a tensor. A scale of 0 marks a float tensor. */
export interface Quantization {
  scale: number;
  zeroPoint: number;
}

/** What turns a pixel (0-255) into (pixel - mean) / std, with one number per channel. */
export interface Normalization {
  mean: readonly number[];
  std: readonly number[];
}

/**
 * Returns the normalization to assume if the model's file gives none.
 *
 * A float input takes pixels scaled to 0-1. A quantized input takes the pixels' bytes unchanged.
 * `edge_runtime` assumes the same.
 */
export function assumedNormalization({ scale, zeroPoint }: Quantization): Normalization {
  const [mean, std] = scale === 0 ? [0, 255] : [zeroPoint, 1 / scale];
  return { mean: [mean, mean, mean], std: [std, std, std] };
}

/**
 * Returns the value of the input tensor for each of the 256 pixel values, per channel.
 *
 * @returns three tables (256,): real numbers for a float tensor, otherwise integers from 0 to 255.
 */
export function pixelTables(normalization: Normalization, input: Quantization): Float64Array[] {
  return [0, 1, 2].map((channel) =>
    Float64Array.from({ length: 256 }, (_, pixel) => {
      const real = (pixel - normalization.mean[channel]!) / normalization.std[channel]!;
      if (input.scale === 0) return real;
      const step = roundHalfEven(real / input.scale) + input.zeroPoint;
      return Math.min(255, Math.max(0, step));
    }),
  );
}

/** Returns the real values of a tensor. Floats pass through unchanged. */
export function dequantize(raw: ArrayLike<number>, { scale, zeroPoint }: Quantization): number[] {
  return Array.from(raw, (q) => (scale === 0 ? q : scale * (q - zeroPoint)));
}

function roundHalfEven(x: number): number {
  const rounded = Math.round(x);
  return rounded - x === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
}
