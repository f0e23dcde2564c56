// From the inert elements of this file, or from the shards beside it, to values.
import type { Detail, Line } from "./types";

export interface Block {
  details: Detail[];
  high: Uint8Array;
  low: Uint8Array;
}

const TOP = 4092;
const blocks = new Map<number, Promise<Block>>();
const waiting = new Map<number, (text: string) => void>();

declare global {
  interface Window {
    addBlock: (number: number, text: string) => void;
  }
}

/** A shard calls this once it is loaded. */
window.addBlock = (number, text) => waiting.get(number)?.(text);

/** The JSON in the element of that id. */
export async function json<T>(id: string): Promise<T> {
  return JSON.parse(new TextDecoder().decode(await unpacked(textOf(id))));
}

/** A block of details; only the newest few are kept. */
export function block(number: number, sharded: boolean): Promise<Block> {
  let found = blocks.get(number);
  if (!found) {
    found = (sharded ? shard(number) : Promise.resolve(textOf(`block${number}`))).then(decoded);
    blocks.set(number, found);
    found.catch(() => blocks.delete(number)); // the next click asks again
    if (blocks.size > 8) blocks.delete(blocks.keys().next().value as number);
  }
  return found;
}

async function decoded(text: string): Promise<Block> {
  const bytes = await unpacked(text);
  const length = new DataView(bytes.buffer).getUint32(0, true);
  const half = (bytes.length - 4 - length) / 2;
  return {
    details: JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length))),
    high: bytes.subarray(4 + length, 4 + length + half),
    low: bytes.subarray(4 + length + half),
  };
}

function shard(number: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    waiting.set(number, (text) => {
      waiting.delete(number);
      script.remove();
      resolve(text);
    });
    script.onerror = () => reject(new Error(`shards/c${number}.js is missing beside this page`));
    script.src = `shards/c${number}.js`;
    document.body.append(script);
  });
}

function textOf(id: string): string {
  return document.getElementById(id)?.textContent ?? "";
}

async function unpacked(text: string): Promise<Uint8Array<ArrayBuffer>> {
  const stream = new Blob([fromBase64(text)]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  const direct = (Uint8Array as unknown as { fromBase64?: (text: string) => Uint8Array<ArrayBuffer> }).fromBase64;
  if (direct) return direct.call(Uint8Array, text);
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let at = 0; at < binary.length; at++) bytes[at] = binary.charCodeAt(at);
  return bytes;
}

const WORDS: Record<number, string> = { 4093: "-Infinity", 4094: "Infinity", 4095: "NaN" };

/** x -> what is there instead of a finite number. */
export function marks(line: Line, from: Block): Map<number, string> {
  const found = new Map<number, string>();
  walk(line, from, (x, code) => code > TOP && found.set(x, WORDS[code]));
  return found;
}

/** The x and y of a line; null where there is no finite number. */
export function points(line: Line, from: Block): [number[], (number | null)[]] {
  const xs: number[] = [];
  const ys: (number | null)[] = [];
  walk(line, from, (x, code) => {
    xs.push(x);
    const part = code / TOP;
    ys.push(code > TOP ? null : line.low * (1 - part) + line.high * part);
  });
  return [xs, ys];
}

function walk(line: Line, from: Block, each: (x: number, code: number) => void): void {
  const even = line.x.length === 2 && line.n > 2;
  let x = line.x[0];
  for (let at = 0; at < line.n; at++) {
    if (at > 0) x += even ? line.x[1] : line.x[at];
    each(x, (from.high[line.at + at] << 8) | from.low[line.at + at]);
  }
}
