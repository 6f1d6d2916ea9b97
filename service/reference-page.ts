/** /docs: the OpenAPI document as one plain page. Rendered here, so that it needs no script and no other host. */
interface Schema {
  readonly $ref?: string;
  readonly description?: string;
}

interface Media {
  readonly content?: Record<string, { readonly schema?: Schema }>;
}

interface DocumentedOperation {
  readonly operationId: string;
  readonly summary: string;
  readonly description?: string;
  readonly parameters?: readonly {
    readonly name: string;
    readonly in: string;
    readonly required?: boolean;
    readonly description?: string;
    readonly schema?: Schema;
  }[];
  readonly requestBody?: Media;
  readonly responses: Record<string, Media & { readonly description: string }>;
}

interface Document {
  readonly info: { readonly title: string; readonly version: string; readonly description: string };
  readonly paths: Record<string, Record<string, DocumentedOperation>>;
  readonly components?: { readonly schemas?: Record<string, unknown> };
}

const escape = (text: string): string => text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
/** What stands in backquotes in a description. */
const prose = (text: string): string => escape(text).replace(/`([^`]+)`/g, '<code>$1</code>');
const json = (value: unknown): string => `<pre>${escape(JSON.stringify(value, null, 2))}</pre>`;

/** By its name where it has one; an own schema in place, folded. */
function shown(schema: Schema | undefined): string {
  if (!schema) return '';
  const name = schema.$ref?.split('/').at(-1);
  if (name) return `<a href="#schema-${escape(name)}">${escape(name)}</a>`;
  return `<details><summary>schema</summary>${json(schema)}</details>`;
}

const bodies = ({ content = {} }: Media): string =>
  Object.entries(content)
    .map(([type, { schema }]) => `<code>${escape(type)}</code> ${shown(schema)}`)
    .join(' ');

const row = (...cells: string[]): string =>
  `<tr>${cells.map((text, index) => (index === 0 ? `<th scope="row">${text}</th>` : `<td>${text}</td>`)).join('')}</tr>`;

export function referencePage(document: object): string {
  const { info, paths, components } = document as Document;
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  );
  const call = (method: string, path: string): string =>
    `<code><b>${method.toUpperCase()}</b> ${escape(path)}</code>`;
  const sections = operations.map(({ path, method, operation }) => {
    const { operationId, summary, description, parameters = [], requestBody, responses } = operation;
    return `
<section id="${escape(operationId)}"><h2>${call(method, path)}</h2><p>${prose(summary)}. ${prose(description ?? '')}</p>
${
  parameters.length > 0
    ? `<table>${parameters
        .map(({ name, in: place, required, description: what, schema }) =>
          row(
            `<code>${escape(name)}</code>`,
            `${escape(place)}${required ? ', required' : ''}`,
            `${prose(what ?? schema?.description ?? '')} ${shown(schema)}`,
          ),
        )
        .join('')}</table>`
    : ''
}
${requestBody ? `<h3>Body</h3><p>${bodies(requestBody)}</p>` : ''}
<h3>Replies</h3><table>${Object.entries(responses)
      .map(([status, reply]) => row(escape(status), prose(reply.description), bodies(reply)))
      .join('')}</table></section>`;
  });
  const schemas = Object.entries(components?.schemas ?? {}).map(
    ([name, schema]) =>
      `<section id="schema-${escape(name)}"><h2>${escape(name)}</h2>${json(schema)}</section>`,
  );
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>${escape(info.title)} API</title>
<link rel="icon" href="/icon.svg"><link rel="stylesheet" href="/docs.css"></head><body><main><h1>${escape(info.title)} API ${escape(info.version)}</h1><p>${prose(info.description)} The same as data: <a href="/openapi.json">openapi.json</a>. <a href="/">Dashboard</a>.</p>
<nav aria-label="Operations"><table>${operations.map(({ path, method, operation }) => row(`<a href="#${escape(operation.operationId)}">${call(method, path)}</a>`, prose(operation.summary))).join('')}</table></nav>
${sections.join('')}<h1>Schemas</h1>${schemas.join('')}</main></body></html>`;
}

export const referenceStyle = `:root{color-scheme:light dark;--line:light-dark(#d8dfdc,#2c3734);--quiet:light-dark(#53635e,#9db0aa);--accent:light-dark(#0f766e,#2dd4bf)}
body{font:16px/1.55 system-ui,sans-serif;margin:0;background:light-dark(#fff,#111615);color:light-dark(#14201d,#e4ece9)}main{max-width:62rem;margin:auto;padding:1.5rem 1rem 4rem}
a{color:var(--accent)}h2{font-size:1.1rem;margin:0 0 .3rem}h3{font-size:.9rem;color:var(--quiet);margin:.9rem 0 .2rem}code{font:.88em ui-monospace,monospace;overflow-wrap:anywhere}
section{margin:0;padding:1.5rem 0;border-top:1px solid var(--line)}section:target{box-shadow:inset 4px 0 0 var(--accent);padding-left:1rem}
pre{overflow:auto;padding:.75rem;border:1px solid var(--line);border-radius:.5rem;font-size:.8rem;max-height:24rem}
table{border-collapse:collapse;width:100%;font-size:.94rem}th,td{text-align:left;font-weight:400;padding:.3rem 1rem .3rem 0;vertical-align:top;border-bottom:1px solid var(--line)}th{white-space:nowrap}
@media (max-width:40rem){th{white-space:normal}}:focus-visible{outline:3px solid var(--accent);outline-offset:2px}summary{cursor:pointer}`;
