/** /docs: the OpenAPI document as one plain page. Rendered here, so that it needs no script and no other host. */
interface Document {
  readonly info: { readonly title: string; readonly version: string; readonly description: string };
  readonly paths: Record<
    string,
    Record<
      string,
      {
        operationId: string;
        summary: string;
        description?: string;
        requestBody?: { content: Record<string, { schema: unknown }> };
        responses: Record<string, { description: string }>;
      }
    >
  >;
  readonly components?: { readonly schemas?: Record<string, unknown> };
}

const escape = (text: string): string => text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
const code = (value: unknown): string => `<pre>${escape(JSON.stringify(value, null, 2))}</pre>`;

export function referencePage(document: object): string {
  const { info, paths, components } = document as Document;
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  );
  const sections = operations.map(
    ({ path, method, operation }) => `
<section id="${escape(operation.operationId)}"><h2><code>${method.toUpperCase()} ${escape(path)}</code></h2><p>${escape(operation.summary)}. ${escape(operation.description ?? '')}</p>
${Object.entries(operation.requestBody?.content ?? {})
  .map(([type, { schema }]) => `<h3>Body: ${escape(type)}</h3>${code(schema)}`)
  .join('')}
<table>${Object.entries(operation.responses)
      .map(
        ([status, { description }]) => `<tr><th>${escape(status)}</th><td>${escape(description)}</td></tr>`,
      )
      .join('')}</table></section>`,
  );
  const schemas = Object.entries(components?.schemas ?? {}).map(
    ([name, schema]) =>
      `<section id="schema-${escape(name)}"><h2>${escape(name)}</h2>${code(schema)}</section>`,
  );
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>${escape(info.title)} API</title>
<link rel="stylesheet" href="/docs.css"></head><body><main><h1>${escape(info.title)} API ${escape(info.version)}</h1><p>${escape(info.description)} The same as data: <a href="/openapi.json">openapi.json</a>.</p>
<nav><ul>${operations.map(({ path, method, operation }) => `<li><a href="#${escape(operation.operationId)}"><code>${method.toUpperCase()} ${escape(path)}</code></a> ${escape(operation.summary)}</li>`).join('')}</ul></nav>
${sections.join('')}<h1>Schemas</h1>${schemas.join('')}</main></body></html>`;
}

export const referenceStyle = `:root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;margin:0}main{max-width:60rem;margin:auto;padding:1rem}
pre{overflow:auto;padding:.75rem;border:1px solid;border-radius:.4rem;font-size:.8rem;max-height:24rem}table{border-collapse:collapse}th,td{text-align:left;padding:.2rem .8rem .2rem 0;vertical-align:top}section{margin:2rem 0}`;
