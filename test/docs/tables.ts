/** The pages of docs/ that are printed from tables in the code. */
import { failures, problems } from '../../service/errors.js';
import { variables } from '../../service/config.js';
import { scopes } from '../../service/operation.js';
import { benchmarksPage } from './benchmarks.js';

type Page = readonly [path: string, text: string];

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => '---'), ...rows].map((row) => `| ${row.map(cell).join(' | ')} |`).join('\n');
}

function errorsPage(): string {
  const rows = Object.entries(problems)
    .sort(([a], [b]) => a.localeCompare(b, 'en'))
    .map(([code, { status, title, remedy }]) => [`\`${code}\``, String(status), title, remedy]);
  return `# Errors

Every refusal is an RFC 9457 document (\`application/problem+json\`): \`type\`, \`title\`, \`status\`, \`code\`, \`detail\`,
\`instance\`, and \`issues\` where single fields are to blame, each with \`field\`, \`expected\` and, where it can be shown,
\`got\`. Programs read \`code\`; \`detail\` is for people and may change. \`instance\` names the request in the operator's log.
Generated from service/errors.ts.

${table(['code', 'status', 'what', 'what to do'], rows)}

## Failed inferences

An inference that was accepted may still end as \`failed\`; then its \`error.code\` is one of these, and its answer must not
be used.

${table(
  ['code', 'why'],
  Object.entries(failures).map(([code, why]) => [`\`${code}\``, why]),
)}
`;
}

/** What zod knows of a variable; `shown` stands for a default that depends on the machine. */
interface Facts {
  readonly description?: string;
  readonly why?: string;
  readonly shown?: string;
}

function configurationPage(): string {
  const rows = Object.entries(variables.shape).map(([name, schema]) => {
    const facts = (schema.meta() ?? {}) as Facts;
    const fallback: unknown = schema.safeParse(undefined).data;
    const text = Array.isArray(fallback) ? fallback.join(',') : String(fallback ?? '');
    return [
      `\`${name}\``,
      facts.shown ?? (text === '' ? '' : `\`${text}\``),
      facts.description ?? '',
      facts.why ?? '',
    ];
  });
  return `# Configuration

One environment variable a setting, read and checked once, at the start; a value that does not fit stops the process with
the variable's name. Generated from service/config.ts.

${table(['variable', 'default', 'what', 'why'], rows)}

## Outside the table

${table(
  ['variable', 'what'],
  Object.entries(others).map(([name, what]) => [`\`${name}\``, what]),
)}

## Scopes of API keys

${table(
  ['scope', 'what it allows'],
  scopes.map((scope) => [`\`${scope}\``, scopeMeanings[scope]]),
)}
`;
}

/** Read elsewhere than in service/config.ts. */
export const others: Readonly<Record<string, string>> = {
  VERINFER_CHAIN_PASSPHRASE_FD:
    'File descriptor from which the settler reads the passphrase of its keystore.',
  VERINFER_URL: 'The service that `verinfer upload`, `infer` and `mcp` ask, without `--url`.',
  VERINFER_KEY: 'The API key with which they ask; `--key-env` names another variable.',
  VERINFER_HOST_ID:
    'Set by `verinfer serve` for its own processes: the lease of a restarted one is its predecessor’s.',
};

const scopeMeanings: Record<(typeof scopes)[number], string> = {
  read: 'models, inferences, receipts, quotes and statistics of the tenant',
  infer: 'run models, cancel, manage webhooks',
  upload: 'install and freeze models',
  host: "fetch every tenant's artifacts; for the operator's own hosts alone",
};

export const generatedPages = (): Page[] => [
  ['docs/errors.md', errorsPage()],
  ['docs/configuration.md', configurationPage()],
  ['docs/benchmarks.md', benchmarksPage()],
];
