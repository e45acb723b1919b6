// The token of a host that asks for one. It is forgotten when the tab is closed.
const KEY = "token";

export const token = () => sessionStorage.getItem(KEY);

export function enter(given) {
  sessionStorage.setItem(KEY, given);
  location.reload();
}

/** Headers that tell who asks. */
export const credentials = () => (token() ? { authorization: `Bearer ${token()}` } : {});
