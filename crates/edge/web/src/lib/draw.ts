// What a draw publishes, checked with the browser's own cryptography: the bytes are those
// of docs/draw.md, so that a fan need not believe the page's server.

export type Bytes = Uint8Array<ArrayBuffer>;

export interface Receipt {
  statement: {
    event: string;
    lane: string;
    fan: string;
    provisional_index: number;
    commitment: string;
    received_at: string;
  };
  kid: string;
  signature: string;
}

export interface SignedRoot {
  event: string;
  lane: string;
  commitment: string;
  fans: number;
  root: string;
  root_published_at: string;
  signed_by: string;
  signature: string;
}

export interface InclusionProof {
  index: number;
  size: number;
  path: string[];
}

const encoder = new TextEncoder();

export function fromHex(hex: string): Bytes {
  const pairs = hex.match(/[0-9a-f]{2}/g) ?? [];
  return Uint8Array.from(pairs, (pair) => Number.parseInt(pair, 16));
}

export function fromBase64Url(text: string): Bytes {
  const plain = atob(text.replaceAll('-', '+').replaceAll('_', '/'));
  return Uint8Array.from(plain, (char) => char.charCodeAt(0));
}

export function toHex(bytes: Bytes): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

function join(...parts: Bytes[]): Bytes {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

export async function sha256(...parts: Bytes[]): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', join(...parts)));
}

function number(value: number): Bytes {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value));
  return bytes;
}

const time = (rfc3339: string): Bytes => number(Date.parse(rfc3339));
const field = (bytes: Bytes): Bytes => join(number(bytes.length), bytes);
const text = (value: string): Bytes => field(encoder.encode(value));

export function receiptBytes({ statement }: Receipt): Bytes {
  return join(
    text('usher-draw-receipt-1'),
    text(statement.event),
    text(statement.lane),
    field(fromHex(statement.fan)),
    number(statement.provisional_index),
    field(fromHex(statement.commitment)),
    time(statement.received_at),
  );
}

export function rootBytes(notice: SignedRoot): Bytes {
  return join(
    text('usher-draw-root-1'),
    text(notice.event),
    text(notice.lane),
    field(fromHex(notice.commitment)),
    number(notice.fans),
    field(fromHex(notice.root)),
    time(notice.root_published_at),
  );
}

/** Null where the browser cannot check Ed25519 signatures. */
export async function isSigned(
  bytes: Bytes,
  signature: string,
  publicKey: Bytes,
): Promise<boolean | null> {
  try {
    const key = await crypto.subtle.importKey('raw', publicKey, 'Ed25519', false, ['verify']);
    return await crypto.subtle.verify('Ed25519', key, fromHex(signature), bytes);
  } catch (error) {
    return error instanceof DOMException && error.name === 'NotSupportedError' ? null : false;
  }
}

/** Whether the root contains the fan: as RFC 9162, 2.1.3.2 walks the path. */
export async function isIncluded(
  fan: string,
  proof: InclusionProof,
  root: string,
): Promise<boolean> {
  if (proof.index >= proof.size) return false;
  let index = proof.index;
  let last = proof.size - 1;
  let hash = await sha256(Uint8Array.of(0), fromHex(fan));
  for (const step of proof.path) {
    if (last === 0) return false;
    const neighbour = fromHex(step);
    if (index % 2 === 1 || index === last) {
      hash = await sha256(Uint8Array.of(1), neighbour, hash);
      while (index !== 0 && index % 2 === 0) {
        index = Math.floor(index / 2);
        last = Math.floor(last / 2);
      }
    } else {
      hash = await sha256(Uint8Array.of(1), hash, neighbour);
    }
    index = Math.floor(index / 2);
    last = Math.floor(last / 2);
  }
  return last === 0 && toHex(hash) === root;
}

/** What the numbers are ordered by: a keyed hash of each fan's id, in hexadecimal. */
export async function orderKey(seed: string, fan: string): Promise<string> {
  const algorithm = { name: 'HMAC', hash: 'SHA-256' };
  const key = await crypto.subtle.importKey('raw', fromHex(seed), algorithm, false, ['sign']);
  return toHex(new Uint8Array(await crypto.subtle.sign('HMAC', key, fromHex(fan))));
}

export type Rule =
  | {
      source: 'drand';
      chain: {
        hash: string;
        public_key: string;
        scheme: string;
        genesis_time: number;
        period_s: number;
      };
      min_delay_s: number;
    }
  | { source: 'public_value'; description: string; not_before: string };

function ruleBytes(rule: Rule): Bytes {
  if (rule.source === 'public_value')
    return join(text('public_value'), text(rule.description), time(rule.not_before));
  const { chain } = rule;
  return join(
    text('drand'),
    field(fromHex(chain.hash)),
    field(fromHex(chain.public_key)),
    text(chain.scheme),
    number(chain.genesis_time),
    number(chain.period_s),
    number(rule.min_delay_s),
  );
}

export interface Committed {
  event: string;
  lane: string;
  rule: Rule;
  secret: string;
}

/** What was published before anybody gathered, from what was revealed afterwards. */
export async function commitmentOf({ event, lane, rule, secret }: Committed): Promise<string> {
  const bytes = join(
    text('usher-draw-1'),
    text(event),
    text(lane),
    field(ruleBytes(rule)),
    field(fromHex(secret)),
  );
  return toHex(await sha256(bytes));
}

export type Entropy =
  | { source: 'drand'; beacon: { signature: string } }
  | { source: 'public_value'; value: string };

export async function randomnessOf(entropy: Entropy): Promise<Bytes> {
  return entropy.source === 'drand'
    ? sha256(fromHex(entropy.beacon.signature))
    : sha256(join(text('usher-public-value-1'), text(entropy.value)));
}
