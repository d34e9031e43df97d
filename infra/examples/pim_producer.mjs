// A PIM's products into Packshot in plain Node: API=https://… KEY=psk_… node pim_producer.mjs < products.jsonl
import { readFileSync } from "node:fs";

const headers = { Authorization: `Bearer ${process.env.KEY}`, "Content-Type": "application/x-ndjson" };
const body = readFileSync(0);
for (;;) {
  const answer = await fetch(`${process.env.API}/v1/products:batch`, { method: "POST", headers, body });
  const text = await answer.text();
  if (answer.ok) {
    const lines = text.split("\n").filter(Boolean).map((line) => JSON.parse(line)); // one for each event, in their order
    for (const each of lines) console.log(each.line, each.status, each.subject || `${each.field ?? ""}: ${each.detail}`);
    process.exit(lines.every((each) => each.status === 202) ? 0 : 1);
  }
  const problem = JSON.parse(text); // it says what is wrong, and whether to ask again
  if (!problem.retryable) {
    console.error(`${problem.code}: ${problem.detail ?? problem.title}`);
    process.exit(1);
  }
  await new Promise((again) => setTimeout(again, 1000 * (answer.headers.get("Retry-After") || 2)));
}
