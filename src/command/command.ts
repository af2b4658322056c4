import type * as v from 'valibot';
import type { Authentication } from '../auth/authentication.ts';
import type { Identity } from '../auth/identity.ts';
import type { Principal } from '../auth/principal.ts';
import type { Actor } from '../model/audit.ts';
import type { AuthMode, Permission } from '../model/user.ts';
import type { Store } from '../store/store.ts';

export type ObjectSchema = v.GenericSchema<Record<string, unknown>, Record<string, unknown>>;

/** What a handler may use when nobody needs to be logged in. */
export interface PublicCall {
  readonly store: Store;
  readonly auth: Authentication;
  readonly identity: Identity;
  readonly server: ServerFacts;
  readonly now: number;
}

/** From where on a peer wants to be told what happens. */
export interface WatchWish {
  /** The last movement that it has. */
  readonly after: number;
  /** The last movement that there is for it. */
  readonly seq: number;
  /** Only what leaves an item at or below its low-stock threshold. */
  readonly low: boolean;
}

/** What a handler may use: the five gates have let `principal` through to it. */
export interface Call extends PublicCall {
  readonly principal: Principal;
  /** The peer's IP address. */
  readonly source: string;
  /** The principal and the source, as the audit log names them. */
  readonly actor: Actor;
  /** Has movements pushed to this peer, once the command was answered. Failures: `conflict` when they are already. */
  readonly watch: (wish: WatchWish) => void;
}

/** The server as its commands see it. */
export interface ServerFacts {
  readonly version: string;
  readonly authMode: AuthMode;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  readonly state: () => Promise<ServerState>;
  /** Takes up changed files now. Failures: `conflict` naming what is wrong; what was in use stays. */
  readonly reload: () => Promise<Reloaded>;
  /** Has the server go on with the imports that were accepted. */
  readonly rollImports: () => void;
}

/** What changes while a server runs. */
export interface ServerState {
  /** The version of its Node.js. */
  readonly node: string;
  readonly connections: number;
  /** The digest of the configuration that holds, as `secure-invd config show` gives it. */
  readonly config: string;
  readonly certificates: readonly { readonly file: string; readonly subject?: string; readonly at: number }[];
  /** Milliseconds since 1970; null when none is known. */
  readonly lastBackupAt: number | null;
  /** What an operator should see to: sentences, with the command to run. */
  readonly warnings: readonly string[];
}

/** What a reload found. */
export interface Reloaded {
  readonly certificates: 'unchanged' | 'changed';
  readonly keys: 'unchanged' | 'changed';
  /** The keys of the configuration that have another value now. */
  readonly settings: readonly string[];
}

/** Where a result is shown to a person, and what only the client can add to it. */
export interface Screen {
  readonly columns: number;
  /** Milliseconds since 1970 where people read times by how long ago they are; null where they are kept or compared. */
  readonly now: number | null;
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
  /** The server that answered: HOST:PORT. */
  readonly server: string;
  /** The link to hand to a new user, made of the address and the authority that this client uses itself. */
  readonly enrolmentLink: (code: string) => string;
}

/** How a command looks in the shell. What is absent here is derived from the schema. */
export interface Shell<Result> {
  /** The parameters that are words of their own, in order, as usage shows them: `<item>`, `[items...]`. */
  readonly words: readonly string[];
  /**
   * The words are pairs of an item and a quantity, or `-` for lines of them on standard input. Several make `lines`, and
   * these parameters belong to each line.
   */
  readonly pairs?: readonly string[];
  /** Option names that differ from the parameter's: `{ location: 'at' }` is `--at LOCATION`. */
  readonly options?: Readonly<Record<string, string>>;
  /** Parameters that the schema can do without, where there are lines, and a command line cannot. */
  readonly mandatory?: readonly string[];
  /** It means the same whenever it is done, so that it may wait for a server that is away: `--queue`. */
  readonly canWait?: boolean;
  /** The list of the result that is a page: it may be shorter than was asked for, and go on behind the cursor. */
  readonly pageOf?: 'items' | 'movements';
  readonly examples: readonly string[];
  /** What `--json` shows beside the result, which only the client can know. */
  complete?(result: Result, screen: Screen): Readonly<Record<string, unknown>>;
  /** What a person reads: lines without a final newline. */
  render(result: Result, screen: Screen): string;
}

interface Described<Params extends ObjectSchema, Result extends ObjectSchema> {
  /** The method on the wire; with spaces for dots, the words in the shell. */
  readonly name: string;
  readonly summary: string;
  readonly params: Params;
  readonly result: Result;
  /** Absent: only programs use it. */
  readonly shell?: Shell<v.InferOutput<Result>>;
}

/** A command that needs nobody to be logged in. */
export interface PublicCommand<Params extends ObjectSchema = ObjectSchema, Result extends ObjectSchema = ObjectSchema>
  extends Described<Params, Result> {
  readonly permission: 'anyone';
  handle(params: v.InferOutput<Params>, call: PublicCall): Promise<v.InferOutput<Result>>;
}

/** A command for those who have its permission; `principal` stands for whoever is logged in. */
export interface PrincipalCommand<
  Params extends ObjectSchema = ObjectSchema,
  Result extends ObjectSchema = ObjectSchema,
> extends Described<Params, Result> {
  readonly permission: Permission | 'principal';
  handle(params: v.InferOutput<Params>, call: Call): Promise<v.InferOutput<Result>>;
}

export type Command = PublicCommand | PrincipalCommand;

/** Says that a value is a command, so that its handler's types follow from its schemas. */
export function definePublic<const Name extends string, Params extends ObjectSchema, Result extends ObjectSchema>(
  command: PublicCommand<Params, Result> & { readonly name: Name },
): PublicCommand<Params, Result> & { readonly name: Name } {
  return command;
}

/** Says that a value is a command for somebody logged in. */
export function define<const Name extends string, Params extends ObjectSchema, Result extends ObjectSchema>(
  command: PrincipalCommand<Params, Result> & { readonly name: Name },
): PrincipalCommand<Params, Result> & { readonly name: Name } {
  return command;
}
