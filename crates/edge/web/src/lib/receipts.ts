// Receipts of draws, kept by the browser: a fan who gathered and is not in the final list
// holds the operator's own signature against it.
import type { Receipt } from './draw.ts';
import { call } from './http.ts';

const keyOf = (event: string): string => `usher-receipt:${event}`;

export function keptReceipt(event: string): Receipt | null {
  try {
    const text = localStorage.getItem(keyOf(event));
    return text === null ? null : (JSON.parse(text) as Receipt);
  } catch {
    // Storage can be switched off, or somebody wrote something else there.
    return null;
  }
}

/** Asks for the receipt once, while people gather. True when this browser has it. */
export async function keepReceipt(event: string, queuePath: string): Promise<boolean> {
  if (keptReceipt(event) !== null) return true;
  const answer = await call<Receipt>('GET', `${queuePath}/receipt`);
  if (!answer.ok) return false;
  try {
    localStorage.setItem(keyOf(event), JSON.stringify(answer.body));
    return true;
  } catch {
    return false;
  }
}
