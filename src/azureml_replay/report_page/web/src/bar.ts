// Search and filters above the tree.
import { h } from "./dom";
import { NO_FILTER, type Filter } from "./rows";
import { VERDICTS, type Index } from "./types";
import { count } from "./words";

export interface Bar {
  element: HTMLElement;
  search: HTMLInputElement;
  /** No filter any more. */
  clear: () => void;
  tell: (matching: number, total: number) => void;
}

const PATIENCE_MS = 60; // between two key strokes

export function bar(index: Index, counts: number[], changed: (filter: Filter) => void, fold: (folded: boolean) => void, next: () => void, help: () => void): Bar {
  const filter: Filter = { ...NO_FILTER, verdicts: new Set() };
  const tell = h("output", { class: "muted", "aria-live": "polite" });
  let timer = 0;
  const search = h("input", {
    type: "search",
    placeholder: "Name or id  ( / )",
    "aria-label": "Search runs by name or id",
    input: () => {
      clearTimeout(timer);
      timer = window.setTimeout(() => {
        filter.text = search.value.trim().toLowerCase();
        changed(filter);
      }, PATIENCE_MS);
    },
  });
  const chips = VERDICTS.flatMap((verdict, at) =>
    counts[at] === 0
      ? []
      : [
          h(
            "button",
            {
              type: "button",
              class: `chip ${verdict.css}`,
              "aria-pressed": "false",
              click: (event) => {
                const pressed = filter.verdicts.delete(at) ? "false" : (filter.verdicts.add(at), "true");
                (event.currentTarget as HTMLElement).setAttribute("aria-pressed", pressed);
                changed(filter);
              },
            },
            `${verdict.glyph} ${verdict.word} ${count(counts[at])}`,
          ),
        ],
  );
  const choose = (what: "status" | "kind" | "experiment", label: string, names: string[]): HTMLSelectElement => {
    const select: HTMLSelectElement = h(
      "select",
      {
        "aria-label": label,
        change: () => {
          filter[what] = Number(select.value);
          changed(filter);
        },
      },
      h("option", { value: -1 }, label),
      ...names.map((name, at) => h("option", { value: at }, name || "(none)")),
    );
    return select;
  };
  const selects = [
    choose("status", "any status", index.statuses),
    choose("kind", "any type", index.kinds),
    choose("experiment", "any experiment", index.experiments),
  ];
  const clear = (): void => {
    Object.assign(filter, NO_FILTER, { verdicts: new Set() });
    search.value = "";
    selects.forEach((select) => void (select.value = "-1"));
    chips.forEach((chip) => chip.setAttribute("aria-pressed", "false"));
    changed(filter);
  };
  const element = h(
    "div",
    { class: "bar", role: "search" },
    h(
      "div",
      { class: "chips" },
      h("span", { class: "chips", role: "group", "aria-label": "Filter by verdict" }, ...chips),
      tell,
    ),
    h(
      "div",
      { class: "controls" },
      search,
      ...selects.filter((select) => select.options.length > 2),
      h("button", { type: "button", class: "quiet", title: "Unfold all runs", click: () => fold(false) }, "unfold"),
      h("button", { type: "button", class: "quiet", title: "Fold all runs", click: () => fold(true) }, "fold"),
      counts[0] > 0 && h("button", { type: "button", class: "quiet", title: "Next run that differs (n)", click: next }, "next ✕"),
      h("button", { type: "button", class: "quiet", title: "Keys (?)", "aria-label": "Keys", click: help }, "?"),
    ),
  );
  return {
    element,
    search,
    clear,
    tell: (matching, total) => void (tell.value = matching === total ? `${count(total)} runs` : `${count(matching)} of ${count(total)} runs`),
  };
}
