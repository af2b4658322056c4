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
  if (code === 'EPIPE') process.exit(); // With the status that the command has so far.
  process.stderr.write(
    `secure-inv: The answer cannot be written there (${code}). What was asked may have been done.\n`,
  );
  process.exit(2);
});
// Whom nobody listens to goes on all the same: what the status says is not to hang on it.
process.stderr.on('error', () => undefined);

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
