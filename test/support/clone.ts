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
  const { folder: dist, client } = await compiledPrograms();
  await cp(dist, inClone('dist'), { recursive: true });
  // The client is started by the hundred. It is the same for all clones, so that Node.js keeps it compiled, and reads none of
  // the authorities that come with Node.js, which it does not ask. Together that is a sixth of its processor time.
  const cache = process.env['NODE_COMPILE_CACHE'];
  const cached = cache === undefined ? '' : `NODE_COMPILE_CACHE='${cache}'`;
  const command = async (name: string, script: string) =>
    writeFile(inClone('bin', name), `#!/bin/sh\n${script} "$@"\n`, { mode: 0o755 });
  await command('secure-inv', `${cached} exec '${process.execPath}' --use-openssl-ca '${client}'`);
  await command('secure-invd', `exec '${process.execPath}' '${inClone('dist', 'secure-invd.js')}'`);
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
