import {
  accessMinutesMax,
  passwordCharactersMax,
  passwordCharactersMin,
  passwordMemoryKibibytesMin,
  passwordPassesMin,
  webhooksMax,
} from '../model/limits.ts';
import { userNamePattern } from '../model/name.ts';
import { authModes, issuePolicies } from '../model/user.ts';
import { oneOf, type Setting, text, urls, whole } from './setting.ts';

// An IPv6 address has two colons or more, so that HOST:PORT is refused.
const host = '[0-9A-Za-z_-]+(\\.[0-9A-Za-z_-]+)*|[0-9A-Fa-f.]*(:[0-9A-Fa-f.]*){2,}(%[0-9A-Za-z]+)?';
const path = '[^\\u0000-\\u001f]+';

// One login must fit the time a connection has for it, on a small machine too: a larger value is a slip of the unit.
const passwordMemoryKibibytesMax = 1024 * 1024;
const passwordPassesMax = 16;

/**
 * Every key of config/server.jsonc, in convict's form. From here derive the types, the messages, config/README.md and
 * config/server.schema.json. `env` is the path in capitals, camelCase split.
 */
export const serverSchema = {
  listen: {
    host: text(`^(${host})$`, 'an IP address or a host name, without a port', {
      doc: 'The address to listen on. 0.0.0.0 or :: means every network of this machine.',
      default: '127.0.0.1',
      env: 'SECURE_INV_LISTEN_HOST',
      reload: 'restart',
    }),
    port: whole(0, 65535, {
      doc: 'The TCP port to listen on. 0 takes any free one.',
      default: 7443,
      env: 'SECURE_INV_LISTEN_PORT',
      reload: 'restart',
    }),
    name: text(`^(${host})?$`, 'a host name or an IP address, without a port, or empty', {
      doc: 'The name by which clients reach this server, written into enrolment links. Empty: worked out from listen.host.',
      default: '',
      example: 'inv.example.com',
      env: 'SECURE_INV_LISTEN_NAME',
      reload: 'restart',
    }),
  },
  store: text(`^sqlite:${path}$`, 'sqlite:FILE', {
    doc: 'Where the stock, the users and the sessions are kept: sqlite:FILE.',
    default: 'sqlite:data/secure-inv.db',
    env: 'SECURE_INV_STORE',
    reload: 'restart',
  }),
  certs: {
    folder: text(`^${path}$`, 'the path of a folder', {
      doc: 'The folder that holds certificates and keys, as gen-certs makes them.',
      default: 'certs',
      env: 'SECURE_INV_CERTS_FOLDER',
      reload: 'restart',
    }),
  },
  pki: {
    issue: oneOf(issuePolicies, {
      doc: 'To whom the server issues client certificates by itself: off (nobody), enrolment (whoever enrolls where auth.mode is mutual or both, and renewal by whoever shows a good one), or on (also whoever is logged in). Needs client-ca-key.pem in certs.folder.',
      default: 'enrolment',
      env: 'SECURE_INV_PKI_ISSUE',
      reload: 'restart',
    }),
  },
  auth: {
    mode: oneOf(authModes, {
      doc: 'How clients prove who they are: token (a login), mutual (a client certificate), either of them, or both at once. Before mutual or both, let those who have enrolled already get a certificate: pki.issue on, then secure-inv cert request.',
      default: 'either',
      env: 'SECURE_INV_AUTH_MODE',
      reload: 'restart',
    }),
    firstAdmin: text(userNamePattern.source, 'a user name: a-z, 0-9, dot, dash, underscore; at most 32 characters', {
      doc: 'The name of the first administrator, for whom a start without any administrator prints an enrolment link.',
      default: 'admin',
      env: 'SECURE_INV_AUTH_FIRST_ADMIN',
      reload: 'restart',
    }),
    password: {
      memoryKibibytes: whole(passwordMemoryKibibytesMin, passwordMemoryKibibytesMax, {
        doc: 'The memory that one password hash (argon2id) takes, in KiB.',
        default: 65536,
        env: 'SECURE_INV_AUTH_PASSWORD_MEMORY_KIBIBYTES',
        reload: 'live',
      }),
      passes: whole(passwordPassesMin, passwordPassesMax, {
        doc: 'How often one password hash (argon2id) goes over its memory.',
        default: 3,
        env: 'SECURE_INV_AUTH_PASSWORD_PASSES',
        reload: 'live',
      }),
      charactersMin: whole(passwordCharactersMin, passwordCharactersMax, {
        doc: 'The fewest characters that a new password may have.',
        default: passwordCharactersMin,
        env: 'SECURE_INV_AUTH_PASSWORD_CHARACTERS_MIN',
        reload: 'live',
      }),
    },
    token: {
      accessMinutes: whole(1, accessMinutesMax, {
        doc: 'How long an access token is good, in minutes. Clients renew it unasked.',
        default: 10,
        env: 'SECURE_INV_AUTH_TOKEN_ACCESS_MINUTES',
        reload: 'live',
      }),
      refreshIdleHours: whole(1, 90 * 24, {
        doc: 'After how many hours without use a login ends.',
        default: 24,
        env: 'SECURE_INV_AUTH_TOKEN_REFRESH_IDLE_HOURS',
        reload: 'live',
      }),
      refreshDays: whole(1, 90, {
        doc: 'After how many days a login ends, used or not.',
        default: 7,
        env: 'SECURE_INV_AUTH_TOKEN_REFRESH_DAYS',
        reload: 'live',
      }),
    },
  },
  audit: {
    days: whole(1, 3650, {
      doc: 'After how many days a record of the audit log is forgotten. The ledger of stock is kept for ever.',
      default: 400,
      env: 'SECURE_INV_AUDIT_DAYS',
      reload: 'live',
    }),
  },
  notify: {
    webhooks: urls(webhooksMax, {
      doc: 'The URLs that are told when the stock of an item gets low, as src/wire/README.md describes; in the environment and in flags with commas between them. The server sends to these and to no other.',
      default: [],
      example: ['https://shop.example.com/hook'],
      env: 'SECURE_INV_NOTIFY_WEBHOOKS',
      reload: 'restart',
    }),
    secretFile: text(`^(${path})?$`, 'the path of a file, or empty', {
      doc: 'The file with the secret under which messages to webhooks are signed, closed to others. Empty: webhook-secret beside the store, made when the first webhook is configured. Read at the start only.',
      default: '',
      example: 'data/webhook-secret',
      env: 'SECURE_INV_NOTIFY_SECRET_FILE',
      reload: 'restart',
    }),
    ca: text(`^(${path})?$`, 'the path of a file, or empty', {
      doc: 'A file with certificates (PEM) of authorities of your own that webhooks are trusted by, beside those that Node.js and the system trust. Empty: none. Read at the start only.',
      default: '',
      example: 'certs/shop-ca.pem',
      env: 'SECURE_INV_NOTIFY_CA',
      reload: 'restart',
    }),
  },
  ops: {
    port: whole(0, 65535, {
      doc: 'The port for whoever watches over the server, plain HTTP on 127.0.0.1: /livez, /readyz?verbose, /metrics. 0: none.',
      default: 0,
      example: 9464,
      env: 'SECURE_INV_OPS_PORT',
      reload: 'restart',
    }),
  },
  log: {
    level: oneOf(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'], {
      doc: 'The least important event that is logged.',
      default: 'info',
      env: 'SECURE_INV_LOG_LEVEL',
      reload: 'live',
    }),
    format: oneOf(['auto', 'json', 'pretty'], {
      doc: 'How events are written: json (one object a line), pretty (for people), or auto (pretty on a terminal).',
      default: 'auto',
      env: 'SECURE_INV_LOG_FORMAT',
      reload: 'restart',
    }),
  },
};

type Values<T> = { readonly [K in keyof T]: T[K] extends Setting<infer V> ? V : Values<T[K]> };

/** The server's configuration: a value for every key, each of them allowed. */
export type ServerConfig = Values<typeof serverSchema>;

/** A part of the schema: a key, or a group of them. */
export type SchemaNode = Setting | { readonly [name: string]: SchemaNode };

/** Tells a key from a group, by convict's own rule: a key has a default. */
export function isSetting(node: SchemaNode): node is Setting {
  return 'default' in node;
}

function* settingsIn(node: SchemaNode, key: string): Generator<readonly [string, Setting]> {
  if (isSetting(node)) yield [key, node];
  else for (const [name, child] of Object.entries(node)) yield* settingsIn(child, key ? `${key}.${name}` : name);
}

/** Every setting by its key, `listen.port`, in the order of the schema. */
export const serverSettings: ReadonlyMap<string, Setting> = new Map(settingsIn(serverSchema, ''));
