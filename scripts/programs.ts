import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type BuildOptions, build, type OutputFile } from 'esbuild';

/** What the server's process is started with, here as by `npm start`: see "Memory stays small" in src/README.md. */
export const serverOptions: readonly string[] = ['--max-semi-space-size=8'];

const source = fileURLToPath(new URL('../src', import.meta.url));

const common: BuildOptions = {
  bundle: true,
  platform: 'node',
  format: 'esm',
  // Packages that have a form for `import` are taken in it: the other may ask for files by a path of its own.
  mainFields: ['module', 'main'],
  legalComments: 'none',
  // A tenth less to wait for, as there is less to read. Names stay, for stack traces.
  minifyWhitespace: true,
  minifySyntax: true,
  lineLimit: 160,
  // Bundled CommonJS packages ask for Node's own modules by `require`.
  banner: {
    js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
  },
};

/** The client becomes one file that runs on Node 20 too, and so does the library. */
const client: BuildOptions = {
  ...common,
  entryPoints: [join(source, 'secure-inv.ts'), join(source, 'index.ts')],
  target: 'node20',
};

/**
 * The server becomes a few files, for what not every command needs. What has files of its own beside its code, an addon or a
 * thread, stays a package.
 */
const server: BuildOptions = {
  ...common,
  entryPoints: [join(source, 'secure-invd.ts')],
  splitting: true,
  target: 'node24',
  external: ['argon2', 'pino', 'pino-pretty'],
};

/**
 * Each of its threads is one file, and shares none with it: that takes a tenth less to start, and there is one at every start. So
 * does CommonJS, for which Node need not load what resolves modules.
 */
const threads: BuildOptions = {
  ...common,
  format: 'cjs',
  banner: {},
  outExtension: { '.js': '.cjs' },
  entryPoints: ['worker.ts', 'file-worker.ts'].map((file) => join(source, 'store', 'sqlite', file)),
  target: 'node24',
};

/** What makes certificates is a file by itself: operators need it where the packages for working on this are not. */
const certificates: BuildOptions = {
  ...common,
  entryPoints: [fileURLToPath(new URL('gen-certs.ts', import.meta.url))],
  target: 'node24',
};

/** Compiles src and gen-certs without a look at its types, and hands the files back where none is written. */
export async function compilePrograms(outdir: string, { write = true } = {}): Promise<readonly OutputFile[]> {
  const results = await Promise.all(
    [client, server, threads, certificates].map((options) => build({ ...options, outdir, write, logLevel: 'warning' })),
  );
  return results.flatMap(({ outputFiles }) => outputFiles ?? []);
}
