/** Input quoted in messages: on one line, and never longer than a person reads. */

const LONGEST = 80;

/** The value as JSON, shortened. */
export function quote(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length <= LONGEST ? text : `${text.slice(0, LONGEST)}… (${text.length} characters)`;
}
