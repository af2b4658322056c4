import { join } from 'node:path';
import { defineConfig } from 'vitest/config';
import { compiledThreads } from './test/support/programs.ts';

/**
 * Each store has a thread, which strips the types off all it imports. Kept, that is done once: half the time of the
 * tests of the store, and not a thousand runs of a WebAssembly module that, in one test run of ten, ended in a V8 abort.
 */
process.env['NODE_COMPILE_CACHE'] ??= join(import.meta.dirname, 'node_modules/.cache/node');

// Authorities of this machine's own, which every process would read before it asks none but the test's.
delete process.env['NODE_EXTRA_CA_CERTS'];

export default defineConfig({
  plugins: [compiledThreads],
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    globalSetup: ['test/support/compiled.ts'],
    setupFiles: ['test/support/each-file.ts'],
    // Loading all modules again for each file would take a tenth of the time.
    isolate: false,
    // One more than the cores that CI has, because many tests wait for something: a deadline, another process.
    maxWorkers: 3,
  },
});
