// The control law's constants of one event, for admins: what stands in the fields is all
// that is set, an empty one is as usual.
import type { LawConstants } from '../lib/api.ts';
import { ref } from '../lib/dom.ts';
import { call } from '../lib/http.ts';
import { report } from './controls.ts';

/** What the fields set, by name. The browser has checked each against its range. */
export function constantsOf(data: FormData): Record<string, number> {
  const filled = [...data].filter(([, text]) => String(text).trim() !== '');
  return Object.fromEntries(filled.map(([name, text]) => [name, Number(text)]));
}

/** `All as usual.` or `2 set: brake_p99, brake_redis_ms.` */
export function constantsWords(set: LawConstants['set']): string {
  const names = Object.keys(set).filter((name) => set[name] !== null);
  return names.length === 0 ? 'All as usual.' : `${names.length} set: ${names.join(', ')}.`;
}

/** Those who may only look have no button, and nothing to prepare. */
export function prepareConstants(path: string): void {
  const form = ref<HTMLFormElement>('constants');
  if (!form.querySelector('button')) return;
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    void apply(form, path);
  });
}

async function apply(form: HTMLFormElement, path: string): Promise<void> {
  const body = constantsOf(new FormData(form));
  const answer = await call<LawConstants>('PUT', `${path}/admission/constants`, { body });
  report('constants-answer', answer, () => (answer.ok ? constantsWords(answer.body.set) : ''));
}
