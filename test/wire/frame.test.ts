import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LineDecoder } from '../../src/wire/frame.ts';

const newline = 0x0a;
const bytesMax = 40;

/** What a decoder gives for these chunks when its owner takes all lines after each: the lines, and whether it refused. */
function decode(chunks: readonly Uint8Array[]): { lines: string[]; refused: boolean } {
  const decoder = new LineDecoder();
  const lines: string[] = [];
  try {
    for (const chunk of chunks) {
      decoder.push(Uint8Array.from(chunk));
      for (let line = decoder.next(bytesMax); line; line = decoder.next(bytesMax)) {
        lines.push(Buffer.from(line).toString('hex'));
      }
    }
  } catch {
    return { lines, refused: true };
  }
  return { lines, refused: false };
}

function cut(bytes: Uint8Array, sizes: readonly number[]): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  let at = 0;
  for (let turn = 0; at < bytes.length; turn++) {
    const size = sizes[turn % sizes.length] ?? bytes.length;
    chunks.push(bytes.subarray(at, at + size));
    at += size;
  }
  return chunks;
}

/** The definition, on all bytes at once. */
function split(bytes: Uint8Array): { lines: string[]; refused: boolean } {
  const lines: string[] = [];
  let start = 0;
  for (;;) {
    const end = bytes.indexOf(newline, start);
    const stop = end === -1 ? bytes.length : end;
    if (stop - start > bytesMax) return { lines, refused: true };
    if (end === -1) return { lines, refused: false };
    lines.push(Buffer.from(bytes.subarray(start, end)).toString('hex'));
    start = end + 1;
  }
}

/** Bytes with many newlines, and lines about as long as is allowed. */
const streams = fc
  .array(fc.oneof(fc.uint8Array({ maxLength: bytesMax + 2 }), fc.constant(Uint8Array.of(newline))), { maxLength: 20 })
  .map((parts) => Uint8Array.from(parts.flatMap((part) => [...part])));

describe('LineDecoder', () => {
  test('gives the same lines, and the same refusal, for any cutting of the same bytes', () => {
    const cuttings = fc.oneof(
      fc.constantFrom([1], [7], [1_000_000], [1, 7, 40, 41], [bytesMax, 1]),
      fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 8 }),
    );
    fc.assert(
      fc.property(streams, cuttings, (bytes, sizes) => {
        expect(decode(cut(bytes, sizes))).toEqual(split(bytes));
      }),
      { numRuns: 2000 },
    );
  });

  test('gives the same lines when its owner takes them late', () => {
    fc.assert(
      fc.property(streams, fc.array(fc.nat({ max: 3 }), { minLength: 1 }), (bytes, patience) => {
        const expected = split(bytes);
        fc.pre(!expected.refused);
        const decoder = new LineDecoder();
        const lines: string[] = [];
        const take = (count: number) => {
          for (let taken = 0; taken < count; taken++) {
            const line = decoder.next(bytesMax);
            if (!line) return;
            lines.push(Buffer.from(line).toString('hex'));
          }
        };
        for (const [at, chunk] of cut(bytes, [5, 11]).entries()) {
          decoder.push(Uint8Array.from(chunk));
          take(patience[at % patience.length] ?? 0);
        }
        take(Number.POSITIVE_INFINITY);
        expect(lines).toEqual(expected.lines);
      }),
    );
  });

  test('does not keep or change the chunks it was given', () => {
    const decoder = new LineDecoder();
    const first = Uint8Array.from(Buffer.from('ab'));
    decoder.push(first);
    expect(decoder.next(bytesMax)).toBeUndefined();
    decoder.push(Uint8Array.from(Buffer.from('cd\nx')));
    expect(Buffer.from(decoder.next(bytesMax) ?? []).toString()).toBe('abcd');
    expect(Buffer.from(first).toString()).toBe('ab');
  });

  test('takes a line of 64 KiB byte by byte in about linear time', () => {
    const timed = (bytes: number) => {
      const decoder = new LineDecoder();
      const started = performance.now();
      for (let sent = 0; sent < bytes; sent++) {
        decoder.push(Uint8Array.of(0x78));
        decoder.next(bytes);
      }
      return performance.now() - started;
    };
    timed(2 ** 16);
    // Quadratic work would be 64 times as much for 8 times the bytes.
    expect(timed(2 ** 19)).toBeLessThan(40 * Math.max(2, timed(2 ** 16)));
  });
});
