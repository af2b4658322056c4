import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

/** Writes the client as one file that runs on Node 20 too: a person waits for every module that is looked up. */
export async function bundleClient(outfile: string): Promise<void> {
  await build({
    entryPoints: [fileURLToPath(new URL('../src/secure-inv.ts', import.meta.url))],
    outfile,
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
}
