import * as v from 'valibot';
import { type Command, define } from './command.ts';
import { empty } from './field.ts';

/** The command that describes a whole table, itself included, as an OpenRPC document with every exact schema. */
export function defineDiscover(table: () => readonly Command[]) {
  return define({
    name: 'rpc.discover',
    summary: 'Describe every method (OpenRPC 1.3).',
    permission: 'principal',
    params: empty,
    result: v.looseObject({ openrpc: v.string() }),
    async handle(_params, { server }) {
      return {
        openrpc: '1.3.2',
        info: { title: 'secure-inv', version: server.version },
        methods: await Promise.all(table().map(describe)),
      };
    },
  });
}

async function describe({ name, summary, permission, params, result }: Command): Promise<unknown> {
  // Loaded when somebody asks: the client has this table, too, and never does.
  const { toJsonSchema } = await import('@valibot/to-json-schema');
  const options = { typeMode: 'input', errorMode: 'ignore' } as const;
  const { properties = {}, required = [] } = toJsonSchema(params, options);
  return {
    name,
    summary,
    'x-permission': permission,
    paramStructure: 'by-name',
    params: Object.entries(properties).map(([field, schema]) => ({
      name: field,
      required: required.includes(field),
      schema,
    })),
    result: { name: 'result', schema: toJsonSchema(result, options) },
  };
}
