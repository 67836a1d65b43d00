// The checks of a draw that one fan's browser can make, each told as a sentence. Pure apart
// from the browser's cryptography.
import {
  type Committed,
  commitmentOf,
  type Entropy,
  fromBase64Url,
  fromHex,
  type InclusionProof,
  isIncluded,
  isSigned,
  orderKey,
  type Receipt,
  randomnessOf,
  receiptBytes,
  rootBytes,
  type SignedRoot,
  sha256,
  toHex,
} from '../lib/draw.ts';

export interface Published {
  lane: string;
  commitment: string;
  root: SignedRoot | null;
  opened_as_fifo: boolean;
  is_finished: boolean;
  record_url: string | null;
}

export interface SigningKey {
  kid: string;
  x: string;
}

/** Null: nothing to judge, or no means to. */
export interface Check {
  passed: boolean | null;
  sentence: string;
}

const NO_SIGNATURES = 'This browser cannot check signatures; a newer one can.';

function judged(passed: boolean | null, good: string, bad: string): Check {
  return { passed, sentence: passed === null ? NO_SIGNATURES : passed ? good : bad };
}

export async function checkReceipt(
  receipt: Receipt | null,
  fan: string | null,
  published: Published,
  keys: SigningKey[],
): Promise<Check> {
  if (!receipt) {
    const sentence = 'This browser keeps no receipt: it was not here while people gathered.';
    return { passed: null, sentence };
  }
  if (fan !== null && receipt.statement.fan !== fan) {
    const sentence = 'The receipt that this browser keeps is of another person.';
    return { passed: null, sentence };
  }
  if (receipt.statement.commitment !== published.commitment) {
    const sentence =
      'Your receipt names another commitment than the one published. Keep it: it is proof.';
    return { passed: false, sentence };
  }
  const key = keys.find(({ kid }) => kid === receipt.kid);
  if (!key)
    return { passed: null, sentence: 'The key that signed your receipt is no longer published.' };
  const signed = await isSigned(receiptBytes(receipt), receipt.signature, fromBase64Url(key.x));
  return judged(
    signed,
    'Your receipt is signed by this site and names the published commitment.',
    'The signature of your receipt is not valid.',
  );
}

export async function checkRoot(published: Published, keys: SigningKey[]): Promise<Check> {
  const { root } = published;
  if (!root) return { passed: null, sentence: 'The list is not final yet, so nothing is signed.' };
  const isOurs = keys.some(({ x }) => toHex(fromBase64Url(x)) === root.signed_by);
  if (!isOurs || root.commitment !== published.commitment) {
    const sentence = 'The final list is signed with another key or for another commitment.';
    return { passed: false, sentence };
  }
  const signed = await isSigned(rootBytes(root), root.signature, fromHex(root.signed_by));
  return judged(
    signed,
    `The final list of ${root.fans} people is signed, and cannot be changed unnoticed.`,
    'The signature of the final list is not valid.',
  );
}

export async function checkInclusion(
  fan: string,
  proof: InclusionProof | null,
  root: SignedRoot,
  receipt: Receipt | null,
): Promise<Check> {
  if (!proof && receipt?.statement.fan !== fan) {
    const sentence =
      'You are not in the final list: whoever came after it stands behind those who were drawn.';
    return { passed: null, sentence };
  }
  if (!proof) {
    const sentence = 'The final list does not contain you. Your receipt is proof.';
    return { passed: false, sentence };
  }
  const isThere = proof.size === root.fans && (await isIncluded(fan, proof, root.root));
  return judged(
    isThere,
    'You are in the final list: your proof leads to the signed root.',
    'Your proof does not lead to the signed root.',
  );
}

interface Header extends Committed {
  commitment: string;
  root: string;
  entropy: Entropy;
  seed: string;
}

/** The own line of the record and its neighbours, against the seed that the entropy gave. */
export async function checkNumber(
  record: string,
  fan: string,
  place: number,
  published: Published,
): Promise<Check> {
  const lines = record.trimEnd().split('\n');
  const header = JSON.parse(lines[0] ?? '{}') as Header;
  const isSame = header.commitment === published.commitment && header.root === published.root?.root;
  // Another secret, chosen when the randomness was known, could give any order.
  if (!isSame || (await commitmentOf(header)) !== published.commitment) {
    return { passed: false, sentence: 'The secret in the record is not the one committed to.' };
  }
  const randomness = await randomnessOf(header.entropy);
  const seed = toHex(await sha256(fromHex(header.secret), fromHex(header.root), randomness));
  if (seed !== header.seed) {
    return { passed: false, sentence: 'The record belongs to other randomness.' };
  }
  if (lines[place] !== `${place} ${fan}`) {
    return { passed: false, sentence: `The record gives number ${place} to somebody else.` };
  }
  const around = lines.slice(Math.max(1, place - 1), place + 2);
  const ids = around.map((line) => line.split(' ')[1] ?? '');
  const inOrder = await Promise.all(ids.map((id) => orderKey(seed, id)));
  const isSorted = inOrder.every((key, at) => at === 0 || (inOrder[at - 1] ?? '') < key);
  return judged(
    isSorted,
    `The randomness gives you number ${place}, as the record says.`,
    'Your number does not follow from the randomness.',
  );
}
