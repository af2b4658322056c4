import { execFileSync } from 'node:child_process';
import { chmod, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compilePrograms } from './programs.ts';

// What `npm install` runs: dist/ with the programs and the library, and with the types that the library has.
const root = fileURLToPath(new URL('..', import.meta.url));
const compiler = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin', 'tsc');

await rm(join(root, 'dist'), { recursive: true, force: true });
execFileSync(process.execPath, [compiler, '--project', join(root, 'tsconfig.build.json')], { stdio: 'inherit' });

await compilePrograms(join(root, 'dist'));
for (const program of ['secure-inv.js', 'secure-invd.js']) await chmod(join(root, 'dist', program), 0o755);
