// Codes as a file for a spreadsheet or a mailing.

/** One code a line under a heading; a code that looks like a formula is text. */
export function csvOf(lane: string, codes: readonly string[]): string {
  const lines = codes.map((code) => [code, lane].map(cell).join(','));
  return ['code,lane', ...lines].map((line) => `${line}\r\n`).join('');
}

function cell(text: string): string {
  const guard = /^[=+\-@]/.test(text) ? "'" : '';
  return `"${guard}${text.replaceAll('"', '""')}"`;
}
