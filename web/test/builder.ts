/** Builds flatbuffers for tests from plain objects, whose keys are the field numbers. */

import { Builder } from 'flatbuffers';

export type Value =
  | { int8: number }
  | { int32: number }
  | { uint32: number }
  | { text: string }
  | { bytes: Uint8Array }
  | { int32s: number[] }
  | { int64s: number[] }
  | { float32s: number[] }
  | { table: Fields }
  | { tables: Fields[] };

export interface Fields {
  [field: number]: Value;
}

/** Returns a flatbuffer with one root table. */
export function flatbuffer(root: Fields, identifier?: string): Uint8Array {
  const builder = new Builder();
  builder.finish(table(builder, root), identifier);
  return builder.asUint8Array().slice();
}

function table(builder: Builder, fields: Fields): number {
  const values = Object.entries(fields) as [string, Value][];
  // Vectors and tables must be complete before the table that holds them starts.
  const offsets = new Map(values.map(([field, value]) => [field, offset(builder, value)]));
  builder.startObject(1 + Math.max(-1, ...Object.keys(fields).map(Number)));
  for (const [field, value] of values) {
    const number = Number(field);
    if ('int8' in value) builder.addFieldInt8(number, value.int8, 0);
    else if ('int32' in value) builder.addFieldInt32(number, value.int32, 0);
    else if ('uint32' in value) builder.addFieldInt32(number, value.uint32 | 0, 0);
    else builder.addFieldOffset(number, offsets.get(field)!, 0);
  }
  return builder.endObject();
}

function offset(builder: Builder, value: Value): number {
  if ('text' in value) return builder.createString(value.text);
  if ('bytes' in value) return vector(builder, 1, [...value.bytes], (v) => builder.addInt8(v));
  if ('int32s' in value) return vector(builder, 4, value.int32s, (v) => builder.addInt32(v));
  if ('float32s' in value) return vector(builder, 4, value.float32s, (v) => builder.addFloat32(v));
  if ('int64s' in value) {
    return vector(builder, 8, value.int64s, (v) => builder.addInt64(BigInt(v)));
  }
  if ('table' in value) return table(builder, value.table);
  if ('tables' in value) {
    const tables = value.tables.map((fields) => table(builder, fields));
    return vector(builder, 4, tables, (v) => builder.addOffset(v));
  }
  return 0;
}

function vector(
  builder: Builder,
  bytes: number,
  values: number[],
  add: (value: number) => void,
): number {
  builder.startVector(bytes, values.length, bytes);
  [...values].reverse().forEach(add); // flatbuffers are built from the end
  return builder.endVector();
}
