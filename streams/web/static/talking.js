// Talking to the gateway: every request that changes something says the form token of the session.

const token = document.querySelector('meta[name="form-token"]')?.content ?? "";

export class Refused extends Error {}

/** What the gateway answers, as JSON; null for an empty answer. Throws Refused with its reason. */
export async function ask(address, body, { keepalive = false } = {}) {
  const isRead = body === undefined;
  const headers = { "X-Form-Token": token, ...(isRead ? {} : { "Content-Type": "application/json" }) };
  const options = { method: isRead ? "GET" : "POST", headers, body: isRead ? undefined : JSON.stringify(body), keepalive };
  return answered(await fetch(address, options));
}

/** What becomes of a form with files. */
export async function send(address, form) {
  return answered(await fetch(address, { method: "POST", headers: { "X-Form-Token": token }, body: form }));
}

async function answered(answer) {
  if (answer.status === 401) location.assign("/desk/-/sign-in");
  const text = await answer.text();
  const body = text && answer.headers.get("content-type")?.includes("json") ? JSON.parse(text) : null;
  if (!answer.ok) throw new Refused(body?.detail || `the gateway answers ${answer.status}`);
  return body;
}

/** A part of a page, as HTML that the gateway made. */
export async function part(address) {
  const answer = await fetch(address, { headers: { "X-Form-Token": token } });
  if (answer.status === 401) location.assign("/desk/-/sign-in");
  if (!answer.ok) throw new Refused((await answer.json().catch(() => ({}))).detail || `the gateway answers ${answer.status}`);
  return answer.text();
}
