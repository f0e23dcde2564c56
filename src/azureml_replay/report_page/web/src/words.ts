// Numbers and times as people read them.
export const count = (number: number): string => number.toLocaleString("en");

export const counted = (number: number, one: string, many = `${one}s`): string =>
  `${count(number)} ${number === 1 ? one : many}`;

export function bytes(size: number): string {
  let unit = 0;
  while (size >= 999.95 && unit < 5) {
    size /= 1000;
    unit++;
  }
  return unit === 0 ? `${size} B` : `${size.toFixed(1)} ${" kMGTP"[unit]}B`;
}

export function seconds(length: number | null): string {
  if (length === null) return "";
  if (length < 60) return `${Math.round(length * 10) / 10}s`;
  if (length < 3600) return `${Math.floor(length / 60)}m ${Math.floor(length % 60)}s`;
  if (length < 86400) return `${Math.floor(length / 3600)}h ${Math.floor((length % 3600) / 60)}m`;
  return `${(length / 86400).toFixed(1)}d`;
}

export function moment(since1970: number | null): string {
  if (since1970 === null) return "";
  const date = new Date(since1970 * 1000);
  return Number.isNaN(date.getTime()) ? "" : date.toISOString().slice(0, 16).replace("T", " ");
}

/** A number's text with five significant digits, where it is one. */
export const shortened = (text: string): string => (Number.isFinite(Number(text)) ? short(Number(text)) : text);

/** Five significant digits. */
export function short(value: number | null | undefined): string {
  if (value === null || value === undefined) return "–";
  if (value !== 0 && (Math.abs(value) >= 1e6 || Math.abs(value) < 1e-4)) return value.toExponential(3);
  return String(Number(value.toPrecision(5)));
}
