import { Worker } from 'node:worker_threads';
import { Failure } from '../../model/failure.ts';
import type { LowStockNews } from '../../model/low-stock.ts';
import type { StockQuery } from '../../model/stock.ts';
import type { OpenOptions } from '../open.ts';
import type { StockPage, Store } from '../store.ts';
import {
  type Call,
  type FromWorker,
  isWrite,
  type Method,
  type Methods,
  parseError,
  parsePage,
  type ToWorker,
  type WorkerOptions,
} from './message.ts';

/** A turn with more calls than this sends these ahead, so that the worker need not wait for the end of a long one. */
const callsMax = 256;

interface Pending {
  readonly method: Method;
  // A reply is the result of the very method that was called, which the types of a map cannot say.
  resolve(result: unknown): void;
  reject(error: Error): void;
}

type Arguments<M extends Method> = Parameters<Store[M]>;
type Result<M extends Method> = ReturnType<Methods[M]>;

/** As `openStore`, for a path. */
export async function openSqliteStore(path: string, { exclusive, webhooks = [] }: OpenOptions): Promise<Store> {
  const source = new URL('./worker.ts', import.meta.url);
  // Compiled, the worker lies beside this file, too.
  const url = import.meta.url.endsWith('.ts') ? source : new URL(source.href.replace(/ts$/, 'cjs'));
  const workerData: WorkerOptions = { path, exclusive, webhooks };
  const worker = new Worker(url, { workerData, execArgv: ['--disable-warning=ExperimentalWarning'] });
  return SqliteStore.open(worker);
}

/** The main thread's side: each method is a message, and the calls of one turn of the event loop share one. */
export class SqliteStore implements Store {
  readonly #worker: Worker;
  readonly #pending = new Map<number, Pending>();
  readonly #listeners = new Set<() => void>();
  readonly #growthListeners = new Set<(size: number) => void>();
  readonly #lowStockListeners = new Set<(news: LowStockNews) => void>();
  readonly #opened = Promise.withResolvers<string>();
  readonly #ended: Promise<void>;
  #onCommit: ((writes: number, seconds: number, isDone: boolean) => void) | undefined;
  #id = '';
  #size = 0;
  #queue: Call[] = [];
  #lastCall = 0;
  #isEnded = false;
  #isClosing = false;

  private constructor(worker: Worker) {
    this.#worker = worker;
    // Once and for the worker's whole life: without a listener for a moment, its port stops delivering.
    worker.on('message', (message: FromWorker) => this.#receive(message));
    worker.on('error', (error) => this.#fail(error));
    this.#ended = new Promise((resolve) => {
      worker.once('exit', () => {
        this.#end();
        resolve();
      });
    });
  }

  static async open(worker: Worker): Promise<Store> {
    const store = new SqliteStore(worker);
    store.#id = await store.#opened.promise;
    return store;
  }

  get id(): string {
    return this.#id;
  }

  readonly #viewCrossed = this.#method('view');
  view = async (query: StockQuery): Promise<StockPage> => parsePage(await this.#viewCrossed(query));
  apply = this.#method('apply');
  history = this.#method('history');
  movementsAfter = this.#method('movementsAfter');
  head = this.#method('head');
  beginImport = this.#method('beginImport');
  stageRows = this.#method('stageRows');
  checkImport = this.#method('checkImport');
  acceptImport = this.#method('acceptImport');
  importStatus = this.#method('importStatus');
  rollImports = this.#method('rollImports');
  locations = this.#method('locations');
  addLocation = this.#method('addLocation');
  renameLocation = this.#method('renameLocation');
  archiveLocation = this.#method('archiveLocation');
  editItem = this.#method('editItem');
  itemDetails = this.#method('itemDetails');
  users = this.#method('users');
  addUser = this.#method('addUser');
  setRole = this.#method('setRole');
  setScope = this.#method('setScope');
  setEnabled = this.#method('setEnabled');
  setPassword = this.#method('setPassword');
  setPasswordHash = this.#method('setPasswordHash');
  resetUser = this.#method('resetUser');
  redeemEnrolment = this.#method('redeemEnrolment');
  saveThrottle = this.#method('saveThrottle');
  touch = this.#method('touch');
  throttles = this.#method('throttles');
  sessions = this.#method('sessions');
  addSession = this.#method('addSession');
  rotateSession = this.#method('rotateSession');
  endSession = this.#method('endSession');
  apiTokens = this.#method('apiTokens');
  addApiToken = this.#method('addApiToken');
  removeApiToken = this.#method('removeApiToken');
  noteApiTokenUse = this.#method('noteApiTokenUse');
  addDevice = this.#method('addDevice');
  hasDevice = this.#method('hasDevice');
  audit = this.#method('audit');
  auditRefusals = this.#method('auditRefusals');
  auditRecords = this.#method('auditRecords');
  forgetAudit = this.#method('forgetAudit');
  nextDelivery = this.#method('nextDelivery');
  hastenDeliveries = this.#method('hastenDeliveries');
  endDelivery = this.#method('endDelivery');
  postponeDelivery = this.#method('postponeDelivery');
  forgetDeliveries = this.#method('forgetDeliveries');
  waitingDeliveries = this.#method('waitingDeliveries');
  health = this.#method('health');

  onOutsideChange(listener: () => void): void {
    this.#listeners.add(listener);
  }

  onGrowth(listener: (size: number) => void): void {
    this.#growthListeners.add(listener);
  }

  onLowStock(listener: (news: LowStockNews) => void): void {
    this.#lowStockListeners.add(listener);
  }

  onCommit(listener: (writes: number, seconds: number, isDone: boolean) => void): void {
    this.#onCommit = listener;
  }

  close(): Promise<void> {
    if (!this.#isClosing) {
      this.#flush();
      this.#isClosing = true;
      this.#send('close');
    }
    return this.#ended;
  }

  #method<M extends Method>(method: M): (...args: Arguments<M>) => Promise<Result<M>> {
    return (...args) =>
      new Promise<Result<M>>((resolve, reject) => {
        if (this.#isEnded) return reject(this.#isClosing ? closed() : lost(method));
        if (this.#isClosing) return reject(closed());
        const id = ++this.#lastCall;
        // The worker answers a call with the result of its own method.
        this.#pending.set(id, { method, resolve: (result) => resolve(result as Result<M>), reject });
        // Not a microtask: that would run after each socket's data and make a batch of each.
        if (this.#queue.length === 0) setImmediate(() => this.#flush());
        this.#queue.push([id, method, args]);
        if (this.#queue.length === callsMax) this.#flush();
      });
  }

  #flush(): void {
    if (this.#queue.length === 0) return;
    const calls = this.#queue;
    this.#queue = [];
    this.#send(calls);
  }

  #send(message: ToWorker): void {
    this.#worker.postMessage(message);
  }

  #receive(message: FromWorker): void {
    if (message === 'outside-change') {
      for (const listener of this.#listeners) listener();
    } else if ('replies' in message) {
      for (const [id, result, error] of message.replies) {
        const pending = this.#pending.get(id);
        this.#pending.delete(id);
        if (error) pending?.reject(parseError(error));
        else pending?.resolve(result);
      }
      this.#noteSize(message.size);
      if (message.commit) {
        const [writes, milliseconds, isDone] = message.commit;
        this.#onCommit?.(writes, milliseconds / 1000, isDone);
      }
    } else if ('lowStock' in message) {
      for (const listener of this.#lowStockListeners) listener(message.lowStock);
    } else if ('warning' in message) {
      process.emitWarning(message.warning, message.name);
    } else if ('opened' in message) {
      this.#opened.resolve(message.opened);
    } else {
      this.#opened.reject(parseError(message.refused));
    }
  }

  #noteSize(size: number): void {
    if (size <= this.#size) return;
    this.#size = size;
    for (const listener of this.#growthListeners) listener(size);
  }

  #fail(error: unknown): void {
    this.#opened.reject(error);
    if (this.#id !== '') process.emitWarning(`The store's worker failed: ${error}`);
  }

  #end(): void {
    this.#isEnded = true;
    this.#opened.reject(new Error("The store's worker ended before it had opened the store."));
    for (const { method, reject } of this.#pending.values()) reject(lost(method));
    this.#pending.clear();
  }
}

function closed(): Failure {
  return new Failure('going-away', 'The store is closed.');
}

/** Whether a write that the worker had was committed, nobody can say; repeating it can. */
function lost(method: Method): Failure {
  return isWrite(method)
    ? new Failure('unconfirmed', 'The write could not be confirmed. Repeat it with the same operation.')
    : new Failure('storage', 'The store has stopped.', { hint: 'The operator must restart the server.' });
}
