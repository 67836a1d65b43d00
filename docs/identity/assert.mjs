// What a shop's server does to send a signed-in customer into usher's line: sign who
// they are, for one event and some minutes. Plain Node (18 or newer), no dependencies.
//
//   node assert.mjs keygen                     makes shop.key and prints the public JWK
//   node assert.mjs sign EVENT_ID CUSTOMER_ID  prints the assertion

import { createPrivateKey, createPublicKey, generateKeyPairSync, sign } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";

const KEY_FILE = "shop.key";
const GOOD_FOR_SECONDS = 300;

function keygen() {
  const { privateKey } = generateKeyPairSync("ed25519");
  writeFileSync(KEY_FILE, privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });
  const jwk = createPublicKey(privateKey).export({ format: "jwk" });
  return JSON.stringify({ keys: [{ ...jwk, kid: "shop-1" }] });
}

function assertion(event, customer) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const header = part({ alg: "EdDSA", typ: "JWT", kid: "shop-1" });
  const exp = Math.floor(Date.now() / 1000) + GOOD_FOR_SECONDS;
  const text = `${header}.${part({ sub: customer, aud: event, exp })}`;
  const key = createPrivateKey(readFileSync(KEY_FILE));
  return `${text}.${sign(null, Buffer.from(text), key).toString("base64url")}`;
}

const [command, event, customer] = process.argv.slice(2);
if (command === "keygen") {
  console.log(keygen());
} else if (command === "sign" && event && customer) {
  console.log(assertion(event, customer));
} else {
  console.error("usage: node assert.mjs keygen | sign EVENT_ID CUSTOMER_ID");
  process.exitCode = 1;
}
