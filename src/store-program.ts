import { rmSync } from 'node:fs';
import type { Command } from 'commander';
import { backUpStore, restoreStore, unfinishedName, verifyBackup, verifyStore } from './store/files.ts';

type Progress = Parameters<Parameters<typeof verifyBackup>[1]>[0];

const steps: Readonly<Record<Progress['step'], string>> = {
  copying: 'Copying',
  hashing: 'Reading',
  checking: 'Checking the ledger',
};

/** Adds what the owner of the host does with the store as a whole. `store` reads the configuration when it is time. */
export function addStoreCommands(program: Command, store: () => string): void {
  const backup = program
    .command('backup')
    .description('Write the whole store into a new file, checked, with its hash beside it; a running server goes on.')
    .argument('<file>', 'the backup, which must not be there; FILE.sha256 is made beside it')
    .addHelpText(
      'after',
      '\nIt has the password hashes of all users, and no keys: keep it where nobody else reads, the keys somewhere else.\n\nExamples:\n  secure-invd backup /mnt/backup/secure-inv-2026-05-03.db',
    )
    .action((file: string) => printBackup(store(), file));
  backup
    .command('verify')
    .description('Check a backup: its hash, every movement, the root, and every balance.')
    .argument('<file>', 'the backup')
    .addHelpText('after', '\nExamples:\n  secure-invd backup verify /mnt/backup/secure-inv-2026-05-03.db')
    .action(printVerified);
  program
    .command('restore')
    .description('Make the store of a backup where there is none; all logins, API tokens and enrolment links end.')
    .argument('<file>', 'the backup')
    .addHelpText(
      'after',
      '\nPasswords, roles, disabled users and certificates are as they were when the backup was made.\n\nExamples:\n  secure-invd restore /mnt/backup/secure-inv-2026-05-03.db\n  secure-invd restore --store sqlite:elsewhere/inv.db /mnt/backup/secure-inv-2026-05-03.db',
    )
    .action((file: string) => printRestored(store(), file));
  const ledger = program.command('ledger').description('Work with the ledger of movements.');
  ledger
    .command('verify')
    .description('Compute every hash, the root and every balance again from the movements; a running server goes on.')
    .addHelpText('after', '\nExamples:\n  secure-invd ledger verify')
    .action(() => printLedger(store()));
}

async function printBackup(store: string, file: string): Promise<void> {
  const unfinished = unfinishedName(file);
  const { movements, schema, root, hash } = await leavingNothing(unfinished, () =>
    withProgress((told) => backUpStore(store, file, told, unfinished)),
  );
  print(
    `${file} is a backup of ${movements} movements (schema ${schema}); its hash is in ${file}.sha256.`,
    `Root: ${root}`,
    `SHA-256: ${hash}`,
    'Keep a copy of the SHA-256 where whoever can write the backup cannot: only that tells that nobody has changed it.',
    'It has the password hashes of all users, and no keys: keep it where nobody else reads.',
  );
}

async function printVerified(file: string): Promise<void> {
  const { movements, balances, schema, root, hash, at } = await withProgress((told) => verifyBackup(file, told));
  print(
    `${file} is good: ${movements} movements, ${balances} balances, schema ${schema}, made ${new Date(at).toISOString()}.`,
    `Root: ${root}`,
    `SHA-256: ${hash}`,
  );
}

async function printRestored(store: string, file: string): Promise<void> {
  const { movements, root, at, ended } = await withProgress((told) => restoreStore(store, file, told));
  const made = new Date(at).toISOString();
  print(
    `${store.slice('sqlite:'.length)} has the ${movements} movements that there were at ${made}.`,
    `Root: ${root}`,
    `Ended: ${ended.sessions} logins, ${ended.apiTokens} API tokens, ${ended.enrolments} enrolment links. Passwords, roles and certificates are those of ${made}:`,
    'whom you have reset, disabled or demoted since, do it again, and revoke their certificates (npm run gen-certs -- revoke USER).',
  );
}

async function printLedger(store: string): Promise<void> {
  const { movements, balances, root, mended } = await withProgress((told) => verifyStore(store, told));
  print(`The ledger is whole: ${movements} movements, ${balances} balances.`, `Root: ${root}`);
  if (mended === undefined) return;
  print(
    `A server had found it damaged, and takes changes again when it is started anew: ${mended}`,
    'Whatever mended it, look at the disk and the memory of this machine.',
  );
}

function print(...lines: readonly string[]): void {
  process.stdout.write(`${lines.join('\n')}\n`);
}

/**
 * Deletes the file when somebody ends the program before its work is done. Then the signal does what it does without us,
 * at once: the end of a process waits for its threads, and one that copies a store hears of nothing.
 */
async function leavingNothing<T>(file: string, work: () => Promise<T>): Promise<T> {
  const signals = ['SIGINT', 'SIGTERM'] as const; // Not SIGHUP, which nohup had it ignore.
  const leave = (signal: NodeJS.Signals) => {
    for (const end of ['', '-journal']) rmSync(`${file}${end}`, { force: true });
    forget();
    process.kill(process.pid, signal);
  };
  const forget = () => {
    for (const signal of signals) process.off(signal, leave);
  };
  for (const signal of signals) process.on(signal, leave);
  try {
    return await work();
  } finally {
    forget();
  }
}

/** Shows on a terminal how far a work is, in one line that is gone when it is done. */
async function withProgress<T>(work: (told: (progress: Progress) => void) => Promise<T>): Promise<T> {
  const { stderr } = process;
  if (!stderr.isTTY) return work(() => undefined);
  try {
    return await work(({ step, done, all }) => {
      const percent = all === 0 ? 100 : Math.floor((100 * done) / all);
      stderr.write(`\r${steps[step]}: ${percent} %\x1b[K`);
    });
  } finally {
    stderr.write('\r\x1b[K');
  }
}
