/** Markup that would run if a page took text for HTML, an attribute for a handler, or an address for a script. */

/** Calls this name when it runs; a page under test defines it and counts. */
export const alarm = 'xssFired';

const call = `window.${alarm}(1)`;
const html = [
  `<script>${call}</script>`,
  `<script src=data:text/javascript,${encodeURIComponent(call)}></script>`,
  `<img src=x onerror=${call}>`,
  `<img src=x onerror="${call}">`,
  `<image href=x onerror=${call}>`,
  `<svg onload=${call}>`,
  `<svg><script>${call}</script></svg>`,
  `<svg><animate onbegin=${call} attributeName=x dur=1s>`,
  `<svg><set onbegin=${call} attributeName=x>`,
  `<svg><a xlink:href="javascript:${call}"><text>x</text></a></svg>`,
  `<svg><use href="data:image/svg+xml,<svg id=x onload=${call}>#x"></use></svg>`,
  `<math><mtext><img src=x onerror=${call}></mtext></math>`,
  `<iframe srcdoc="<script>parent.${alarm}(1)</script>"></iframe>`,
  `<iframe src="javascript:parent.${alarm}(1)"></iframe>`,
  `<object data="javascript:${call}"></object>`,
  `<embed src="javascript:${call}">`,
  `<body onload=${call}>`,
  `<details open ontoggle=${call}>`,
  `<video><source onerror=${call}></video>`,
  `<audio src=x onerror=${call}>`,
  `<input autofocus onfocus=${call}>`,
  `<select autofocus onfocus=${call}>`,
  `<textarea autofocus onfocus=${call}>`,
  `<marquee onstart=${call}>`,
  `<style onload=${call}></style>`,
  `<style>@keyframes x{}</style><p style="animation-name:x" onanimationstart=${call}>`,
  `<link rel=stylesheet href=data:text/css,x onload=${call}>`,
  `<meta http-equiv=refresh content="0;url=javascript:${call}">`,
  `<base href="javascript:/">`,
  `<form action="javascript:${call}"><button id=x>x</button></form>`,
  `<a href="javascript:${call}">x</a>`,
  `<template><script>${call}</script></template>`,
  `<noscript><p title="</noscript><img src=x onerror=${call}>">`,
  `<xss id=x tabindex=1 onfocus=${call}></xss>`,
  `<isindex action="javascript:${call}" type=image>`,
];
/** From inside an attribute, a script string, a comment, a title, a style, JSON. */
const breakouts: readonly ((payload: string) => string)[] = [
  (payload) => payload,
  (payload) => `">${payload}`,
  (payload) => `'>${payload}`,
  (payload) => `--></title></style></textarea></script>${payload}`,
  (payload) => `\u202e${payload}\u0000\ufeff`,
  (payload) => payload.replaceAll('<', '\u003c').toUpperCase().replaceAll(alarm.toUpperCase(), alarm),
  (payload) => payload.replaceAll('<', '&lt;').replaceAll('>', '&gt;'),
];
const bare = [
  `javascript:${call}`,
  `JaVaScRiPt:${call}`,
  `java\tscript:${call}`,
  `data:text/html,<script>opener.${alarm}(1)</script>`,
  `vbscript:${call}`,
  `" onmouseover="${call}" autofocus onfocus="${call}" x="`,
  `' onmouseover='${call}' autofocus onfocus='${call}' x='`,
  `\`;${call};//`,
  `';${call};//`,
  `";${call};//`,
  `</script><script>${call}</script>`,
  `{{constructor.constructor('${call}')()}}`,
  `\${${call}}`,
  `__proto__`,
  `\u2028${call}\u2029`,
];

export const xssPayloads: readonly string[] = [
  ...new Set([...html.flatMap((payload) => breakouts.map((wrap) => wrap(payload))), ...bare]),
];
