// The checks of a draw, against the record that docs/draw.md publishes, and against each
// change that a cheating operator would make.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  type Entropy,
  fromHex,
  type InclusionProof,
  orderKey,
  type Receipt,
  randomnessOf,
  type SignedRoot,
  sha256,
  toHex,
} from '../lib/draw.ts';
import { checkInclusion, checkNumber, checkReceipt, checkRoot, type Published } from './judge.ts';

const record = readFileSync(
  new URL('../../../../../docs/draw/example.record', import.meta.url),
  'utf8',
);
const lines = record.trimEnd().split('\n');
const header = JSON.parse(lines[0] ?? '') as SignedRoot & {
  seed: string;
  secret: string;
  entropy: Entropy;
};
const fans = lines.slice(1).map((line) => line.split(' ')[1] ?? '');

const base64Url = (hex: string): string =>
  btoa(String.fromCharCode(...fromHex(hex)))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '');

const keys = [{ kid: 'one', x: base64Url(header.signed_by) }];

function published(changes: Partial<Published> = {}): Published {
  return {
    lane: header.lane,
    commitment: header.commitment,
    root: header,
    opened_as_fifo: false,
    is_finished: true,
    record_url: 'https://tickets.example/record',
    ...changes,
  };
}

function receiptOf(fan: string): Receipt {
  const statement = {
    event: header.event,
    lane: 'main',
    fan,
    provisional_index: 3,
    commitment: header.commitment,
    received_at: '2027-05-14T19:30:00.25Z',
  };
  return { statement, kid: 'own', signature: '' };
}

/** As the server proves it: the neighbours from the leaf to the root. */
async function proofOf(fan: string): Promise<InclusionProof> {
  const sorted = [...fans].sort();
  let at = sorted.indexOf(fan);
  const index = at;
  let level = await Promise.all(sorted.map((id) => sha256(Uint8Array.of(0), fromHex(id))));
  const path: string[] = [];
  while (level.length > 1) {
    const neighbour = level[at ^ 1];
    if (neighbour) path.push(toHex(neighbour));
    const above = [];
    for (let left = 0; left < level.length; left += 2) {
      const [first, second] = [level[left], level[left + 1]];
      if (first) above.push(second ? await sha256(Uint8Array.of(1), first, second) : first);
    }
    level = above;
    at = Math.floor(at / 2);
  }
  return { index, size: sorted.length, path };
}

describe('the published record', () => {
  it('has its list signed, and any change of it shows', async () => {
    expect((await checkRoot(published(), keys)).passed).toBe(true);
    const otherRoot = { ...header, fans: header.fans + 1 };
    expect((await checkRoot(published({ root: otherRoot }), keys)).passed).toBe(false);
    expect(
      (await checkRoot(published(), [{ kid: 'two', x: base64Url('00'.repeat(32)) }])).passed,
    ).toBe(false);
    expect((await checkRoot(published({ root: null }), keys)).passed).toBeNull();
  });

  it('proves each fan in the list and nobody else', async () => {
    for (const fan of fans) {
      expect((await checkInclusion(fan, await proofOf(fan), header, null)).passed).toBe(true);
    }
    const [first = '', second = ''] = fans;
    expect((await checkInclusion(first, await proofOf(second), header, null)).passed).toBe(false);
    const cut = await proofOf(first);
    cut.path.pop();
    expect((await checkInclusion(first, cut, header, null)).passed).toBe(false);
    const larger = { ...(await proofOf(first)), size: header.fans + 1 };
    expect((await checkInclusion(first, larger, header, null)).passed).toBe(false);
    const latecomer = await checkInclusion(first, null, header, null);
    expect(latecomer.passed).toBeNull();
    const receipt = receiptOf(first);
    expect((await checkInclusion(first, null, header, receipt)).passed).toBe(false);
    expect((await checkInclusion(second, null, header, receipt)).passed).toBeNull();
  });

  it('gives each fan the number that follows from the randomness', async () => {
    for (const [at, fan] of fans.entries()) {
      expect((await checkNumber(record, fan, at + 1, published())).passed).toBe(true);
    }
    const [first = '', second = ''] = fans;
    expect((await checkNumber(record, first, 2, published())).passed).toBe(false);
    const swapped = [lines[0], `1 ${second}`, `2 ${first}`, ...lines.slice(3)].join('\n');
    expect((await checkNumber(swapped, second, 1, published())).passed).toBe(false);
    const otherSeed = record.replace(header.seed, '00'.repeat(32));
    expect((await checkNumber(otherSeed, first, 1, published())).passed).toBe(false);
  });

  it('is not believed with a secret that was chosen when the randomness was known', async () => {
    const chosen = { ...header, secret: '77'.repeat(32) };
    const randomness = await randomnessOf(header.entropy);
    const seed = await sha256(fromHex(chosen.secret), fromHex(chosen.root), randomness);
    chosen.seed = toHex(seed);
    const keyed = await Promise.all(
      fans.map(async (fan) => ({ fan, key: await orderKey(chosen.seed, fan) })),
    );
    keyed.sort((one, other) => (one.key < other.key ? -1 : 1));
    const numbered = keyed.map(({ fan }, at) => `${at + 1} ${fan}`);
    const forged = [JSON.stringify(chosen), ...numbered].join('\n');
    const favourite = keyed[0]?.fan ?? '';
    expect((await checkNumber(forged, favourite, 1, published())).passed).toBe(false);
  });
});

describe('a receipt', () => {
  it('holds when this site signed it for the published commitment', async () => {
    const algorithm = { name: 'Ed25519' };
    const pair = (await crypto.subtle.generateKey(algorithm, true, [
      'sign',
      'verify',
    ])) as CryptoKeyPair;
    const raw = new Uint8Array(await crypto.subtle.exportKey('raw', pair.publicKey));
    const own = [{ kid: 'own', x: base64Url(toHex(raw)) }];
    const { statement } = receiptOf(fans[0] ?? '');
    const { receiptBytes } = await import('../lib/draw.ts');
    const unsigned = { statement, kid: 'own', signature: '' };
    const signature = await crypto.subtle.sign('Ed25519', pair.privateKey, receiptBytes(unsigned));
    const receipt = { ...unsigned, signature: toHex(new Uint8Array(signature)) };
    expect((await checkReceipt(receipt, null, published(), own)).passed).toBe(true);
    const later = { ...receipt, statement: { ...statement, provisional_index: 4 } };
    expect((await checkReceipt(later, null, published(), own)).passed).toBe(false);
    const other = published({ commitment: '00'.repeat(32) });
    expect((await checkReceipt(receipt, null, other, own)).passed).toBe(false);
    expect((await checkReceipt(receipt, null, published(), keys)).passed).toBeNull();
    expect((await checkReceipt(null, null, published(), own)).passed).toBeNull();
  });
});
