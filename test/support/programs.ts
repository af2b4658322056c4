import { cpSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { compilePrograms } from '../../scripts/programs.ts';

/** The programs as `npm install` compiles them, of the source as it is now. */
export interface Programs {
  readonly client: string;
  readonly server: string;
  /** All files there are, as in dist. */
  readonly folder: string;
}

const root = fileURLToPath(new URL('../..', import.meta.url));
/** Always the same, because what Node.js keeps compiled it keeps by path. */
const place = join(root, 'node_modules', '.cache', 'secure-inv');
const folder = join(place, 'dist');
/** Says to those whom a process starts that it has compiled. */
const variable = 'COMPILED_FOR_TESTS';

let compiling: Promise<void> | undefined;

/**
 * Compiles what is in src, once for a process and all that it starts. A thread or process that starts with this takes half the
 * processor time of one that has a hundred files to find and to strip of their types, and a run of all tests starts thousands.
 */
export async function compiledPrograms(): Promise<Programs> {
  compiling ??= process.env[variable] === place ? Promise.resolve() : compile();
  await compiling;
  return { folder, client: join(folder, 'secure-inv.js'), server: join(folder, 'secure-invd.js') };
}

/** Compiles, also once more. */
export async function compile(): Promise<void> {
  mkdirSync(folder, { recursive: true });
  cpSync(join(root, 'package.json'), join(place, 'package.json')); // The programs look for their version there.
  for (const { path, contents } of await compilePrograms(folder, { write: false })) {
    if (isSame(path, contents)) continue;
    // Another run may be reading it.
    const unfinished = join(dirname(path), `.${process.pid}-${basename(path)}`);
    writeFileSync(unfinished, contents);
    renameSync(unfinished, path);
  }
  process.env[variable] = place;
}

/** In vitest's process, has the code under test start its threads from what is compiled. */
export const compiledThreads = {
  name: 'compiled-threads',
  enforce: 'pre',
  transform(code: string, id: string) {
    if (!/\/src\/store\/sqlite\/(sqlite-store|file-task)\.ts$/.test(id)) return undefined;
    const source = /new URL\('\.\/([a-z-]+)\.ts', import\.meta\.url\)/;
    if (!source.test(code)) throw new Error(`${id} starts no thread the way it did: see ${import.meta.filename}.`);
    return code.replace(source, (_, name) => `new URL('${pathToFileURL(join(folder, `${name}.cjs`))}')`);
  },
} as const;

function isSame(path: string, contents: Uint8Array): boolean {
  try {
    return readFileSync(path).equals(contents);
  } catch {
    return false;
  }
}
