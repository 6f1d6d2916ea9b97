/** A float model sent to the service is refused with the command that makes it an integer one. */
import test from 'ava';
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { call, startTestService, type Json, type TestService } from '../support/service.js';

let service: TestService;
test.before(async () => {
  service = await startTestService({ prover: false });
});
test.after.always(() => service?.stop());

async function uploaded(name: string, bytes: Buffer<ArrayBuffer>): Promise<Json> {
  const response = await fetch(`${service.url}/v1/models?name=${name}`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/octet-stream' },
    body: bytes,
  });
  const { id } = (await response.json()) as Json;
  for (let attempt = 0; attempt < 600; attempt++) {
    const { body } = await call(service.url, `/v1/installs/${id}`);
    if (body.state === 'failed' || body.state === 'ready') return body;
    await sleep(100);
  }
  throw new Error(`${name}: must be over within a minute`);
}

for (const name of ['digits8x8', 'lenet5'])
  test(`the float ${name} uploaded over HTTP fails with the node and the quantize command`, async (t) => {
    const install = await uploaded(`${name}-float`, Buffer.from(await readFile(`models/${name}/float.onnx`)));
    t.is(install.state, 'failed');
    t.is(install.modelId, null);
    t.log(install.error);
    t.regex(install.error.detail, /verinfer quantize/);
    t.regex(install.error.detail, /node "/);
    const { body } = await call(service.url, '/v1/models');
    t.false(body.data.some((model: Json) => model.name === `${name}-float`));
  });
