// The run that the address names: `#run=ID`, so that a link leads to it and Back returns to the list.
const KEY = "#run=";

export function runInAddress(): string | null {
  if (!location.hash.startsWith(KEY)) return null;
  try {
    return decodeURIComponent(location.hash.slice(KEY.length));
  } catch {
    return null; // not one of ours
  }
}

/** Half a surrogate pair has no encoding. */
const fragment = (id: string): string => KEY + encodeURIComponent(id.replace(/\p{Cs}/gu, "\ufffd"));

export function addressOf(id: string): string {
  return location.href.split("#")[0] + fragment(id);
}

/** `added`: Back leads to what was there before. */
export function showInAddress(id: string, added: boolean): void {
  try {
    if (added) history.pushState({ added }, "", fragment(id));
    else history.replaceState(history.state, "", fragment(id));
  } catch {
    // a viewer that keeps its address to itself: the page works without
  }
}

/** Leaves the run: by Back where we came from the list, else the list takes the run's place. */
export function leaveAddress(): void {
  if ((history.state as { added?: boolean } | null)?.added) history.back();
  else history.replaceState(null, "", location.href.split("#")[0]);
}
