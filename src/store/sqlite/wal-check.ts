import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { Failure } from '../../model/failure.ts';

/** https://www.sqlite.org/fileformat2.html#walformat; the last bit of the magic number says how checksums read words. */
const magicNumber = 0x377f0682;
const headerBytes = 32;
const frameHeaderBytes = 24;
/** So many times a finding must be the same: beside a program that writes, one look can see half of a change. */
const looks = 3;

interface WalDamage {
  /** The first frame that is not what was written; 0 is the log's header. */
  readonly frame: number;
  readonly frames: number;
  /** Commits behind it that are whole, and that SQLite would cut away without a word. */
  readonly commits: number;
}

type Checksum = readonly [number, number];

/**
 * Walks SQLite's log before SQLite does, because SQLite ends it at the first wrong checksum, says nothing, and so loses
 * what was acknowledged. A commit that is only begun (a torn tail) is no damage: nobody was told of it. What cannot be
 * told from a torn tail is damage in the very last frame. Failures: `storage`.
 */
export function assertWalIntact(path: string): void {
  const file = `${path}-wal`;
  let found = findDamage(file);
  for (let same = 1; found && same < looks; ) {
    const again = findDamage(file);
    same = again?.frame === found.frame ? same + 1 : 1;
    found = again;
  }
  if (!found) return;
  const where = found.frame === 0 ? 'its header' : `frame ${found.frame} of ${found.frames}`;
  throw new Failure(
    'storage',
    `The log of the store, ${file}, is damaged: ${where} is not what was written, and of what was acknowledged later ${found.commits} commit(s) can still be told.`,
    {
      hint: `Nothing was changed. Keep a copy of ${path} and ${file}, move them away, and restore the newest backup: secure-invd restore FILE`,
    },
  );
}

function findDamage(path: string): WalDamage | undefined {
  const file = open(path);
  if (file === undefined) return undefined;
  try {
    return walk(file);
  } finally {
    closeSync(file);
  }
}

function open(path: string): number | undefined {
  try {
    return openSync(path, 'r');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

function walk(file: number): WalDamage | undefined {
  const header = new DataView(new ArrayBuffer(headerBytes));
  if (readSync(file, header, 0, headerBytes, 0) < headerBytes) return undefined;
  const magic = header.getUint32(0);
  const isKnown = (magic | 1) === (magicNumber | 1);
  const isLittle = isKnown ? magic === magicNumber : new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;
  const pageBytes = header.getUint32(8);
  if (!isPageSize(pageBytes)) return undefined; // Not a log at all, or of nothing that could be told.
  const isHeaderGood = isKnown && equal(sum([0, 0], header, 0, 24, isLittle), checksumAt(header, 24));
  const frame = new DataView(new ArrayBuffer(frameHeaderBytes + pageBytes));
  const frames = Math.floor((fstatSync(file).size - headerBytes) / frame.byteLength);
  const salts: Checksum = checksumAt(header, 16);
  let before = checksumAt(header, 24);
  let bad = isHeaderGood ? undefined : { frame: 0, wasWritten: true };
  let commits = 0;
  let isLaterThanCommit = false;
  for (let number = 1; number <= frames; number++) {
    const at = headerBytes + (number - 1) * frame.byteLength;
    if (readSync(file, frame, 0, frame.byteLength, at) < frame.byteLength) break;
    const [salt, otherSalt] = checksumAt(frame, 8);
    const isOfThisLog = salt === salts[0] && otherSalt === salts[1];
    // Each new log has two new salts: with one of them a frame is this log's, and the other is what has changed.
    const wasWritten = salt === salts[0] || otherSalt === salts[1];
    // From the checksum that the frame before has, right or wrong, so that what follows a wrong one can be told.
    const begun = sum(before, frame, 0, 8, isLittle);
    before = checksumAt(frame, 16);
    const isGood = isOfThisLog && equal(sum(begun, frame, frameHeaderBytes, pageBytes, isLittle), before);
    if (!isGood) bad ??= { frame: number, wasWritten };
    else if (bad) {
      if (commits > 0) isLaterThanCommit = true;
      if (frame.getUint32(4) !== 0) commits++;
    }
  }
  // Frames of an older log in the midst of the last commit never reached the disk: a power cut, before the reply. What
  // was begun and taken back leaves good frames, but no commit.
  const isDamage = bad !== undefined && commits > 0 && (bad.wasWritten || isLaterThanCommit);
  return isDamage && bad ? { frame: bad.frame, frames, commits } : undefined;
}

function isPageSize(bytes: number): boolean {
  return bytes >= 512 && bytes <= 65536 && (bytes & (bytes - 1)) === 0;
}

function checksumAt(view: DataView, at: number): Checksum {
  return [view.getUint32(at), view.getUint32(at + 4)];
}

function equal([a, b]: Checksum, [c, d]: Checksum): boolean {
  return a === c && b === d;
}

/** SQLite's checksum of the words from `at` on, continuing another. */
function sum([first, second]: Checksum, view: DataView, at: number, bytes: number, isLittle: boolean): Checksum {
  let a = first;
  let b = second;
  for (let word = at; word < at + bytes; word += 8) {
    a = (a + view.getUint32(word, isLittle) + b) >>> 0;
    b = (b + view.getUint32(word + 4, isLittle) + a) >>> 0;
  }
  return [a, b];
}
