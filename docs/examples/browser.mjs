/** browser.html?service=<url>&model=<model id>: asks, shows the answer, and verifies its proof in the page. */
import { Client } from 'verinfer/client';

const query = new URLSearchParams(location.search);
const say = (id, text) => (document.getElementById(id).textContent = text);
try {
  const client = new Client({ url: query.get('service') });
  const ramp = Array.from({ length: 64 }, (_, index) => (index % 8) / 8);
  const inference = await client.infer(query.get('model'), ramp);
  const { data } = inference.outputs.find(({ proven }) => proven);
  say('answer', `answer ${data.join(' ')}`);
  const { verdict } = await inference.proof;
  say('proof', `verified in this page: ${verdict.verifiedOffline}`);
} catch (error) {
  say('proof', `failed: ${error.message}`);
}
