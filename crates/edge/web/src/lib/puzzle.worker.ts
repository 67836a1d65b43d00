// Solves a puzzle beside the page, which stays quick meanwhile.
import { type Puzzle, solve } from './puzzle.ts';

export type Word = { progress: number } | { number: number | null };

addEventListener('message', ({ data }: MessageEvent<Puzzle>) => {
  const say = (word: Word): void => postMessage(word);
  void solve(data, (progress) => say({ progress })).then((number) => say({ number }));
});
