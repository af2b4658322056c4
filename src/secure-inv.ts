#!/usr/bin/env node
import { CommanderError } from 'commander';
import { buildProgram } from './client/shell/program.ts';
import { loadClientEnvironment } from './config/client.ts';
import { Failure, failures } from './model/failure.ts';
import { printable } from './model/printable.ts';
import { version } from './package.ts';
import { formatFailure } from './wire/message.ts';

// Whoever reads no further, as `head` does, has what they want.
process.stdout.on('error', (error) => {
  const code = 'code' in error ? error.code : error.message;
  if (code !== 'EPIPE') process.stderr.write(`secure-inv: What was found cannot be written there (${code}).\n`);
  process.exit(code === 'EPIPE' ? 0 : 2);
});
process.stderr.on('error', () => process.exit(0));

const program = buildProgram(loadClientEnvironment(process.env), version);
try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof Failure) {
    process.stderr.write(
      process.argv.includes('--json')
        ? `${JSON.stringify(formatFailure(error))}\n`
        : `secure-inv: ${printable(error.message)}\n${error.details.hint ? `hint: ${printable(error.details.hint)}\n` : ''}`,
    );
    process.exitCode = failures[error.code].exit;
  } else if (error instanceof CommanderError) {
    process.exitCode = error.exitCode; // Help or the version, which it has printed.
  } else {
    throw error;
  }
}
