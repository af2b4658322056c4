import { fileURLToPath } from 'node:url';
import type { BuildOptions } from 'esbuild';

/** How the client becomes one file that runs on Node 20 too: a person waits for every module that is looked up. */
export const clientBundle = {
  entryPoints: [fileURLToPath(new URL('../src/secure-inv.ts', import.meta.url))],
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  legalComments: 'none',
  // A tenth less to wait for, as there is less to read. Names stay, for stack traces.
  minifyWhitespace: true,
  minifySyntax: true,
  lineLimit: 160,
  // Bundled CommonJS packages ask for Node's own modules by `require`.
  banner: {
    js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
  },
} as const satisfies BuildOptions;
