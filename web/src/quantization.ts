/**
 * Affine quantization, real = scale * (q - zeroPoint), as LiteRT's specification has it
 * (https://ai.google.dev/edge/litert/models/quantization_spec).
 */

/** Of a tensor; a scale of 0 marks a float tensor. */
export interface Quantization {
  scale: number;
  zeroPoint: number;
}

/** A pixel becomes (pixel - mean) / std before it is quantized; one number a channel. */
export interface Normalization {
  mean: readonly number[];
  std: readonly number[];
}

/**
 * Returns the normalization of a model that does not say it: a float input takes pixels scaled to
 * 0-1, a quantized one their bytes as they are. `edge_runtime` assumes the same.
 */
export function assumedNormalization({ scale, zeroPoint }: Quantization): Normalization {
  const [mean, std] = scale === 0 ? [0, 255] : [zeroPoint, 1 / scale];
  return { mean: [mean, mean, mean], std: [std, std, std] };
}

/**
 * Returns what the input tensor holds for each of the 256 values of each channel.
 *
 * @returns one (256,) table a channel; of real numbers where the tensor is a float one.
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

/** Returns the real values; floats pass through. */
export function dequantize(raw: ArrayLike<number>, { scale, zeroPoint }: Quantization): number[] {
  return Array.from(raw, (q) => (scale === 0 ? q : scale * (q - zeroPoint)));
}

function roundHalfEven(x: number): number {
  const rounded = Math.round(x);
  return rounded - x === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
}
