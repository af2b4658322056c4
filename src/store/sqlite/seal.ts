import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { Failure } from '../../model/failure.ts';
import { writePrivately } from './private-copy.ts';

/** What a backup says of itself, beside it. */
export interface Seal {
  /** SHA-256 of the backup, hexadecimal. */
  readonly hash: string;
  readonly schema: number;
  readonly movements: number;
  /** The root over all movements, hexadecimal. */
  readonly root: string;
  /** The store that it is a backup of. */
  readonly store: string;
  /** Milliseconds since 1970. */
  readonly at: number;
}

const pattern =
  /^# secure-inv backup: schema (\d+), (\d+) movements, root ([0-9a-f]{64}), store ([0-9a-f-]{36}), made (\S+)\n([0-9a-f]{64}) /;

/** The file beside a backup; `sha256sum -c` takes it, too. */
export function sealFileOf(backup: string): string {
  return `${backup}.sha256`;
}

/** Failures: those of node:fs. */
export function writeSeal(backup: string, { hash, schema, movements, root, store, at }: Seal): void {
  const about = `schema ${schema}, ${movements} movements, root ${root}, store ${store}, made ${new Date(at).toISOString()}`;
  writePrivately(sealFileOf(backup), `# secure-inv backup: ${about}\n${hash}  ${basename(backup)}\n`);
}

/** Failures: `not-found` when the file is missing, `bad-params` when it is none. */
export function readSeal(backup: string): Seal {
  const file = sealFileOf(backup);
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    throw new Failure('not-found', `${backup} has no hash: ${file} cannot be read.`, {
      hint: 'A backup is two files, both made by `secure-invd backup`; it is worth nothing without its hash.',
    });
  }
  const [, schema, movements, root = '', store = '', made = '', hash = ''] = pattern.exec(text) ?? [];
  const at = Date.parse(made);
  if (hash === '' || Number.isNaN(at)) {
    throw new Failure('bad-params', `${file} is not the hash of a backup of secure-inv.`, {
      hint: 'Use another backup.',
    });
  }
  return { hash, schema: Number(schema), movements: Number(movements), root, store, at };
}
