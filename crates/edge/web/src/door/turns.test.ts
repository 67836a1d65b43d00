// Scans keep their order, and a bounded number of them waits.
import { expect, test } from 'vitest';
import { MAX_WAITING, Turns } from './turns.ts';

test('tasks run one at a time, in their order', async () => {
  const turns = new Turns(() => {});
  const told: string[] = [];
  const task = (name: string) => async () => {
    told.push(`${name} begins`);
    await Promise.resolve();
    told.push(`${name} ends`);
  };
  turns.take(task('a'));
  await new Promise<void>((resolve) => {
    turns.take(async () => {
      await task('b')();
      resolve();
    });
  });
  expect(told).toEqual(['a begins', 'a ends', 'b begins', 'b ends']);
});

test('what is too much is refused, and taken again once there is room', async () => {
  const turns = new Turns(() => {});
  let open = () => {};
  const held = new Promise<void>((resolve) => {
    open = resolve;
  });
  const taken = Array.from({ length: MAX_WAITING + 1 }, () => turns.take(() => held));
  expect(taken.filter(Boolean)).toHaveLength(MAX_WAITING);
  expect(taken.at(-1)).toBe(false);
  open();
  await expect.poll(() => turns.take(async () => {})).toBe(true);
});

test('that one was refused is told until a later one is done', async () => {
  let hasMissed = false;
  const turns = new Turns((missed) => {
    hasMissed = missed;
  });
  let open = () => {};
  const held = new Promise<void>((resolve) => {
    open = resolve;
  });
  const done: number[] = [];
  for (let task = 1; task <= MAX_WAITING + 1; task += 1) {
    turns.take(() => held.then(() => void done.push(task)));
  }
  expect(hasMissed).toBe(true);
  open();
  await expect.poll(() => done.length).toBe(MAX_WAITING);
  expect(hasMissed).toBe(true);
  expect(turns.take(async () => {})).toBe(true);
  await expect.poll(() => hasMissed).toBe(false);
});
