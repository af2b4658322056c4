#!/usr/bin/env node
import { CommanderError } from 'commander';
import { buildProgram } from './client/shell/program.ts';
import { loadClientEnvironment } from './config/client.ts';
import { Failure, failures } from './model/failure.ts';
import { version } from './version.ts';
import { formatFailure } from './wire/message.ts';

const program = buildProgram(loadClientEnvironment(process.env), version);
try {
  await program.parseAsync();
} catch (error) {
  const failure = failureOf(error);
  if (failure) {
    process.stderr.write(
      process.argv.includes('--json')
        ? `${JSON.stringify(formatFailure(failure))}\n`
        : `secure-inv: ${failure.message}\n${failure.details.hint ? `hint: ${failure.details.hint}\n` : ''}`,
    );
    process.exitCode = failures[failure.code].exit;
  }
}

/** What to say, and undefined when all is said: help and version were asked for. */
function failureOf(error: unknown): Failure | undefined {
  if (error instanceof Failure) return error;
  if (!(error instanceof CommanderError)) throw error;
  if (error.exitCode === 0) return undefined;
  const [message = '', suggestion] = error.message.replace(/^error: /, '').split('\n');
  const sentence = `${message.charAt(0).toUpperCase()}${message.slice(1)}.`;
  const hint = suggestion?.replace(/^\(|\)$/g, '') ?? 'See: secure-inv --help';
  return new Failure(error.code === 'commander.unknownCommand' ? 'unknown-command' : 'bad-params', sentence, { hint });
}
