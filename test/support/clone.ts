import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compiledPrograms } from './programs.ts';

const original = fileURLToPath(new URL('../..', import.meta.url));

/** What a test server needs to be told: any free port, the cheapest passwords that are allowed, and no chatter. */
const config = {
  listen: { port: 0 },
  auth: { password: { memoryKibibytes: 19456, passes: 2 } },
  log: { level: 'error' },
};

/** The project in a temporary folder, as `npm install` leaves it but for its sources, with people who use it. */
export interface Clone {
  readonly folder: string;
  /** The environment of somebody with a home folder of their own here, and of nobody's variables. */
  environment(account: string): Record<string, string>;
  remove(): Promise<void>;
}

/** Makes a clone that nothing outside its folder depends on: no fixed port, home, certificates or data. */
export async function makeClone(): Promise<Clone> {
  const folder = await mkdtemp(join(tmpdir(), 'secure-inv-clone-'));
  const inClone = (...path: string[]) => join(folder, ...path);
  for (const name of ['bin', 'config', 'home']) await mkdir(inClone(name));
  await cp(join(original, 'package.json'), inClone('package.json'));
  await symlink(join(original, 'node_modules'), inClone('node_modules'));
  await writeFile(inClone('config', 'server.jsonc'), `${JSON.stringify(config, null, 2)}\n`);
  await cp((await compiledPrograms()).folder, inClone('dist'), { recursive: true });
  for (const name of ['secure-inv', 'secure-invd']) {
    const script = `#!/bin/sh\nexec '${process.execPath}' '${inClone('dist', `${name}.js`)}' "$@"\n`;
    await writeFile(inClone('bin', name), script, { mode: 0o755 });
  }
  return {
    folder,
    environment: (account) => ({
      HOME: inClone('home', account),
      PATH: [inClone('bin'), dirname(process.execPath), process.env['PATH']].join(delimiter),
      LANG: 'C.UTF-8',
      TMPDIR: tmpdir(),
    }),
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}
