#!/usr/bin/env node
import { CommanderError } from 'commander';
import { buildProgram } from './client/shell/program.ts';
import { loadClientEnvironment } from './config/client.ts';
import { Failure, failures } from './model/failure.ts';
import { printable } from './model/printable.ts';
import { version } from './package.ts';
import { formatFailure } from './wire/message.ts';

// Whoever reads no further, as `head` does, needs no word about it. The status is a shell's for a broken pipe.
process.stdout.on('error', (error) => {
  if ('code' in error && error.code === 'EPIPE') process.exit(141);
  throw error;
});

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
