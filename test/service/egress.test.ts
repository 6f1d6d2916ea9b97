import { createServer } from 'node:http';
import test from 'ava';
import { checkUrl, EgressRefused, isPublicAddress, post } from '../../service/egress.js';

/** Spellings of inner hosts: what URL parsers, C libraries and proxies have been fooled with. */
function innerUrls(port: number): string[] {
  const hosts = [
    '127.0.0.1',
    '127.1',
    '127.0.1',
    '0',
    '0.0.0.0',
    '0x7f000001',
    '0x7f.1',
    '0177.0.0.1',
    '017700000001',
    '2130706433',
    '127.127.127.127',
    '127.0.0.1.',
    'localhost',
    'LOCALHOST',
    'localhost.',
    'foo.localhost',
    '10.0.0.1',
    '10.255.255.255',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.0.1',
    '192.168.255.255',
    '169.254.169.254',
    '0xa9fea9fe',
    '2852039166',
    '0251.0376.0251.0376',
    '169.254.170.2',
    '100.64.0.1',
    '100.100.100.200',
    '192.0.0.192',
    '192.0.2.1',
    '198.18.0.1',
    '198.51.100.1',
    '203.0.113.1',
    '224.0.0.1',
    '239.255.255.250',
    '240.0.0.1',
    '255.255.255.255',
    '192.88.99.1',
    '[::1]',
    '[::]',
    '[0:0:0:0:0:0:0:1]',
    '[::ffff:127.0.0.1]',
    '[::ffff:7f00:1]',
    '[::ffff:10.0.0.1]',
    '[::ffff:169.254.169.254]',
    '[::127.0.0.1]',
    '[64:ff9b::7f00:1]',
    '[64:ff9b::a9fe:a9fe]',
    '[64:ff9b:1::1]',
    '[2002:7f00:1::]',
    '[2002:a00:1::]',
    '[2001::1]',
    '[2001:0:7f00:1::]',
    '[fe80::1]',
    '[fc00::1]',
    '[fd00:ec2::254]',
    '[fd12:3456::1]',
    '[ff02::1]',
    '[100::1]',
    '[2001:db8::1]',
    '[3fff::1]',
    '[5f00::1]',
    '①②⑦.⓪.⓪.①',
    '127。0。0。1',
    '１２７.0.0.1',
    'ⓛocalhost',
    'metadata',
    'metadata.google.internal',
    'kubernetes.default.svc.cluster.local',
    'host.docker.internal',
    'printer.local',
    'router.home.arpa',
    'intranet',
  ];
  const urls = hosts.flatMap((host) => [`http://${host}:${port}/`, `http://${host}/`, `https://${host}/x`]);
  urls.push(
    `http://user:pass@example.com/`,
    `http://user@example.com/`,
    `http://example.com@127.0.0.1/`,
    'http://example.com:22/',
    'http://example.com:25/',
    'http://example.com:6379/',
    'http://example.com:5432/',
    'http://example.com:0/',
    'ftp://example.com/',
    'file:///etc/passwd',
    'gopher://127.0.0.1/',
    'unix:/var/run/docker.sock',
    'http+unix://%2Fvar%2Frun/',
    'data:text/plain,x',
    'javascript:1',
    'ws://example.com/',
    'http://[fe80::1%25eth0]/',
    'http://',
    '//example.com',
    'http:\\\\127.0.0.1\\',
    'http:/127.0.0.1/',
    'http:127.0.0.1',
    ' http://127.0.0.1/',
    'http://127.0.0.1#@example.com/',
    'http://127.0.0.1\\@example.com/',
    'http://127.0.0.1?@example.com',
    'http://%31%32%37.0.0.1/',
    `http://example.com/${'a'.repeat(3000)}`,
  );
  return urls;
}

test('A07 no spelling of an inner address is reached: refused before a socket is opened', async (t) => {
  let connections = 0;
  const server = createServer((_request, response) => response.end()).on('connection', () => connections++);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as { port: number };
  const urls = innerUrls(port);
  t.true(urls.length >= 200, `${urls.length} URLs`);
  // Names that are not refused outright resolve inward, as a hostile name server would have it.
  const resolve = async (): Promise<{ address: string; family: number }[]> => [
    { address: '127.0.0.1', family: 4 },
  ];
  for (const url of urls)
    await t.throwsAsync(post(url, '{}', {}, { resolve }), { instanceOf: EgressRefused }, url.slice(0, 80));
  t.is(connections, 0);
  server.close();
});

test('A07 a name that resolves inward once, twice or beside a public address is refused, and the connected address is checked', async (t) => {
  const cases = [
    ['127.0.0.1'],
    ['93.184.215.14', '10.0.0.1'],
    ['::1'],
    ['2606:2800:21f:cb07:6820:80da:af6b:8b2c', '::ffff:192.168.1.1'],
    [],
  ];
  for (const addresses of cases)
    await t.throwsAsync(
      post(
        'http://rebind.example.com/',
        '{}',
        {},
        {
          resolve: async () =>
            addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
        },
      ),
      { instanceOf: EgressRefused },
      addresses.join(),
    );
  let asked = 0;
  await t.throwsAsync(
    post(
      'http://rebind.example.com/',
      '{}',
      {},
      {
        resolve: async () =>
          asked++ === 0 ? [{ address: '192.0.2.1', family: 4 }] : [{ address: '127.0.0.1', family: 4 }],
      },
    ),
  );
  t.is(asked, 1, 'a name is resolved once');
});

test('A07 redirects are not followed and answers are bounded', async (t) => {
  let followed = 0;
  const server = createServer((request, response) => {
    if (request.url === '/inner') followed++;
    response.writeHead(302, { Location: '/inner' });
    response.end('x'.repeat(1_000_000));
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as { port: number };
  t.is(await post(`http://127.0.0.1:${port}/`, '{}', {}, { allowPrivate: true }), 302);
  t.is(followed, 0);
  server.closeAllConnections();
  server.close();
});

test('A07 public addresses are public', (t) => {
  for (const address of [
    '93.184.215.14',
    '1.1.1.1',
    '8.8.8.8',
    '2606:4700:4700::1111',
    '2a00:1450:4001:81b::200e',
  ])
    t.true(isPublicAddress(address), address);
  t.is(checkUrl('https://hooks.example.com/a?b=c', false).hostname, 'hooks.example.com');
});
