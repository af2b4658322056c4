import { sign } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { type KeyRing, openKeyRing, readKeyFile } from '../../src/auth/key-ring.ts';
import { formatAccessToken, parseAccessToken } from '../../src/auth/token.ts';
import { ContextStore } from '../../src/client/context.ts';
import { importFormats, readImportFile, rowsOf } from '../../src/client/shell/import-file.ts';
import { checkServerConfig } from '../../src/config/server.ts';
import { parseEnrolmentLink } from '../../src/model/enrolment-link.ts';
import { Failure } from '../../src/model/failure.ts';
import { loadAuthority } from '../../src/pki/authority.ts';
import { formatPem } from '../../src/pki/der.ts';
import { ensureCertificates } from '../../src/pki/issue.ts';
import { loadServerCertificates } from '../../src/pki/server-certificates.ts';
import { LineDecoder } from '../../src/wire/frame.ts';
import { parseFromServer, parseRequest } from '../../src/wire/message.ts';
import { temporaryFolder } from '../support/server.ts';
import { mutate, mutations, textLike } from './bytes.ts';
import { soon } from './slow.ts';
import { defineTarget, type Target } from './target.ts';

/** A refusal is what a wrong input is to get; anything else that is thrown is found. */
function refusing(what: () => unknown): void {
  try {
    what();
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
  }
}

function refusingSoon(what: () => Promise<unknown>): Promise<void> {
  return soon(() =>
    what().catch((error: unknown) => {
      if (!(error instanceof Failure)) throw error;
    }),
  );
}

/** A folder that is gone after the trial. */
async function openFolder(): Promise<{ readonly folder: string; readonly close: () => Promise<void> }> {
  let close: () => Promise<void> = () => Promise.resolve();
  const folder = await temporaryFolder((clean) => {
    close = clean;
  });
  return { folder, close };
}

const requests = [
  '{"jsonrpc":"2.0","id":1,"method":"add","params":{"item":"Soap","quantity":1.5,"operation":"0192f0c1-7b5e-7000-8000-2f6d1a9c3b4e"}}',
  '{"jsonrpc":"2.0","id":"x","method":"view","params":{"items":["Soap"],"limit":10}}',
  '{"jsonrpc":"2.0","id":-7,"method":"ping"}',
];
const fromServer = [
  '{"jsonrpc":"2.0","id":1,"result":{"item":"Soap","lines":[{"balance":1}]}}',
  '{"jsonrpc":"2.0","id":null,"error":{"code":1005,"message":"No item.","data":{"code":"not-found","hint":"x","retryAfter":2}}}',
  '{"jsonrpc":"2.0","method":"movement","params":{"seq":1}}',
];

const decoder = defineTarget(
  'decoder',
  500,
  fc.record({
    bytes: fc
      .array(textLike(...requests.map((text) => `${text}\n`)), { maxLength: 4 })
      .map((all) => Buffer.concat(all)),
    cuts: fc.array(fc.nat(500), { maxLength: 10 }),
    bytesMax: fc.constantFrom(0, 1, 50, 4096, 65536),
  }),
  async () => ({
    attempt: ({ bytes, cuts, bytesMax }) =>
      soon(() => {
        const inPieces = [...cuts, bytes.length].sort((a, b) => a - b);
        const whole = linesOf([bytes], bytesMax);
        const cut = linesOf(
          inPieces.map((end, at) => bytes.subarray(inPieces[at - 1] ?? 0, end)),
          bytesMax,
        );
        if (JSON.stringify(whole) !== JSON.stringify(cut)) throw new Error('Cut in pieces, it is something else.');
      }),
    close: () => undefined,
  }),
);

function linesOf(chunks: readonly Uint8Array[], bytesMax: number): readonly string[] {
  const lines: string[] = [];
  const decoder = new LineDecoder();
  refusing(() => {
    for (const chunk of chunks) {
      decoder.push(chunk);
      for (let one = decoder.next(bytesMax); one; one = decoder.next(bytesMax))
        lines.push(Buffer.from(one).toString('hex'));
    }
  });
  return lines;
}

const messages = defineTarget(
  'messages',
  500,
  textLike(...requests, ...fromServer, `secure-inv://[::1]:7443/enroll#${'A'.repeat(22)}.${'A'.repeat(43)}`),
  async () => ({
    attempt: (bytes) =>
      soon(() => {
        refusing(() => parseRequest(bytes));
        refusing(() => parseFromServer(bytes));
        refusing(() => parseEnrolmentLink(bytes.toString()));
      }),
    close: () => undefined,
  }),
);

const config = [
  '{ "listen": { "host": "::", "port": 7443, "name": "inv.example.com" }, "store": "sqlite:a.db" } // done',
  '{\n  "$schema": "./server.schema.json",\n  /* a */ "auth": { "mode": "both", "token": { "refreshDays": 7, "refreshIdleHours": 24, }, },\n}',
  readFileSync(new URL('../../config/server.jsonc', import.meta.url), 'utf8'),
];
const variables = ['SECURE_INV_LISTEN_PORT', 'SECURE_INV_AUTH_MODE', 'SECURE_INV_STORE', 'SECURE_INV_LISTENPORT'];
const environment = fc.dictionary(fc.constantFrom(...variables), fc.string({ unit: 'binary' }), { maxKeys: 2 });

const serverConfig = defineTarget(
  'config file',
  50,
  fc.record({ text: textLike(...config), env: environment }),
  async () => {
    const { folder, close } = await openFolder();
    const file = join(folder, 'server.jsonc');
    return {
      close,
      attempt: ({ text, env }) =>
        soon(() => {
          writeFileSync(file, text);
          const { problems, loaded } = checkServerConfig({ file, env });
          if (problems.length > 0 === (loaded !== undefined)) throw new Error('Neither taken nor refused.');
          const bad = problems.find((problem) => /\n\s+at |undefined/.test(problem));
          if (bad !== undefined) throw new Error(`An operator is told: ${bad}`);
        }),
    };
  },
);

const contexts = JSON.stringify({
  current: 'a:1',
  contexts: { 'a:1': { host: 'a', port: 1, ca: 'x', user: 'ada', cert: 'c', key: 'k' } },
});
const tokens = JSON.stringify({ accessToken: 'a', refreshToken: 'b', expiresAt: '2026-05-03T00:00:00Z', device: 'd' });

const clientFiles = defineTarget(
  "client's files",
  50,
  fc.record({ contexts: textLike(contexts), tokens: textLike(tokens) }),
  async () => {
    const { folder, close } = await openFolder();
    const store = new ContextStore(folder, folder);
    await store.save({ name: 'a:1', host: 'a', port: 1, ca: 'x' });
    await store.writeTokens('a:1', { accessToken: 'a' });
    return {
      close,
      async attempt(texts) {
        writeFileSync(join(folder, 'contexts.json'), texts.contexts);
        writeFileSync(join(folder, 'a%3A1.json'), texts.tokens);
        await refusingSoon(() => store.find(undefined));
        await refusingSoon(() => store.readTokens('a:1'));
      },
    };
  },
);

const tables = [
  '\ufeffitem,quantity,location,category\r\n"Soap, ""fine""",20,main,\r\n\'=1+1,1.5,"two\nlines",x\r\n',
  'Item;Quantity\nFlour;0.125\n',
  '[{ "item": "Soap", "quantity": 20 }, { "item": "Towels", "quantity": 1.5, "at": "cellar" }]',
  '{"item":"Soap","quantity":20}\n{"item":"Towels","quantity":5}\n',
];

const importedFiles = defineTarget(
  'imported files',
  100,
  fc.record({ text: textLike(...tables), format: fc.constantFrom(undefined, ...importFormats) }),
  async () => {
    const { folder, close } = await openFolder();
    const file = join(folder, 'delivery');
    return {
      close,
      async attempt({ text, format }) {
        writeFileSync(file, text);
        await refusingSoon(async () => {
          for (const row of rowsOf(await readImportFile(file, format))) {
            if (!(row.line >= 1)) throw new Error('A row without its line.');
          }
        });
      },
    };
  },
);

/** Claims that are ours but for some; they are signed rightly. */
const claims = fc.record(
  {
    iss: fc.constantFrom<unknown>('urn:x', 'urn:y', null, 7),
    aud: fc.constantFrom<unknown>('secure-inv', ['secure-inv'], [], null, 'x'),
    sub: fc.oneof(fc.constantFrom<unknown>('1', '0', '9'.repeat(17), 1, null), fc.string()),
    jti: fc.constantFrom<unknown>('j', 1, null),
    sid: fc.constantFrom<unknown>('s', {}, null),
    epoch: fc.oneof(fc.integer(), fc.double(), fc.constant(null)),
    iat: fc.oneof(fc.constantFrom<unknown>(1_700_000_000, '1', null), fc.double()),
    nbf: fc.oneof(fc.constantFrom<unknown>(1_700_000_000, '1', null), fc.double()),
    exp: fc.oneof(fc.constantFrom<unknown>(1_700_000_600, 1, -1, 1e300, 8.64e12, 8.64e12 + 1, '1', null), fc.double()),
    cnf: fc.constantFrom<unknown>({ 'x5t#S256': 'x' }, {}, null, 'x', { 'x5t#S256': null }),
    crit: fc.jsonValue(),
  },
  { requiredKeys: ['iss', 'aud', 'sub'] },
);
const header = fc.record(
  {
    alg: fc.constantFrom<unknown>('ES256', 'ES256', 'ES256', 'none', 'HS256', 'es256', null),
    typ: fc.constantFrom<unknown>('at+jwt', 'at+jwt', 'at+jwt', 'JWT', null),
    kid: fc.constantFrom<unknown>('<kid>', '<kid>', '<kid>', '__proto__', 'constructor', null, 1),
    crit: fc.constant(['exp']),
  },
  { requiredKeys: ['alg', 'typ', 'kid'] },
);

const accessTokens = defineTarget(
  'tokens',
  200,
  fc.oneof(
    fc.record({ kind: fc.constant('mutated' as const), mutations }),
    fc.record({ kind: fc.constant('signed' as const), header, claims }),
    fc.record({ kind: fc.constant('text' as const), text: fc.string({ unit: 'binary', maxLength: 3000 }) }),
  ),
  async () => {
    const { folder, close } = await openFolder();
    const keys = await openKeyRing(join(folder, 'token-keys.json'));
    const now = 1_700_000_100_000;
    const good = formatAccessToken(
      { userId: 1, sessionId: 's', epoch: 0, expiresAt: now + 60_000, certificate: null },
      keys,
      'urn:x',
      now,
    );
    return {
      close,
      attempt: (input) =>
        soon(() => {
          const text =
            input.kind === 'mutated'
              ? mutate(Buffer.from(good), input.mutations).toString('latin1')
              : input.kind === 'text'
                ? input.text
                : signToken(input.header, input.claims, keys);
          let code = 'taken';
          try {
            parseAccessToken(text, keys, 'urn:x', now);
          } catch (error) {
            if (!(error instanceof Failure)) throw error;
            code = error.code;
          }
          if (code !== 'taken' && code !== 'login-required' && code !== 'session-expired') throw new Error(code);
        }),
    };
  },
);

function signToken(header: object, claims: object, keys: KeyRing): string {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value).replace('<kid>', keys.kid)).toString('base64url');
  const signed = `${part(header)}.${part(claims)}`;
  const signature = sign('sha256', Buffer.from(signed), { key: keys.signing, dsaEncoding: 'ieee-p1363' });
  return `${signed}.${signature.toString('base64url')}`;
}

const pemFiles = ['server.pem', 'server-key.pem', 'server-ca.pem', 'client-ca.pem', 'client-crl.pem'] as const;

const serverFiles = defineTarget(
  "server's certificates and keys",
  50,
  fc.record({
    file: fc.constantFrom(...pemFiles, 'token-keys.json', 'signed list' as const),
    /** What is inside the PEM is mutated, or the file. */
    isInside: fc.boolean(),
    mutations,
  }),
  async () => {
    const { folder, close } = await openFolder();
    await ensureCertificates(folder, []);
    const authority = await loadAuthority(folder, 'client', Date.now());
    const keyFile = join(folder, 'token-keys.json');
    await openKeyRing(keyFile);
    const good = new Map<string, string>(
      [...pemFiles, 'token-keys.json'].map((file) => [file, readFileSync(join(folder, file), 'utf8')]),
    );
    return {
      close,
      async attempt({ file: given, isInside, mutations }) {
        const file = given === 'signed list' ? 'client-crl.pem' : given;
        const path = join(folder, file);
        const text = good.get(file) ?? '';
        writeFileSync(
          path,
          given === 'signed list'
            ? signedList(text, mutations, authority.key)
            : isInside
              ? inside(text, mutations)
              : mutate(Buffer.from(text), mutations),
        );
        await refusingSoon(() => (file === 'token-keys.json' ? readKeyFile(keyFile) : loadServerCertificates(folder)));
        writeFileSync(path, text);
      },
    };
  },
);

type Mutations = Parameters<typeof mutate>[1];

const derOf = (pem: string) => Buffer.from(pem.replace(/-----[^-]+-----/g, ''), 'base64');
const labelOf = (pem: string) => /BEGIN ([A-Z0-9 ]+)-----/.exec(pem)?.[1] ?? 'CERTIFICATE';

/** The first block of a PEM file with its contents mutated; the other blocks as they are. */
function inside(pem: string, mutations: Mutations): string {
  const [first = '', ...others] = pem.split(/(?=-----BEGIN )/);
  if (!first.startsWith('-----BEGIN')) return mutate(Buffer.from(pem), mutations).toString('latin1');
  return formatPem(mutate(derOf(first), mutations), labelOf(first)) + others.join('');
}

/** A list that is mutated and then signed: whoever has the authority's key may write any. */
function signedList(pem: string, mutations: Mutations, key: Parameters<typeof sign>[2]): string {
  const der = derOf(pem);
  // SEQUENCE { content, algorithm, BIT STRING }: the content begins behind the outer header.
  const contentsOf = (at: number) => at + 2 + ((der[at + 1] ?? 0) < 0x80 ? 0 : (der[at + 1] ?? 0) & 0x7f);
  const content = contentsOf(0);
  const inner = contentsOf(content);
  const lengthBytes = inner - content - 2;
  const length = lengthBytes === 0 ? (der[content + 1] ?? 0) : der.readUIntBE(content + 2, lengthBytes);
  const changed = wrap(0x30, mutate(der.subarray(inner, inner + length), mutations));
  const algorithm = Buffer.from('300a06082a8648ce3d040302', 'hex');
  const signature = wrap(0x03, Buffer.concat([Buffer.of(0), sign('sha256', changed, key)]));
  return formatPem(wrap(0x30, Buffer.concat([changed, algorithm, signature])), 'X509 CRL');
}

function wrap(tag: number, contents: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(contents.length);
  const short = length.subarray(length.findIndex((byte, at) => byte !== 0 || at === 3));
  const header =
    contents.length < 0x80
      ? Buffer.of(tag, contents.length)
      : Buffer.concat([Buffer.of(tag, 0x80 | short.length), short]);
  return Buffer.concat([header, contents]);
}

/** What reads bytes, text or files without a socket. */
export const parserTargets: readonly Target[] = [
  decoder,
  messages,
  serverConfig,
  clientFiles,
  importedFiles,
  accessTokens,
  serverFiles,
];
