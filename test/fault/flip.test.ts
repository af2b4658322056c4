import { copyFileSync, readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { verifyStore } from '../../src/store/files.ts';
import { openStore } from '../../src/store/open.ts';
import { assertWalIntact } from '../../src/store/sqlite/wal-check.ts';
import { intentOf, note } from '../store/intent.ts';
import { temporaryFolder } from '../support/server.ts';
import { flipBit, frameAt, frameHeaderBytes, liveFrames } from './flipped-bit.ts';
import { isLong, times } from './length.ts';
import { drawChances } from './seed.ts';

const commits = 12;
const timeout = times(60_000, 900_000);

describe('a bit that flips', () => {
  const cleanings: (() => Promise<void>)[] = [];
  let path = '';
  /** The root over all movements, as it is told by a store in which nothing has flipped. */
  let root = '';

  // A store that was killed: most of it in the database, the last commits in the log.
  beforeAll(async () => {
    const folder = await temporaryFolder((clean) => cleanings.push(clean));
    const live = join(folder, 'live.db');
    path = join(folder, 'killed', 'inv.db');
    await mkdir(join(folder, 'killed'));
    const open = () => openStore(`sqlite:${live}`, { exclusive: true });
    const before = await open();
    await before.addUser(note, 'anna', 'clerk', null, 1);
    for (let n = 1; n <= 200; n++) await before.apply(intentOf('add', [[`Item ${n % 40}`, n]]), n);
    await before.close();
    const store = await open();
    for (let n = 1; n <= commits; n++) await store.apply(intentOf('add', [['Soap', n]]), n);
    for (const end of ['', '-wal']) copyFileSync(`${live}${end}`, `${path}${end}`);
    await store.close();
    ({ root } = await verifyStore(`sqlite:${path}`, () => undefined));
  });

  afterAll(async () => {
    for (const clean of cleanings) await clean();
  });

  async function withFlipped<T>(file: string, bit: number, use: () => T | Promise<T>): Promise<T> {
    flipBit(file, bit);
    try {
      return await use();
    } finally {
      flipBit(file, bit);
    }
  }

  /** The frames in which the commits end. */
  function commitFrames(): readonly number[] {
    const log = readFileSync(`${path}-wal`);
    const all = Array.from({ length: liveFrames(`${path}-wal`) }, (_, at) => at + 1);
    return all.filter((frame) => log.readUInt32BE(frameAt(frame) + 4) !== 0);
  }

  test('in the log before its last commit is damage, wherever it is', { timeout }, async () => {
    const last = commitFrames().at(-2) ?? 0;
    const chance = drawChances();
    const bits: number[] = [];
    for (let frame = 1; frame <= last; frame++) {
      const header = Array.from({ length: frameHeaderBytes * 8 }, (_, bit) => frameAt(frame) * 8 + bit);
      bits.push(...(isLong || frame === last ? header : header.filter(() => chance() < 0.03)));
      for (let page = 0; page < times(1, 64); page++) {
        bits.push((frameAt(frame) + frameHeaderBytes) * 8 + Math.floor(chance() * 4096 * 8));
      }
    }
    const missed: number[] = [];
    for (const bit of bits) {
      await withFlipped(`${path}-wal`, bit, () => {
        try {
          assertWalIntact(path);
          missed.push(bit);
        } catch {
          // So it is found.
        }
      });
    }
    if (isLong) console.info(`${bits.length} bits`);
    expect(missed).toEqual([]);
  });

  test('in the database or the log is found, or leaves every movement and balance as it was', { timeout }, async () => {
    const chance = drawChances();
    const found = { '': 0, '-wal': 0 };
    for (let round = 0; round < times(12, 1500); round++) {
      const end = round % 2 === 0 ? '' : '-wal';
      const bits = end === '' ? readFileSync(path).length * 8 : frameAt((commitFrames().at(-2) ?? 0) + 1) * 8;
      const bit = Math.floor(chance() * bits);
      await withFlipped(`${path}${end}`, bit, async () => {
        const checked = await verifyStore(`sqlite:${path}`, () => undefined).catch((error: unknown) => error);
        if (checked instanceof Error) found[end]++;
        else expect(checked, `bit ${bit} of ${end}`).toHaveProperty('root', root);
      });
    }
    if (isLong) console.info(found);
    expect(found['-wal']).toBeGreaterThan(0);
    // Of a dozen bits all may fall where nothing is written.
    if (isLong) expect(found['']).toBeGreaterThan(0);
  });
});
