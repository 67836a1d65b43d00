// One attempt has one key, whatever happens, until the server says how it ended.
import { describe, expect, it } from 'vitest';
import { AttemptKeeper, type Drawer } from './attempt.ts';

class MemoryDrawer implements Drawer {
  readonly kept = new Map<string, string>();
  getItem = (key: string): string | null => this.kept.get(key) ?? null;
  setItem = (key: string, value: string): void => void this.kept.set(key, value);
  removeItem = (key: string): void => void this.kept.delete(key);
}

const FIELDS = {
  payment_method_id: 'pm_test_success',
  billing_details: { name: 'Ada', email: 'ada@example.org' },
};

describe('AttemptKeeper', () => {
  it('repeats an open attempt exactly, also after a reload and with other fields', () => {
    const drawer = new MemoryDrawer();
    const first = new AttemptKeeper(drawer, 'rs-1').begin(FIELDS, () => 'key-1');
    const other = { ...FIELDS, payment_method_id: 'pm_test_slow' };
    const again = new AttemptKeeper(drawer, 'rs-1').begin(other, () => 'key-2');
    expect(again).toEqual(first);
  });

  it('makes a new key only after the end', () => {
    const keeper = new AttemptKeeper(new MemoryDrawer(), 'rs-1');
    keeper.begin(FIELDS, () => 'key-1');
    keeper.end();
    expect(keeper.open()).toBeNull();
    expect(keeper.begin(FIELDS, () => 'key-2').request.idempotency_key).toBe('key-2');
  });

  it('remembers the order it follows, for its own reservation only', () => {
    const drawer = new MemoryDrawer();
    const keeper = new AttemptKeeper(drawer, 'rs-1');
    keeper.follow(
      keeper.begin(FIELDS, () => 'key-1'),
      'U-1',
    );
    expect(new AttemptKeeper(drawer, 'rs-1').open()?.orderNumber).toBe('U-1');
    expect(new AttemptKeeper(drawer, 'rs-2').open()).toBeNull();
  });

  it('does not trip over what something else left behind', () => {
    const drawer = new MemoryDrawer();
    for (const odd of ['{', '7', '{"request":null}', '{"request":{}}']) {
      drawer.setItem('usher-attempt:rs-1', odd);
      expect(new AttemptKeeper(drawer, 'rs-1').open()).toBeNull();
    }
  });
});
