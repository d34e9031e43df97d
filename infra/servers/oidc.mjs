// An OpenID Connect provider for tests, oidc-provider from npm: whoever logs in is the person of that name in PEOPLE.
// Arguments: its port, a client's id, its secret, where it is sent back to, and people's claims as JSON.
import { createRequire } from "node:module";

const { Provider } = await import(createRequire(`${process.env.NODE_PATH}/`).resolve("oidc-provider"));
const [port, client_id, client_secret, back, people] = process.argv.slice(2);
const PEOPLE = JSON.parse(people);
const issuer = `http://127.0.0.1:${port}`;
const provider = new Provider(issuer, {
  clients: [{ client_id, client_secret, redirect_uris: [back], grant_types: ["authorization_code"] }],
  claims: { openid: ["sub"], profile: ["preferred_username", "packshot_tenants", "packshot_role"] },
  pkce: { required: () => true },
  findAccount: (_, id) => PEOPLE[id] && { accountId: id, claims: () => ({ sub: id, ...PEOPLE[id] }) },
});
provider.listen(Number(port), "127.0.0.1", () => console.log("READY"));
