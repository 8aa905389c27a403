/** Reads single fields of a flatbuffer, without code generated from its schema. */

import { ByteBuffer } from 'flatbuffers';

/**
 * A flatbuffers table. Callers name a field by its number in the schema.
 *
 * An absent field reads as 0, empty or undefined. Damaged data throws a RangeError.
 */
export class Table {
  constructor(
    private readonly buffer: ByteBuffer,
    private readonly at: number,
  ) {}

  /** Returns the root table of a flatbuffer. */
  static root(data: Uint8Array): Table {
    const buffer = new ByteBuffer(data);
    return new Table(buffer, buffer.readInt32(0));
  }

  int8(field: number): number {
    const at = this.field(field);
    return at === 0 ? 0 : this.buffer.readInt8(at);
  }

  int32(field: number): number {
    const at = this.field(field);
    return at === 0 ? 0 : this.buffer.readInt32(at);
  }

  uint32(field: number): number {
    const at = this.field(field);
    return at === 0 ? 0 : this.buffer.readUint32(at);
  }

  bytes(field: number): Uint8Array {
    return Uint8Array.from(this.vector(field, 1, (at) => this.buffer.readUint8(at)));
  }

  text(field: number): string {
    return new TextDecoder().decode(this.bytes(field));
  }

  table(field: number): Table | undefined {
    const at = this.field(field);
    return at === 0 ? undefined : new Table(this.buffer, this.buffer.__indirect(at));
  }

  tables(field: number): Table[] {
    return this.vector(field, 4, (at) => new Table(this.buffer, this.buffer.__indirect(at)));
  }

  int32s(field: number): number[] {
    return this.vector(field, 4, (at) => this.buffer.readInt32(at));
  }

  int64s(field: number): number[] {
    return this.vector(field, 8, (at) => Number(this.buffer.readInt64(at)));
  }

  float32s(field: number): number[] {
    return this.vector(field, 4, (at) => this.buffer.readFloat32(at));
  }

  private field(number: number): number {
    // A vtable starts with two uint16 sizes.
    const offset = this.buffer.__offset(this.at, 4 + 2 * number);
    return offset === 0 ? 0 : this.at + offset;
  }

  private vector<T>(field: number, bytes: number, read: (at: number) => T): T[] {
    const at = this.field(field);
    if (at === 0) return [];
    const start = this.buffer.__vector(at);
    const length = this.buffer.__vector_len(at);
    if (start < 0 || length < 0 || start + length * bytes > this.buffer.capacity()) {
      throw new RangeError('a vector leaves the file');
    }
    return Array.from({ length }, (_, i) => read(start + i * bytes));
  }
}
