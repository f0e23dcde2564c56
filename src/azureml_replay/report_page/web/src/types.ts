// What report/facts.py writes, field by field.
export type Pair = [string, string];

export const VERDICTS = [
  { word: "differs", glyph: "✕", css: "bad" },
  { word: "not verified", glyph: "○", css: "open" },
  { word: "not extracted", glyph: "–", css: "open" },
  { word: "omissions", glyph: "◐", css: "part" },
  { word: "equal", glyph: "✓", css: "good" },
  { word: "archived", glyph: "▪", css: "plain" },
] as const;

export interface Index {
  experiments: string[];
  statuses: string[];
  kinds: string[];
  id: string[];
  name: string[];
  parent: number[];
  experiment: number[];
  status: number[];
  kind: number[];
  start: (number | null)[];
  seconds: (number | null)[];
  series: number[];
  points: number[];
  files: number[];
  findings: number[];
  omissions: number[];
  quiet: number[];
  accepted: number[];
  verdict: number[];
  place: number[];
}

export interface Line {
  n: number;
  of: number;
  x: number[];
  at: number;
  low: number;
  high: number;
}

export interface Curve {
  name: string;
  axis: "step" | "time" | "row";
  zero: number | null;
  state: State;
  source: Line;
  last: string;
  low: string;
  high: string;
  target: Line | null;
  difference: Line | null;
  differing: number;
  target_rows: number;
  first: [string, string, string] | null;
}

export type State = "equal" | "differs" | "lost" | "unverified";

export interface Single {
  name: string;
  where: string;
  value: string;
  state: State;
  target: string;
}

export interface Table {
  name: string;
  kind: string;
  columns: string[];
  rows: string[][];
  of: number;
  state: State;
  images: string[];
}

export interface FileRow {
  path: string;
  bytes: number | null;
  md5: string;
  note: string;
  state: "" | "equal" | "size" | "differs" | "absent" | "left" | "unverified";
  image: string;
}

export interface Sheet {
  path: string;
  columns: string[];
  rows: string[][];
  of: number;
  of_columns: number;
}

export interface AssetEntry {
  id: string;
  verdict: number;
  became: string;
  notes: string[];
  archived: boolean;
  made: string;
  used: string[];
  used_of: number;
  needs: string[];
  links: Pair[];
}

export interface Reference {
  where: string;
  what: string;
  became: string;
  asset: string;
  verdict: number;
  links: Pair[];
}

export interface Detail {
  id: string;
  facts: Pair[];
  links: Pair[];
  description: string;
  error: string;
  parameters: Pair[];
  tags: Pair[];
  properties: Pair[];
  assets: Pair[];
  references: Reference[];
  lineage: Pair[];
  curves: Curve[];
  singles: Single[];
  tables: Table[];
  sheets: Sheet[];
  files: FileRow[];
  files_of: number;
  findings: [string, string, string, string][];
  omissions: [string, string, boolean][];
}

export interface Command {
  command: string;
  began: string;
  outcome: string;
  seconds: number;
  parts: [string, number, Record<string, number>][];
  requests: number;
  refused: number;
}

export interface Head {
  version: string;
  made: string;
  proved: string;
  source: Pair;
  target: Pair | null;
  roots: [string, string];
  good: "yes" | "no" | "open";
  sentence: string;
  figures: [string, number, string][];
  counts: number[];
  reasons: [string, number, boolean][];
  loose_findings: [string, string, string, string][];
  loose_omissions: [string, string, string][];
  loose_of: [number, number];
  printed_findings: [string, string, string, string, string][];
  accepted: [string, string, string, string, string, string][];
  unknown: [string, string, number][];
  commands: Command[];
  widths: [string, number, number, [number, number][]][];
  widths_of: string;
  assets: AssetEntry[];
  assets_of: number;
  elsewhere: [string, string, number][];
  left_out: number;
  max_bytes: number;
  sharded: boolean;
  blocks: number;
}
