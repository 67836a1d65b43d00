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

/** Of elements with `data-clock`: the time of day alone. */
const CLOCK: Intl.DateTimeFormatOptions = { hour: '2-digit', minute: '2-digit' };

export function localiseTimes(within: ParentNode): void {
  const whole = new Intl.DateTimeFormat('en-GB', SHAPE);
  const clock = new Intl.DateTimeFormat('en-GB', CLOCK);
  for (const element of within.querySelectorAll('time[datetime]')) {
    const at = Date.parse(element.getAttribute('datetime') ?? '');
    const format = element.hasAttribute('data-clock') ? clock : whole;
    if (!Number.isNaN(at)) element.textContent = format.format(at);
  }
}
