import { execFileSync } from 'node:child_process';
import { chmod, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

// What `npm install` runs: dist/ with the programs and the library, compiled from src/.
const root = fileURLToPath(new URL('..', import.meta.url));
const compiler = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin', 'tsc');

await rm(join(root, 'dist'), { recursive: true, force: true });
execFileSync(process.execPath, [compiler, '--project', join(root, 'tsconfig.build.json')], { stdio: 'inherit' });

// The client is one file: a person waits for every module that is looked up.
await build({
  entryPoints: [join(root, 'src', 'secure-inv.ts')],
  outfile: join(root, 'dist', 'secure-inv.js'),
  allowOverwrite: true,
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  legalComments: 'none',
  // Bundled CommonJS packages ask for Node's own modules by `require`.
  banner: {
    js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
  },
});
for (const program of ['secure-inv.js', 'secure-invd.js']) await chmod(join(root, 'dist', program), 0o755);
