import { closeSync, openSync, readFileSync, readSync, writeSync } from 'node:fs';

export const frameHeaderBytes = 24;
const frameBytes = frameHeaderBytes + 4096;

/** Where a frame of SQLite's log begins; they count from 1. */
export function frameAt(frame: number): number {
  return 32 + (frame - 1) * frameBytes;
}

/** The frames of the log that is being written; those of an older one may lie behind. */
export function liveFrames(log: string): number {
  const bytes = readFileSync(log);
  const salts = bytes.subarray(16, 24);
  let frames = 0;
  while (bytes.subarray(frameAt(frames + 1) + 8, frameAt(frames + 1) + 16).equals(salts)) frames++;
  return frames;
}

/** Flips a bit of a file; a second time it is as it was. */
export function flipBit(path: string, bit: number): void {
  const file = openSync(path, 'r+');
  try {
    const byte = Buffer.alloc(1);
    readSync(file, byte, 0, 1, bit >> 3);
    writeSync(file, Buffer.of(byte.readUInt8() ^ (1 << (bit & 7))), 0, 1, bit >> 3);
  } finally {
    closeSync(file);
  }
}
