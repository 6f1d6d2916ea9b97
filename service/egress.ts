/**
 * The only way out to an address that a client chose. Names are resolved once, every address must be public, the
 * connection goes to the address that was checked, and the connected socket is checked again. No redirects, no
 * credentials, no odd ports, a bounded answer.
 */
import { lookup as resolveName } from 'node:dns/promises';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { BlockList, isIP, type LookupFunction } from 'node:net';

/** The address is not one we go to. */
export class EgressRefused extends Error {
  override name = 'EgressRefused';
}

const ports: ReadonlySet<string> = new Set(['', '80', '443', '8080', '8443']);
const longestUrl = 2048;
const timeoutMs = 10_000;
const largestAnswer = 65_536;

const inner = new BlockList();
for (const [network, prefix] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
] as const)
  inner.addSubnet(network, prefix, 'ipv4');

/** Only global unicast, less what carries an IPv4 address inside or documents itself. */
const globalV6 = new BlockList();
globalV6.addSubnet('2000::', 3, 'ipv6');
const innerV6 = new BlockList();
for (const [network, prefix] of [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
] as const)
  innerV6.addSubnet(network, prefix, 'ipv6');

export function isPublicAddress(address: string): boolean {
  const family = isIP(address);
  if (family === 4) return !inner.check(address, 'ipv4');
  if (family === 6) return globalV6.check(address, 'ipv6') && !innerV6.check(address, 'ipv6');
  return false;
}

/** Throws EgressRefused for what can be refused without a name server. */
export function checkUrl(text: string, allowPrivate: boolean): URL {
  if (text.length > longestUrl || !URL.canParse(text)) throw new EgressRefused('must be a URL');
  const url = new URL(text);
  if (url.protocol !== 'https:' && url.protocol !== 'http:')
    throw new EgressRefused('scheme must be https or http');
  if (url.username !== '' || url.password !== '') throw new EgressRefused('must carry no credentials');
  if (allowPrivate) return url;
  if (!ports.has(url.port)) throw new EgressRefused('port must be 80, 443, 8080 or 8443');
  const host = hostOf(url);
  if (isIP(host) !== 0 && !isPublicAddress(host)) throw new EgressRefused('address must be public');
  if (
    isIP(host) === 0 &&
    (!host.includes('.') || /(^|\.)(localhost|local|internal|home\.arpa)\.?$/i.test(host))
  )
    throw new EgressRefused('host must be a public name');
  return url;
}

const hostOf = (url: URL): string => url.hostname.replace(/^\[|\]$/g, '');

export type Resolve = (
  host: string,
) => Promise<readonly { readonly address: string; readonly family: number }[]>;
const resolveAll: Resolve = (host) => resolveName(host, { all: true, verbatim: true });

export interface EgressOptions {
  /** Tests only. */
  readonly allowPrivate?: boolean;
  readonly resolve?: Resolve;
}

/** POSTs and returns the status. Throws EgressRefused, or the network's own error. */
export async function post(
  text: string,
  body: string,
  headers: Readonly<Record<string, string>>,
  options: EgressOptions = {},
): Promise<number> {
  const url = checkUrl(text, options.allowPrivate ?? false);
  const host = hostOf(url);
  const found =
    isIP(host) !== 0 ? [{ address: host, family: isIP(host) }] : await (options.resolve ?? resolveAll)(host);
  if (found.length === 0) throw new EgressRefused('name must resolve');
  // All of them: a name that also points inward is a trap.
  if (!options.allowPrivate && !found.every(({ address }) => isPublicAddress(address)))
    throw new EgressRefused('name must resolve to public addresses only');
  const { address, family } = found[0]!;
  const lookup: LookupFunction = (_name, wanted, done) =>
    wanted.all ? done(null, [{ address, family }]) : done(null, address, family);
  return new Promise((resolve, reject) => {
    const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
    const request = send(url, {
      method: 'POST',
      lookup,
      agent: false,
      timeout: timeoutMs,
      headers: { ...headers, 'Content-Length': String(Buffer.byteLength(body)) },
    });
    const deadline = setTimeout(() => request.destroy(new Error('no answer in time')), timeoutMs);
    request.once('socket', (socket) =>
      socket.once('connect', () => {
        if (!options.allowPrivate && !isPublicAddress(socket.remoteAddress ?? ''))
          request.destroy(new EgressRefused('connected address must be public'));
      }),
    );
    request.once('response', (response) => {
      let size = 0;
      response.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size > largestAnswer) response.destroy();
      });
      response.once('close', () => clearTimeout(deadline));
      resolve(response.statusCode ?? 0);
    });
    request.once('error', (error) => {
      clearTimeout(deadline);
      reject(error);
    });
    request.end(body);
  });
}
