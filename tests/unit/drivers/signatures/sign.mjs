// Signs with the TypeScript SDK, and asks it about signatures: node sign.mjs <node_modules> < input > output
import path from "node:path";
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const modules = path.resolve(process.argv[2], "inngest");
const load = (file) => import(pathToFileURL(path.join(modules, file)));
const { signDataWithKey } = await load("helpers/net.js");
const { Inngest } = await load("index.js");
const { serve } = await load("lambda.js");
const logger = { debug() {}, info() {}, warn() {}, error() {} };
const input = JSON.parse(readFileSync(0, "utf8"));

const signatures = [];
for (const { body, key, t } of input.vectors) {
  signatures.push(await signDataWithKey(JSON.parse(body), key, String(t), logger));
}

const verdicts = [];
for (const { event, signingKey, signingKeyFallback } of input.calls) {
  const client = new Inngest({ id: "shop", isDev: false, signingKey, signingKeyFallback, logger });
  const fn = client.createFunction({ id: "order", triggers: [{ event: "shop/order" }] }, ({ event }) => event.data);
  const answer = await serve({ client, functions: [fn] })(event, {});
  const headers = Object.entries(answer.headers).map(([name, value]) => [name.toLowerCase(), String(value)]);
  verdicts.push({ status: answer.statusCode, headers: Object.fromEntries(headers), body: answer.body });
}
process.stdout.write(JSON.stringify({ signatures, verdicts }));
