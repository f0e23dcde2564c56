// What the keyboard can do, in a dialog.
import { h, table } from "./dom";

const KEYS = [
  ["↑ ↓, Page, Home, End", "walk through the list"],
  ["→ ←", "unfold and fold a run, go to its first child, to its parent"],
  ["Enter", "go to the run's page"],
  ["Escape", "back to the list"],
  ["/", "search; Enter or ↓ leads to what it finds"],
  ["n", "next run that differs"],
  ["?", "these keys"],
];

export function help(): HTMLDialogElement {
  const dialog: HTMLDialogElement = h("dialog", { "aria-label": "Keys" }, table("Keys", ["Key", "What it does"], KEYS, "keys-table"));
  dialog.append(h("button", { type: "button", class: "quiet", click: () => dialog.close() }, "close"));
  return dialog;
}
