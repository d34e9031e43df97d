// Tells Packshot of products that change, by Standard Webhooks: src/subscribers/packshot.js in a Medusa 2 project, with
//   PACKSHOT_URL=https://packshot.example/hooks/NAME PACKSHOT_SECRET=whsec_… in its environment.
// What it cannot deliver it drops: Packshot's sweep finds it.
import { createHmac, randomUUID } from "node:crypto";

export default async function tell({ event }) {
  const message = `msg_${randomUUID()}`;
  const at = Math.floor(Date.now() / 1000).toString();
  const body = JSON.stringify({ type: event.name, timestamp: new Date().toISOString(), data: { id: event.data.id } });
  const key = Buffer.from(process.env.PACKSHOT_SECRET.replace(/^whsec_/, ""), "base64");
  const signature = createHmac("sha256", key).update(`${message}.${at}.${body}`).digest("base64");
  const headers = {
    "content-type": "application/json",
    "webhook-id": message,
    "webhook-timestamp": at,
    "webhook-signature": `v1,${signature}`,
  };
  await fetch(process.env.PACKSHOT_URL, { method: "POST", headers, body }).catch((error) => console.warn(String(error)));
}

export const config = { event: ["product.created", "product.updated", "product.deleted"] };
