import { join } from 'node:path';
import { defineConfig } from 'vitest/config';
import { compiledThreads } from '../support/programs.ts';

// npm run test:fault: the tests of this folder, which are also part of npm test, at length.
process.env['SECURE_INV_FAULT'] = 'long';
process.env['SECURE_INV_SEED'] ??= String(Date.now() % 2 ** 31);
// Others read this file too, such as knip.
if (process.env['VITEST'])
  console.info(`To draw the same chances again: SECURE_INV_SEED=${process.env['SECURE_INV_SEED']}`);
process.env['NODE_COMPILE_CACHE'] ??= join(import.meta.dirname, '../../node_modules/.cache/node');

export default defineConfig({
  plugins: [compiledThreads],
  test: {
    root: join(import.meta.dirname, '../..'),
    include: ['test/fault/**/*.test.ts'],
    globalSetup: ['test/support/compiled.ts'],
    testTimeout: 900_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
  },
});
