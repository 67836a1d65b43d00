// A scanner types wherever the focus is, also into where somebody stands. What it types
// is known by its look: a ticket must never become the name of a gate.

/** How a code's text begins; the field may have cut its end off. */
const CODE = /usher1\./;
/** A ticket's number, as it is printed: hardly one has no digit, and names seldom have one. */
const NUMBER = /(?=[A-Z]*[0-9])[0-9A-Z]{16}/;

export function holdsTicket(text: string): boolean {
  return CODE.test(text) || NUMBER.test(text);
}
