import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { GroupCommit } from './group-commit.ts';
import { LedgerPass } from './ledger-pass.ts';
import { type Call, type FromWorker, formatError, type ToWorker, type WorkerOptions } from './message.ts';
import { Outbox } from './outbox.ts';
import { openStoreFiles, type StoreFiles } from './store-files.ts';

/** How often it is looked at what others do to the store's file. */
const lookMilliseconds = 1000;

/** The port to main; this file is only ever run as a worker. */
const port = parentPort;
if (!port) throw new Error('worker.ts is started by sqlite-store.ts.');

function send(message: FromWorker): void {
  port?.postMessage(message);
}

/** What this thread warns of is told by the main one: a warning stays in its thread, and would be no line of the log. */
process.removeAllListeners('warning');
process.on('warning', ({ name, message }) => send({ warning: message, name }));

function open(): StoreFiles | undefined {
  try {
    return openStoreFiles(workerData as WorkerOptions); // sqlite-store.ts is the only one to start this.
  } catch (error) {
    send({ refused: formatError(error) });
    return undefined;
  }
}

function serve({ id, database, lock, gate }: StoreFiles): void {
  const { webhooks = [] } = workerData as WorkerOptions; // As above.
  const outbox = new Outbox(database, webhooks);
  const commits = new GroupCommit(database, () => send('outside-change'), { gate, outbox });
  const pass = lock && !gate.isDamaged ? new LedgerPass(database, (damage) => gate.noteDamage(damage)) : undefined;
  const timer = setInterval(() => {
    gate.lookAtPlace();
    commits.lookForOutsideChange();
  }, lookMilliseconds);
  port?.on('message', (first: ToWorker) => {
    const { calls, isClosing } = drain(first);
    if (calls.length > 0) {
      const replies = commits.run(calls);
      const lowStock = outbox.takeNews();
      if (lowStock) send({ lowStock }); // First, so that whoever has the reply can count on the rest having been told.
      send({ replies, size: commits.size, commit: commits.commit });
    }
    if (!isClosing) return;
    clearInterval(timer);
    pass?.close();
    database.close();
    lock?.release();
    port?.close();
  });
  send({ opened: id });
}

/** Everything that was queued while the last commit ran: the next batch. */
function drain(first: ToWorker): { calls: readonly Call[]; isClosing: boolean } {
  const calls: Call[] = [];
  let message: ToWorker | undefined = first;
  while (message !== undefined) {
    if (message === 'close') return { calls, isClosing: true };
    calls.push(...message);
    const next: { message: ToWorker } | undefined = port ? receiveMessageOnPort(port) : undefined;
    message = next?.message;
  }
  return { calls, isClosing: false };
}

const files = open();
if (files) serve(files);
