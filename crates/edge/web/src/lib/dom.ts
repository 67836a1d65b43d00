// The few things every script does with the document.

/** The element that the template marked `data-ref="name"`. */
export function ref<T extends HTMLElement = HTMLElement>(
  name: string,
  within: ParentNode = document,
): T {
  const element = within.querySelector<T>(`[data-ref="${name}"]`);
  if (!element) throw new Error(`the page lacks its part "${name}"`);
  return element;
}

/** An element with a class and text, not yet in the document. */
export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  text = '',
  className = '',
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  if (text) element.textContent = text;
  if (className) element.className = className;
  return element;
}

/** Shows text in an element, or hides it when there is none. */
export function showText(element: HTMLElement, text: string | null, holder = element): void {
  if (text !== null && element.textContent !== text) element.textContent = text;
  holder.hidden = text === null;
}

export function button(label: string, onClick: () => void): HTMLButtonElement {
  const element = make('button', label, 'button plain');
  element.type = 'button';
  element.addEventListener('click', onClick);
  return element;
}

export function link(label: string, href: string): HTMLAnchorElement {
  const element = make('a', label, 'button plain');
  element.href = href;
  return element;
}

/** A random id, also where the page is not served over TLS. */
export function randomId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
