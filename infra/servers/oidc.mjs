// An OpenID Connect provider for tests, oidc-provider from npm: whoever logs in is the person of that name in PEOPLE.
// Arguments: its port, a client's id, its secret, where it is sent back to, people's claims as JSON, and likewise the
// secrets of machines, which get tokens for Kafka in their own name.
import { createRequire } from "node:module";

const { Provider } = await import(createRequire(`${process.env.NODE_PATH}/`).resolve("oidc-provider"));
const [port, client_id, client_secret, back, people, machines] = process.argv.slice(2);
const PEOPLE = JSON.parse(people);
const KAFKA = { scope: "", audience: "kafka", accessTokenFormat: "jwt", accessTokenTTL: 60 };
const machine = ([client_id, client_secret]) => ({
  client_id, client_secret, grant_types: ["client_credentials"], redirect_uris: [], response_types: [],
});
const issuer = `http://127.0.0.1:${port}`;
const provider = new Provider(issuer, {
  clients: [{ client_id, client_secret, redirect_uris: [back], grant_types: ["authorization_code"] },
    ...Object.entries(JSON.parse(machines)).map(machine)],
  features: {
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: (ctx) => ctx.oidc.params.grant_type === "client_credentials" ? "urn:kafka" : undefined,
      getResourceServerInfo: () => KAFKA,
    },
  },
  claims: { openid: ["sub"], profile: ["preferred_username", "packshot_tenants", "packshot_role"] },
  pkce: { required: () => true },
  findAccount: (_, id) => PEOPLE[id] && { accountId: id, claims: () => ({ sub: id, ...PEOPLE[id] }) },
});
provider.listen(Number(port), "127.0.0.1", () => console.log("READY"));
