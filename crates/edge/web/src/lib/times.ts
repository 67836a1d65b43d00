// Times the server wrote in UTC, shown in the visitor's own zone with its name.

const SHAPE: Intl.DateTimeFormatOptions = {
  weekday: 'long',
  day: 'numeric',
  month: 'long',
  year: 'numeric',
  hour: '2-digit',
  minute: '2-digit',
  timeZoneName: 'short',
};

export function localiseTimes(within: ParentNode): void {
  const format = new Intl.DateTimeFormat('en-GB', SHAPE);
  for (const element of within.querySelectorAll('time[datetime]')) {
    const at = Date.parse(element.getAttribute('datetime') ?? '');
    if (!Number.isNaN(at)) element.textContent = format.format(at);
  }
}
