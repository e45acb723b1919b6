// The token of a host that asks for one. It is forgotten when the tab is closed.
import { tab } from "./storage.js";

const KEY = "token";

export const token = () => tab.get(KEY);

export function enter(given) {
  tab.set(KEY, given);
  location.reload();
}

/** Headers that tell who asks. */
export const credentials = () => (token() ? { authorization: `Bearer ${token()}` } : {});
