// A client of the types that openapi-typescript generates: sign up, sign in, create, upload, read.
// Run as: node client.js URL EMAIL PASSWORD. Prints what the service returned, as JSON.
import createClient from "openapi-fetch";
import type { paths } from "./schema.js";

const [url, email, password] = process.argv.slice(2);
if (!url || !email || !password) throw new Error("usage: client.js URL EMAIL PASSWORD");
const client = createClient<paths>({ baseUrl: url });

// A required property of a body is missing: the types must refuse it.
// @ts-expect-error
export const refused = () => client.POST("/v1/accounts", { body: { email } });

const signedUp = await client.POST("/v1/accounts", { body: { email, password, name: "Ada" } });
const session = await client.POST("/v1/sessions", { body: { email, password } });
if (!session.data) throw new Error(JSON.stringify(session.error));
const headers = { authorization: `Bearer ${session.data.token}` };

const created = await client.POST("/v1/contents", {
  body: { prompt: "from a generated client", form: "verse" },
  headers,
});
if (!created.data) throw new Error(JSON.stringify(created.error));
const read = await client.GET("/v1/contents/{content_id}", {
  params: { path: { content_id: created.data.id } },
  headers,
});

const pixel = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
  "base64",
);
const uploaded = await client.POST("/v1/uploads", {
  // JSON Schema has no type for bytes: the generator declares a string.
  body: pixel as unknown as string,
  bodySerializer: (body) => body,
  headers: { ...headers, "content-type": "image/png" },
});
const anonymous = await client.GET("/v1/contents", { params: { query: { limit: 1 } } });

console.log(
  JSON.stringify({
    confirmation: signedUp.data?.confirmation,
    account: session.data.account.email,
    created: [created.response.status, created.data.state],
    prompt: read.data?.prompt,
    uploaded: [uploaded.response.status, uploaded.data?.state],
    anonymous: anonymous.error?.status,
  }),
);
