// The tree as arrays: which rows are visible under a filter and the folds, without a DOM.
import type { Index } from "./types";

export interface Filter {
  text: string;
  verdicts: Set<number>;
  status: number;
  kind: number;
  experiment: number;
}

export const NO_FILTER: Filter = { text: "", verdicts: new Set(), status: -1, kind: -1, experiment: -1 };

export class Rows {
  readonly length: number;
  readonly level: Int32Array;
  /** One past the last row of each family: parents stand right before their children. */
  readonly end: Int32Array;
  /** Of a run and all below it. */
  readonly findings: Int32Array;
  readonly omissions: Int32Array;
  readonly folded: Uint8Array;
  readonly place = new Map<string, number>();
  private readonly haystack: string[];

  constructor(readonly index: Index) {
    const length = (this.length = index.id.length);
    this.level = new Int32Array(length);
    this.end = new Int32Array(length);
    this.findings = Int32Array.from(index.findings);
    this.omissions = Int32Array.from(index.omissions);
    this.folded = new Uint8Array(length).fill(1);
    this.haystack = index.id.map((id, at) => `${index.name[at]}\n${id}`.toLowerCase());
    for (let at = 0; at < length; at++) {
      this.level[at] = index.parent[at] < 0 ? 0 : this.level[index.parent[at]] + 1;
      this.end[at] = at + 1;
      this.place.set(index.id[at], at);
    }
    for (let at = length - 1; at >= 0; at--) {
      const parent = index.parent[at];
      if (parent < 0) continue;
      this.end[parent] = Math.max(this.end[parent], this.end[at]);
      this.findings[parent] += this.findings[at];
      this.omissions[parent] += this.omissions[at];
    }
  }

  name(at: number): string {
    return this.index.name[at] || this.index.id[at];
  }

  isParent(at: number): boolean {
    return this.end[at] > at + 1;
  }

  unfoldTo(at: number): void {
    for (let above = this.index.parent[at]; above >= 0; above = this.index.parent[above]) this.folded[above] = 0;
  }

  matches(at: number, filter: Filter): boolean {
    const { index } = this;
    return (
      (filter.verdicts.size === 0 || filter.verdicts.has(index.verdict[at])) &&
      (filter.status < 0 || index.status[at] === filter.status) &&
      (filter.kind < 0 || index.kind[at] === filter.kind) &&
      (filter.experiment < 0 || index.experiment[at] === filter.experiment) &&
      (filter.text === "" || this.haystack[at].includes(filter.text))
    );
  }

  /** Rows to show, and how many of them match: what matches brings its ancestors along, unfolded. */
  visible(filter: Filter): { shown: number[]; matching: number } {
    return isEmpty(filter) ? this.unfolded() : this.found(filter);
  }

  private unfolded(): { shown: number[]; matching: number } {
    const shown: number[] = [];
    for (let at = 0; at < this.length; at = this.folded[at] ? this.end[at] : at + 1) shown.push(at);
    return { shown, matching: this.length };
  }

  private found(filter: Filter): { shown: number[]; matching: number } {
    const keep = new Uint8Array(this.length);
    let matching = 0;
    for (let at = 0; at < this.length; at++) {
      if (!this.matches(at, filter)) continue;
      matching++;
      for (let above = at; above >= 0 && !keep[above]; above = this.index.parent[above]) keep[above] = 1;
    }
    const shown: number[] = [];
    for (let at = 0; at < this.length; at++) if (keep[at]) shown.push(at);
    return { shown, matching };
  }
}

export function isEmpty(filter: Filter): boolean {
  return (
    filter.text === "" &&
    filter.verdicts.size === 0 &&
    filter.status < 0 &&
    filter.kind < 0 &&
    filter.experiment < 0
  );
}
